import pg from "pg";
import { acting } from "./acting.mjs";

const pool = new pg.Pool({ max: 1 });

async function refused(work) {
  try {
    await work();
    console.log("not refused");
  } catch (error) {
    console.log(error.code ?? error.message, error.hint ?? "");
  }
}

const update = (client, balance = "1.00") =>
  client.query("update billing.customer set balance = $1 where id = 7", [balance]);

// EXAMPLE
await refused(() => acting(pool, { user: null }, update));
await refused(() => acting(pool, { user: "bob" }, update));
await refused(() => acting(pool, { user: "bob", reason: "x" }, async (client) => {
  await update(client);
  throw new Error("changed my mind");
}));
await refused(() => update(pool));
await pool.end();

"""What recording a read costs: SELECTs of a row and of 1,000, without it, with it, and with a log line alone."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from auditctl import database, store
from auditctl.actions import Action
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.demo.server import EmbeddedServer
from bench import measure

TITLES = {"no_audit": "no audit", "policy": "reads recorded", "log_alone": "RAISE LOG alone"}
"""The contenders: each has a table of its own name."""

ROWS = 100_000
CLIENTS = (1, 8)
THREADS = 2
LOGIN = "reader"

STATEMENTS = {
    "one row": f"\\set id random(1, {ROWS})\nselect * from {{table}} where id = :id;\n",
    "1,000 rows": f"\\set id random(1, {ROWS - 1000})\nselect * from {{table}} where id between :id and :id + 999;\n",
}

TABLE = """
    create table {table} (id integer primary key, name text, balance numeric, changed_at timestamptz);
    insert into {table} select i, 'name ' || i, i * 1.25, now() from generate_series(1, {rows}) as i;
    grant select on {table} to {login};
"""

LOG_ALONE = """
    create function only_log() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $$ begin raise log 'read of % by %', 'log_alone', session_user; return true; end $$;
    create policy p on log_alone as restrictive for select using ((select only_log()));
    create policy o on log_alone using (true);
    alter table log_alone enable row level security;
"""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure, contenders in turn; return medians of transactions per second, and shares of no audit."""
    seconds, rounds = (1, 1) if quick else (2, 7)
    program = server.bindir / "pgbench"
    if not program.exists():
        return {"skipped": f"PostgreSQL {server.version} came without pgbench"}
    dsn = server.dsn()
    _set_up(dsn)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            name: partial(_once, program, make_conninfo(dsn, user=LOGIN), name, Path(folder), seconds)
            for name in TITLES
        }
        samples = measure.samples(runs, rounds)
    figures = {
        f"{statement}, {clients} client{'s' * (clients > 1)}": _figures(
            {name: [rates[statement, clients] for rates in found] for name, found in samples.items()}, clients
        )
        for statement in STATEMENTS
        for clients in CLIENTS
    }
    return {"seconds": seconds, "rounds": rounds, "rows": ROWS, "transactions_per_second": figures}


def _set_up(dsn: str) -> None:
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"create role {LOGIN} login".encode())
        for name in TITLES:
            conn.execute(TABLE.format(table=name, rows=ROWS, login=LOGIN).encode())
        conn.execute(LOG_ALONE.encode())
        conn.execute("vacuum analyze")
    with database.connect(dsn) as conn:
        apply.enable(conn, Rule("public.policy", (Action.READ,)))


def _figures(samples: dict[str, list[float]], clients: int) -> dict[str, dict[str, float]]:
    bare = statistics.median(samples["no_audit"])
    return {
        name: {
            "rate": round(statistics.median(rates)),
            "of_no_audit": round(statistics.median(rates) / bare, 2),
            "microseconds_more": round((1e6 / statistics.median(rates) - 1e6 / bare) * min(clients, THREADS), 1),
            "least": round(min(rates)),
            "greatest": round(max(rates)),
        }
        for name, rates in samples.items()
    }


def _once(program: Path, dsn: str, name: str, folder: Path, seconds: int) -> dict[tuple[str, int], float]:
    """Return transactions per second by statement and number of clients."""
    found = {}
    for statement, text in STATEMENTS.items():
        script = folder / f"{name}.sql"
        script.write_text(text.format(table=name), "utf-8")
        for clients in CLIENTS:
            options: list[str | Path] = ["-M", "prepared", "-f", script]
            found[statement, clients] = measure.pgbench(program, dsn, options, clients, seconds).rate
    return found

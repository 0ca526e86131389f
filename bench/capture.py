"""What capture costs a writer: a 17-column table, against no audit and against a trigger that inserts constants."""

from __future__ import annotations

import time
from typing import Any, LiteralString

import psycopg

from auditctl import database, store
from auditctl.capture import installer
from auditctl.capture.actions import DEFAULT
from auditctl.demo.server import EmbeddedServer
from auditctl.model import Rule
from bench import measure

ROWS = 1_000
ROUNDS = 5

TABLE = """
    (id integer primary key, c1 integer, c2 text, c3 numeric, c4 timestamptz, c5 boolean, c6 jsonb, c7 text[], c8 date,
     c9 uuid, c10 integer, c11 text, c12 numeric, c13 timestamptz, c14 boolean, c15 text, c16 bigint)
"""
ROW = """
    i, i, 'text value ' || i, i * 1.5, now(), true, jsonb_build_object('a', i), array['a', 'b'], current_date,
    gen_random_uuid(), i, 'text value ' || i, i * 1.5, now(), true, 'text', i
"""

# The least that an audit trigger can do: one row of the usual size into the same log, under the same settings.
FLOOR = """
    create function {name}() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp set "TimeZone" = 'UTC' as $$
    begin
        insert into audit.event (actor, actor_kind, target, target_id, action, old_values, new_values, context)
        values (session_user, 'database', 'public.floor', '1', '{action}', {old}, {new}, '{{"application_name": "b"}}');
        return null;
    end $$
"""
CHANGED = """'{"c1": 1, "c2": "text value 1"}'"""
WHOLE = """
    '{"id": 1, "c1": 1, "c2": "text value 1", "c3": 1.5, "c4": "2026-01-01T00:00:00+00:00", "c5": true,
      "c6": {"a": 1}, "c7": ["a", "b"], "c8": "2026-01-01", "c9": "6d0907e6-bdd3-433d-a7d1-b2e5530abc26", "c10": 1,
      "c11": "text value 1", "c12": 1.5, "c13": "2026-01-01T00:00:00+00:00", "c14": true, "c15": "text", "c16": 1}'
"""
IMAGES = {
    "insert": ("CREATE", "null", WHOLE),
    "update": ("UPDATE", CHANGED, CHANGED),
    "delete": ("DELETE", WHOLE, "null"),
}

LOOPS: dict[str, LiteralString] = {
    "insert": "insert into {table} select " + ROW,
    "update": "update {table} set c1 = c1 + 1, c2 = c2 || 'x' where id = i",
    "delete": "delete from {table} where id = i",
}
"""One statement for each row, in a loop on the server; the order in which they run."""

BULK: dict[str, LiteralString] = {
    "insert": "insert into {table} select " + ROW + " from generate_series(1, {rows}) as i",
    "update": "update {table} set c1 = c1 + 1, c2 = c2 || 'x'",
    "delete": "delete from {table}",
}
CONTENDERS = ("bare", "floor", "audited")


def run(server: EmbeddedServer) -> dict[str, Any]:
    """Measure; return medians in microseconds per row, and the ratios."""
    dsn = server.dsn()
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        for table in CONTENDERS:
            conn.execute(f"create table {table} {TABLE}")
        for statement, (action, old, new) in IMAGES.items():
            conn.execute(FLOOR.format(name=f"floor_{statement}", action=action, old=old, new=new))
            name = f"floor_{statement}"
            conn.execute(f"create trigger {name} after {statement} on floor for each row execute function {name}()")
    with database.connect(dsn) as conn:
        installer.enable(conn, Rule("audited", DEFAULT))
    result: dict[str, Any] = {"rounds": ROUNDS, "microseconds_per_row": {}, "overhead_over_floor": {}}
    with psycopg.connect(dsn, autocommit=True) as conn:
        for kind, statements, rows in (("single", LOOPS, ROWS), ("bulk", BULK, 20_000)):
            for statement in statements:
                figures = _measure(conn, kind, statement, statements, rows)
                result["microseconds_per_row"][f"{kind}_{statement}"] = {k: round(v, 2) for k, v in figures.items()}
                overhead = (figures["audited"] - figures["bare"]) / (figures["floor"] - figures["bare"])
                result["overhead_over_floor"][f"{kind}_{statement}"] = round(overhead, 2)
    return result


def _measure(conn: Any, kind: str, statement: str, statements: dict[str, LiteralString], rows: int) -> dict[str, float]:
    def once(table: str) -> float:
        conn.execute(f"truncate {table}")
        if statement != "insert":
            conn.execute(f"alter table {table} disable trigger user")
            conn.execute(BULK["insert"].format(table=table, rows=rows))
            conn.execute(f"alter table {table} enable trigger user")
        command = statements[statement].format(table=table, rows=rows)
        if kind == "single":
            command = f"do $$ begin for i in 1..{rows} loop {command}; end loop; end $$"
        started = time.perf_counter()
        conn.execute(command)
        return (time.perf_counter() - started) / rows * 1e6

    figures = measure.interleaved({table: lambda table=table: once(table) for table in CONTENDERS}, ROUNDS)  # type: ignore[misc]
    conn.execute("vacuum")
    return figures

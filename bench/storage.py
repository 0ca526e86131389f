"""How much an event takes: of table, indexes and TOAST, and of WAL, by width of the row, kind of change and rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from bench import results
from bench.contenders.auditctl import WITHOUT_GUARD
from bench.markdown import grid
from bench.subject import STATEMENTS, Subject

EVENTS, QUICK_EVENTS = 50_000, 2_000
FEWER = 10
"""Tables of large rows get so many times fewer."""

DAYS = 30
PER_DAY = (100_000, 1_000_000, 10_000_000)

PARTS = """
    select sum(pg_relation_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint,
        sum(pg_total_relation_size(c.reltoastrelid))::bigint
    from pg_partition_tree('auditctl.event') join pg_class as c on c.oid = relid where isleaf
"""
TEN = tuple(f"c{number}" for number in range(7, 17))


class Documents(Subject):
    """A table with a text of 12 kB that does not compress, in each row; an update changes all of it."""

    @property
    def columns(self) -> dict[str, str]:
        """The columns after the key."""
        return {"c1": "integer", "c2": "text"}

    def _all(self, statement: str) -> str:
        return f"update {self.name} set c2 = reverse(c2)" if statement == "update" else super()._all(statement)

    def _row(self) -> str:
        return "i, i, (select string_agg(md5(random()::text || i), '') from generate_series(1, 375))"


@dataclass(frozen=True, slots=True)
class Case:
    """A table and a rule.

    Attributes:
        title: What the documentation calls it.
        subject: The table.
        options: Keys of the rule.
        compression: The value of default_toast_compression.
        fewer: By what the number of its events is divided.
    """

    title: str
    subject: Subject
    options: dict[str, Any] = field(default_factory=dict)
    compression: str = "pglz"
    fewer: int = 1


CASES = (
    Case("5 columns", Subject("few", 5)),
    Case("17 columns", Subject("narrow", 17)),
    Case("17 columns, 10 of them excluded", Subject("excluded", 17), {"exclude": TEN}),
    Case("17 columns, 10 of them masked", Subject("masked", 17), {"mask": TEN}),
    Case("200 columns", Subject("wide", 200), fewer=FEWER),
    Case("200 columns, compressed by lz4", Subject("lz4", 200), compression="lz4", fewer=FEWER),
    Case("3 columns, with a text of 12 kB", Documents("document", 3), fewer=FEWER),
)


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Write events of one kind into an empty log, and look at its size; no noise, so one round."""
    store.install(server.dsn())
    events = QUICK_EVENTS if quick else EVENTS
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(WITHOUT_GUARD)
        sizes = {case.title: _measure(server, conn, case, events) for case in CASES if _has(conn, case.compression)}
    return {"events": events, "bytes_per_event": sizes}


def _has(conn: psycopg.Connection[Any], compression: str) -> bool:
    row = conn.execute(
        "select %s = any (enumvals) from pg_settings where name = 'default_toast_compression'", [compression]
    ).fetchone()
    return row == (True,)


def _measure(
    server: EmbeddedServer, conn: psycopg.Connection[Any], case: Case, events: int
) -> dict[str, dict[str, float]]:
    number = events // case.fewer
    conn.execute(case.subject.definition.encode())
    conn.execute("select set_config('default_toast_compression', %s, false)", [case.compression])
    without = {statement: _wal(conn, case.subject, statement, number) for statement in STATEMENTS}
    with connect(server.dsn()) as tool:
        apply.enable(tool, Rule(f"public.{case.subject.name}", DEFAULT, **case.options))
    found = {}
    for statement in STATEMENTS:
        conn.execute("truncate auditctl.event")
        wal = _wal(conn, case.subject, statement, number) - without[statement]
        row = conn.execute(PARTS.encode()).fetchone()
        count = conn.execute("select count(*) from auditctl.event").fetchone()
        if row is None or count != (number,):
            raise RuntimeError(f"{case.title}: {count} events of {number}")
        found[statement] = {
            name: round(size / number, 1)
            for name, size in zip(("table", "indexes", "toast", "wal"), (*row, wal), strict=True)
        }
    return found


def _wal(conn: psycopg.Connection[Any], subject: Subject, statement: str, number: int) -> int:
    """Run the statement for so many rows, one by one, and return how many bytes of WAL came."""
    before = conn.execute("select pg_current_wal_insert_lsn()").fetchone()
    conn.execute(subject.loop(statement, number).encode())
    row = conn.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint", before).fetchone()
    return row[0] if row else 0


def table() -> str:
    """Return the tables for the documentation; empty if it was never measured."""
    sizes: dict[str, dict[str, dict[str, float]]] = results.read("storage").get("bytes_per_event", {})
    if not sizes:
        return ""
    rows = [
        [title, statement, *(f"{size:,.0f}" for size in (_total(parts), *parts.values()))]
        for title, statements in sizes.items()
        for statement, parts in statements.items()
    ]
    head = ["the table", "statement", "bytes an event", "table", "indexes", "TOAST", "WAL"]
    months = [
        [f"{number:,}", *(_gigabytes(sizes["17 columns"][statement], number) for statement in STATEMENTS)]
        for number in PER_DAY
    ]
    return (
        f"{grid(head, rows)}\nGigabytes a month of {DAYS} days, for the table of 17 columns:\n\n"
        f"{grid(['events a day', *STATEMENTS], months)}"
    )


def _total(parts: dict[str, float]) -> float:
    return parts["table"] + parts["indexes"] + parts["toast"]


def _gigabytes(parts: dict[str, float], number: int) -> str:
    return f"{_total(parts) * number * DAYS / 1e9:,.1f}"

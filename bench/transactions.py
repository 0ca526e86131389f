"""What the first page of transactions takes, in a log of ten million events with some large ones, rare, old and new.

The queries are timed by the database's clock.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL

from auditctl import database
from auditctl.database import Connection
from auditctl.demo.server import EmbeddedServer
from auditctl.log.by_transaction import reader
from auditctl.log.filters import Filters
from auditctl.web.render import event_rows
from bench import measure, results, webbed
from bench.markdown import grid

EVENTS, QUICK_EVENTS = 10_000_000, 300_000
ROUNDS, QUICK_ROUNDS = 5, 1

SIZES: LiteralString = """
    (case
        when i %% 100000 < 1500 then 1000 + i / 100000 * 100000 / 3
        when i > 1000000 and i <= 1010000 then 1000 + 1000000 / 3
        when i %% 5000 < 120 then 1000 + i / 5000 * 5000 / 3
        else 1000 + i / 3
    end)::text::xid8
"""
"""Transactions of three events; of 120 in each 5,000, of 1,500 in each 100,000, and an old one of 10,000."""

COUNTED: LiteralString = """
    insert into auditctl.transaction_count (counted_before, system_identifier, database)
    select (1000 + %s / 3)::text::xid8, c.system_identifier, d.oid
    from pg_control_system() as c
    join pg_database as d on d.datname = current_database()
    on conflict (singleton) do update set counted_before = excluded.counted_before
"""
"""All numbers but the last are below those of running transactions, as in a cluster that has used them."""

CASES: Mapping[str, tuple[int, Mapping[str, list[str]]]] = {
    "every transaction": (1, {}),
    "2 events or more": (2, {}),
    "100 events or more": (100, {}),
    "1,000 events or more": (1000, {}),
    "5,000 events or more, one, old": (5000, {}),
    "1,000,000 events or more, none": (1_000_000, {}),
    "1,000 or more, of one day": (1000, {"since": ["1d"]}),
    "1,000 or more, old": (1000, {"until": ["2026-01-01"]}),
    "1,000 or more, common target": (1000, {"target": ["shop.table_0"]}),
    "100 or more, common user": (100, {"user": ["user0"]}),
    "100 or more, rare user": (100, {"user": ["visitor"]}),
    "every one, common user": (1, {"user": ["user0"]}),
    "every one, rare user": (1, {"user": ["visitor"]}),
    "every one, common target": (1, {"target": ["shop.table_0"]}),
    "every one, deletes": (1, {"action": ["delete"]}),
}
"""The least number of events, and the filters."""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Build the log and measure; return milliseconds, and how many seconds upkeep needs to count all of it once."""
    events = QUICK_EVENTS if quick else EVENTS
    dsn = server.dsn()
    webbed.build(dsn, events, timedelta(days=395), transaction=SIZES)
    with psycopg.connect(dsn, autocommit=True) as conn:
        start = time.perf_counter()
        conn.execute("select auditctl_internal.add_large_transactions('true')")
        seconds = time.perf_counter() - start
        conn.execute("select auditctl_internal.summarize()")
        conn.execute(COUNTED, [events])
        conn.execute("vacuum analyze auditctl.large_transaction")
    return {**measured(dsn, QUICK_ROUNDS if quick else ROUNDS), "counted_in_seconds": round(seconds, 1)}


def measured(dsn: str, rounds: int) -> dict[str, Any]:
    """Measure a log that was built; return medians in milliseconds, by case."""
    with database.connect(dsn) as conn:
        (events,) = conn.execute("select count(*) from auditctl.event").fetchone() or (0,)
        samples = measure.samples({case: partial(_page, conn, case) for case in CASES}, rounds)
    return {
        "events": events,
        "rounds": rounds,
        "page": {case: round(statistics.median(some), 1) for case, some in samples.items()},
    }


def _page(conn: Connection, case: str) -> float:
    least, texts = CASES[case]
    start = _clock(conn)
    predicates = Filters.parse(texts).resolve(conn).predicates()
    reader.read(conn, predicates, event_rows.row_columns(), least=least)
    return _clock(conn) - start


def _clock(conn: Connection) -> float:
    """Return the server's time, in milliseconds."""
    row = conn.execute(SQL("select extract(epoch from clock_timestamp())::float8 * 1000")).fetchone()
    return 0.0 if row is None else float(row[0])


def table() -> str:
    """Return the part of docs/performance.md; empty where it was never measured."""
    measured = results.read("transactions")
    if not measured:
        return ""
    rows = [[case, f"{milliseconds:.0f}"] for case, milliseconds in measured["page"].items()]
    return (
        f"The first 50 transactions of a log of {measured['events']:,}, by how many selected events each has:\n\n"
        f"{grid(['milliseconds', 'page'], rows)}\n"
        f"Upkeep counts the whole log once, in {measured['counted_in_seconds']:.0f} seconds, and then what is new.\n"
    )

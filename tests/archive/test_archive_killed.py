"""An archiver that is killed, beside writers, holds and upkeep: each event is there exactly once at each moment."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, LiteralString

import duckdb
import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.archiving import cold, fill, fill_own, names, own
from tests.support.killing import count_calls, run_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

db_template = begin_with(audited("create table note (id bigint generated always as identity)", "note"))

HOLD: LiteralString = "select auditctl.release_hold(auditctl.place_hold('shop.item', '7', 'case 1'), 'closed')"
HOT: LiteralString = """
    select event_id, new_values::text from auditctl.event
     where target = 'shop.item' or target in ('auditctl.lookup', 'auditctl.hold') and occurred_at < '2021-01-01'
"""
COLD = "select event_id, new_values from read_parquet('{}') where target in ('shop.item', 'auditctl.lookup')"
KILLS, WRITERS, EVENTS = 10, 8, 30
MONTHS = [f"{year}-{month:02}" for year in (2019, 2020) for month in range(1, 9)]


def counted(dsn: str, folder: Path) -> Counter[tuple[int, str]]:
    """How often each event of the old months is in the table or in files whose months are dropped, at one moment."""
    with connect(dsn) as conn:
        conn.execute("begin isolation level repeatable read")
        conn.execute("lock table auditctl.event in access share mode")
        dropped = conn.execute(
            "select month from auditctl.archived_month where dropped_at is not null and ended_at is null"
        ).fetchall()
        found = Counter(conn.execute(HOT).fetchall())
        conn.execute("commit")
    with duckdb.connect() as engine:
        for (month,) in dropped:
            files = f"{folder}/*/month={month}/part-*.parquet"
            query = COLD.format(files)
            found.update(Counter(engine.sql(query).fetchall()))
    return found


def write(db: str, stop: Event) -> int:
    """Write to an audited table; returns how often."""
    written = 0
    with connect(db) as session:
        while not stop.is_set():
            session.execute("insert into note default values")
            written += 1
    return written


def repeat(db: str, stop: Event, statement: LiteralString) -> int:
    """Execute a statement again and again, whatever locks it meets."""
    done = 0
    with connect(db) as session:
        while not stop.is_set():
            with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.SerializationFailure):
                session.execute(statement)
                done += 1
    return done


def watch(db: str, stop: Event, folder: Path, every: Counter[tuple[int, str]]) -> int:
    """Count the events at many moments; returns at how many."""
    moments = 0
    while not stop.is_set():
        assert counted(db, folder) == every
        moments += 1
    return moments


def test_an_archiver_that_is_killed_ten_times_loses_and_doubles_nothing(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder, draw, stop = tmp_path / "cold", random.Random(18), Event()
    fill(conn, *MONTHS, count=EVENTS)
    for month in MONTHS:
        fill_own(conn, month, "auditctl.lookup", "auditctl.hold")
    every = counted(db, folder)
    assert (len(every), set(every.values())) == ((EVENTS + 2) * len(MONTHS), {1})
    with ThreadPoolExecutor(WRITERS + 3) as pool:
        writers = [pool.submit(write, db, stop) for _ in range(WRITERS)]
        others = [pool.submit(repeat, db, stop, statement) for statement in (HOLD, "select auditctl.maintain_step()")]
        others.append(pool.submit(watch, db, stop, folder, every))
        try:
            calls = count_calls(db, "archive", "--to", folder, "--before", MONTHS[1])
            points = [draw.randrange(1, 2 * calls) for _ in range(KILLS)]
            assert [run_until(point, db, "archive", "--to", folder) for point in points] == [-9] * KILLS
            assert counted(db, folder) == every
        finally:
            stop.set()
        written = sum(writer.result() for writer in writers)
        assert all(other.result() for other in others)
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    assert counted(db, folder) == every
    assert len(cold(folder)) == EVENTS * len(MONTHS)
    assert [len(own(conn, month)) for month in MONTHS] == [1] * len(MONTHS)
    assert {name.rpartition("/")[2] for name in names(folder)} == {"_manifest.json", "part-0001.parquet"}
    assert conn.execute("select count(*) from auditctl.event where target = 'public.note'").fetchone() == (written,)
    assert conn.execute("select count(*) from note").fetchone() == (written,)

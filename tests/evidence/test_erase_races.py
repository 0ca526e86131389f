"""Erasures beside sealing, upkeep and holds: each waits for the other, and none works on what is gone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl.evidence.sealer import SealingBusy
from tests.evidence.test_erase_sealed import write
from tests.fixtures.databases import connect
from tests.support.leaves import verify
from tests.support.recorded import Recorded
from tests.support.retaining import fill, upkeep
from tests.support.sealing import make_keys, sealer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ERASE = "select auditctl.erase_events(%s, '{}', 'r')"


def blocked(conn: psycopg.Connection, work: Callable[[], Any]) -> threading.Thread:
    """Start work in a thread, and wait until it waits for a lock."""
    thread = threading.Thread(target=work)
    thread.start()
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while conn.execute(query).fetchone() == (0,):
        assert thread.is_alive()
    return thread


def test_what_was_erased_as_sealing_began_is_not_sealed_as_it_was(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    numbers = write(conn, Recorded())
    with sealer(db, make_keys(tmp_path)) as one:
        one.reader.execute("alter function auditctl.begin_sealing() set lock_timeout = '60s'")
        errors: list[BaseException] = []

        def work() -> None:
            try:
                list(one.run())
            except SealingBusy as error:
                errors.append(error)

        with connect(db) as other, other.transaction():
            other.execute(ERASE, [numbers])
            thread = blocked(conn, work)
        thread.join()
        assert len(errors) == 1
        assert len(list(one.run())) == 1
    assert verify(conn) == []


def test_a_hold_that_is_placed_meanwhile_waits_or_is_seen(db: str, conn: psycopg.Connection) -> None:
    numbers = write(conn, Recorded())
    place = "select auditctl.place_hold('billing.customer', null, 'case')"
    with connect(db) as other:
        with other.transaction():
            other.execute(place)
            refused: list[BaseException] = []

            def erase() -> None:
                with connect(db) as session:
                    try:
                        session.execute(ERASE, [numbers])
                    except psycopg.Error as error:
                        refused.append(error)

            thread = blocked(conn, erase)
        thread.join()
        assert [str(error).splitlines()[0] for error in refused] == [f"event {numbers[0]} is under hold 1"]


def test_an_event_that_is_being_moved_is_erased_in_its_copy_too(db: str, conn: psycopg.Connection) -> None:
    fill(conn, "2020-01-01", "a", 3)
    numbers = [row[0] for row in conn.execute("select event_id from auditctl.event where target = 'a'").fetchall()]
    for _ in range(2):  # begun, and copied
        conn.execute("select auditctl.maintain_step()")
    assert conn.execute("select count(*) from auditctl.event_moving").fetchone() == (3,)
    conn.execute(ERASE, [numbers[:2]])
    upkeep(db)
    rows = conn.execute("select new_values ? 'n' from only auditctl.event_2020_01 order by event_id").fetchall()
    assert rows == [(False,), (False,), (True,)]


def test_an_erasure_under_another_isolation_level_is_refused(conn: psycopg.Connection) -> None:
    numbers = write(conn, Recorded())
    with conn.transaction(), pytest.raises(psycopg.errors.FeatureNotSupported):
        conn.execute("set transaction isolation level repeatable read")
        conn.execute(ERASE, [numbers])

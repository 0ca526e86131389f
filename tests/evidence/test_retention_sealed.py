"""Retention of a sealed log: what goes is announced, and what stays is still proved."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.support.leaves import read_blocks, root, seal, verify
from tests.support.retaining import LONG_AGO, fill, hold, keep, months, upkeep

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow


@pytest.fixture
def log(conn: psycopg.Connection) -> psycopg.Connection:
    """Two months that are over, sealed in three blocks, of which one has events of both."""
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-01", "a", 20)
    fill(conn, "2020-01-05", "b", 20)
    seal(conn)
    fill(conn, "2020-01-20", "a", 20)
    fill(conn, "2020-02-01", "a", 20)
    seal(conn)
    fill(conn, "2020-02-05", "b", 40)
    seal(conn)
    assert verify(conn) == []
    return conn


def announced(conn: psycopg.Connection) -> list[tuple[int, int, bool]]:
    """How many sealed events and blocks each run announces, and whether its digest fits."""
    found = []
    for event_id, sealed in conn.execute(
        "select event_id, new_values -> 'sealed' from auditctl.event where new_values ->> 'step' = 'expire' order by 1"
    ).fetchall():
        rows = conn.execute(
            "select block, leaves from auditctl.pruned where announced_in = %s order by block", [event_id]
        ).fetchall()
        data = b"".join(
            b"%b%b%b" % (block.to_bytes(8), (-1 if bits is None else len(bits)).to_bytes(4, signed=True), bits or b"")
            for block, bits in rows
        )
        found.append((sealed["events"], len(rows), sealed["digest"] == sha256(data).hexdigest()))
    return found


def expire(db: str, conn: psycopg.Connection) -> None:
    conn.execute(LONG_AGO)
    upkeep(db)


def test_what_retention_deletes_is_announced_and_the_rest_is_proved(db: str, log: psycopg.Connection) -> None:
    before = root(log)
    keep(log, "*", "400 days")
    keep(log, "b", "forever")
    hold(log, "a", "3")
    expire(db, log)
    assert announced(log) == [(38, 2, True), (19, 1, True)]
    assert verify(log) == []
    assert root(log) == before
    keep(log, "b", None)
    expire(db, log)
    assert announced(log)[2:] == [(20, 1, True), (40, 1, True)]
    assert verify(log) == []
    assert root(log) == before
    log.execute("select auditctl.release_hold(1, 'over')")
    expire(db, log)
    assert verify(log) == []
    assert root(log) == before
    for _, _, events, _, _, secret, salts, hashes, _, checks in read_blocks(log)[:3]:
        is_whole = (secret, salts, checks) == (None, None, None)
        assert is_whole or events > 40  # the first has events of auditctl itself
        assert len(hashes) < 32 * events
    seal(log)
    assert verify(log) == []


def test_an_unannounced_drop_is_still_found(db: str, log: psycopg.Connection) -> None:
    keep(log, "*", "400 days")
    keep(log, "b", "forever")
    expire(db, log)
    log.execute("set session_replication_role = replica; drop table auditctl.event_2020_02 cascade")
    assert [number for number, why in verify(log) if "leaves" in why] == [3]


def test_a_month_that_is_emptied_because_it_is_in_use_is_announced_too(db: str, log: psycopg.Connection) -> None:
    before = root(log)
    keep(log, "*", "400 days")
    log.execute(LONG_AGO)
    with connect(db) as other, other.transaction():
        other.execute("lock table only auditctl.event in row exclusive mode")
        upkeep(db)
    assert log.execute("select count(*) from only auditctl.event_2020_01").fetchone() == (0,)
    assert len(announced(log)) == 2
    assert verify(log) == []
    assert root(log) == before


def test_events_that_were_not_sealed_are_only_announced(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-01", "a", 20)
    seal(conn)
    fill(conn, "2020-01-05", "a", 20)
    keep(conn, "*", "400 days")
    expire(db, conn)
    assert announced(conn) == [(20, 1, True)]
    seal(conn)
    assert verify(conn) == []


def test_a_move_out_of_the_default_partition_changes_nothing(db: str, conn: psycopg.Connection) -> None:
    fill(conn, "2020-01-01", "a", 20)
    seal(conn)
    before = root(conn)
    upkeep(db)
    assert conn.execute("select count(*) from only auditctl.event_2020_01").fetchone() == (20,)
    assert verify(conn) == []
    assert root(conn) == before


def test_what_was_erased_can_expire(db: str, log: psycopg.Connection) -> None:
    rows = log.execute("select event_id from auditctl.event where target = 'a' order by 1 limit 3").fetchall()
    log.execute("select auditctl.erase_events(%s, '{}', 'r')", [[number for (number,) in rows]])
    assert verify(log) == []
    before = root(log)
    keep(log, "*", "400 days")
    keep(log, "b", "forever")
    expire(db, log)
    assert verify(log) == []
    assert root(log) == before
    assert log.execute("select count(*) from auditctl.erasure").fetchone() == (0,)

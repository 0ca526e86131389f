"""What erasures and retention remove from a sealed log is no finding of verification; anything else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.evidence import verifier
from tests.support.retaining import LONG_AGO, fill, hold, keep, months, upkeep
from tests.support.sealing import make_keys, seal

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow


def findings(db: str) -> tuple[list[str], int, int]:
    """What verification finds, and how many events were erased, and deleted by retention."""
    with database.connect_store(db) as conn:
        report = verifier.verify(conn, verifier.Choice(), lambda _events, _where: None)
    return [finding.sentence for finding in report.findings], report.erased, report.pruned


def test_a_log_verifies_after_erasures_and_retention(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-01", "a", 20)
    fill(conn, "2020-01-05", "b", 20)
    keep(conn, "*", "400 days")
    keep(conn, "b", "forever")
    hold(conn, "a", "3")
    conn.execute(LONG_AGO)
    seal(db, keys)
    fill(conn, "2020-02-01", "a", 20)
    seal(db, keys)
    rows = conn.execute("select event_id from auditctl.event where target = 'b' order by 1").fetchall()
    conn.execute("select auditctl.erase_events(%s, '{n}', 'r')", [[number for (number,) in rows[:3]]])
    assert findings(db) == ([], 3, 0)
    seal(db, keys)
    upkeep(db)
    assert findings(db) == ([], 3, 38)
    seal(db, keys)
    assert findings(db) == ([], 3, 38)
    conn.execute("alter table auditctl.event disable trigger user")
    conn.execute("update auditctl.event set new_values = '{\"n\": 1}' where event_id = %s", rows[1])
    conn.execute("update auditctl.event set actor = 'eve' where event_id = %s", rows[5])
    found, _, _ = findings(db)
    assert all(any(str(number) in sentence for sentence in found) for (number,) in (rows[1], rows[5]))

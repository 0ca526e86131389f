"""A log of which values were erased, and events deleted by retention, verifies; what nothing announces does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.evidence import event_check
from tests.support import sealing
from tests.support.retaining import LONG_AGO, keep, months, upkeep
from tests.support.retaining import fill as fill_months
from tests.support.verifying import DISABLE, Log, fill

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def test_erased_values_and_deleted_months_are_notes_and_what_else_changes_is_found(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-01-01", "2020-02-01")
    fill(db)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    fill_months(conn, "2020-01-01", "a", 20)
    fill_months(conn, "2020-01-05", "b", 20)
    conn.execute("insert into item select n, 'secret' from generate_series(1, 20) as n")
    log.seal()
    erased = log.event(4)
    conn.execute("select auditctl.erase_events(%s, '{v}', 'request 31')", [[erased]])
    conn.execute("select auditctl.erase_events(%s, '{}', 'request 32')", [[log.event(6)]])
    document = log.verify(check=0)
    assert (document["erased"], document["pruned"]) == (2, 0)
    assert any("request 31" in sentence for sentence in document["notes"])
    keep(conn, "*", "400 days")
    keep(conn, "b", "forever")
    log.seal()
    conn.execute(LONG_AGO)
    upkeep(db)
    log.seal()
    document = log.verify()
    assert (document["erased"], document["pruned"]) == (2, 20)
    # keep and LONG_AGO switch guards off to set times in the past.
    others = [f for f in document["findings"] if " on auditctl.retention:" not in f["sentence"]]
    assert [f for f in others if " on auditctl.hold:" not in f["sentence"]] == []
    file = tmp_path / "erased.tlog-proof"
    auditctl("prove", str(erased), "--output", file, check=0)
    assert "new_values: (erased)" in auditctl("verify-proof", file, "--key", f"{log.keys.keys.path}.pub", check=0).out
    conn.execute(DISABLE)
    conn.execute("update auditctl.event set new_values = '{\"id\": 9}' where event_id = %s", [erased])
    conn.execute("update auditctl.event set action = 'TRUNCATE' where event_id = %s", [log.event(9)])
    conn.execute("delete from auditctl.event where event_id = %s", [gone := log.event(12)])
    assert sorted(log.found()) == sorted(
        [("altered", erased, "new_values", 1), ("altered", log.event(9), "action", 1), ("missing", gone, None, 1)]
    )
    conn.execute("update auditctl.pruned set leaves = null where block = 1")
    assert any(kind == "pruned_unannounced" for kind, *_ in log.found())


def test_an_event_behind_more_deleted_ones_than_are_searched_at_once_is_found(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_check, "_AHEAD", 5)
    months(conn, "2020-01-01", "2020-01-01")
    fill(db)
    fill_months(conn, "2020-01-01", "a", 20)
    fill_months(conn, "2020-01-05", "b", 20)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    keep(conn, "*", "400 days")
    keep(conn, "b", "forever")
    log.seal()
    conn.execute(LONG_AGO)
    upkeep(db)
    log.seal()
    assert log.verify()["pruned"] == 20
    assert [one for one in log.found() if one[0] == "altered"] == []

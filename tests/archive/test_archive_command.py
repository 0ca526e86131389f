"""`auditctl archive`, and what maintain drops then: every event is in the table or in the files, and in one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.archiving import cold, fill, hot, month_folder, names, recorded
from tests.support.retaining import partitions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cold"


def test_months_are_archived_and_then_dropped_by_maintain(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    fill(conn, "2020-01", "2020-02")
    before = hot(conn)
    admin = login("admin", roles=["auditctl_admin"])
    done = auditctl("archive", "--to", folder, dsn=admin.dsn, check=0)
    assert [line.split(", ")[0] for line in done.out.splitlines()] == [
        f"2020-0{month}: 20 events in 1 file" for month in (1, 2)
    ]
    assert done.err == "hint: To drop archived months from the database: auditctl maintain\n"
    assert hot(conn) == cold(folder) == before
    assert names(month_folder(conn, folder)) == ["_manifest.json", "part-0001.parquet"]
    assert json.loads(auditctl("maintain", "--dry-run", "--format", "json", check=0).out)[0] == {
        "step": "archive", "partition": "auditctl.event_2020_01", "dropped": 20, "kept": 0,
        "reason": f"It was archived to {folder}.",
    }  # fmt: skip
    assert auditctl("maintain", dsn=admin.dsn, check=0).out.splitlines() == [
        f"auditctl.event_2020_0{month}: 20 events dropped, which are in {folder}." for month in (1, 2)
    ]
    assert (hot(conn), cold(folder)) == ([], before)
    assert recorded(conn) == [("2020-01", 20, True, False), ("2020-02", 20, True, False)]
    assert not [name for name in partitions(conn) if "2020" in name]
    assert "2020" not in auditctl("doctor").out
    assert auditctl("archive", dsn=admin.dsn, check=0).err == "Nothing to archive.\n"


def test_what_was_archived_is_an_event_of_its_own(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    (done,) = json.loads(auditctl("archive", "--to", folder, "--format", "json", check=0).out)
    manifest = json.loads((month_folder(conn, folder) / "_manifest.json").read_bytes())
    assert conn.execute(
        "select event_id, target_id, action::text, new_values, context ->> 'summary' from auditctl.event "
        "where target = 'auditctl.archive'"
    ).fetchall() == [
        (
            done["event_id"], "2020-01", "EVENT",
            {
                "month": "2020-01", "rows": 20, "location": str(folder), "database": conn.info.dbname,
                "manifest": manifest["sha256"], "content": manifest["content"],
            },
            "month archived",
        )
    ]  # fmt: skip
    assert (manifest["rows"], done["manifest"], manifest["evidence"]) == (20, manifest["sha256"], None)


def test_only_months_that_are_over_and_old_enough_are_archived(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    fill(conn, "2020-01", "2020-02", "2020-03")
    reader = login("reader", roles=["auditctl_reader"])

    def due(*args: str) -> list[str]:
        done = auditctl("archive", "--to", folder, "--dry-run", "--format", "json", *args, dsn=reader.dsn, check=0)
        return [one["month"] for one in json.loads(done.out)]

    assert due() == ["2020-01", "2020-02", "2020-03"]
    assert due("--before", "2020-03-01") == due("--before", "2020-03") == ["2020-01", "2020-02"]
    assert due("--before", "2020-02-29") == ["2020-01"]
    assert due("--keep-hot", "3 years") == ["2020-01", "2020-02", "2020-03"]
    assert due("--keep-hot", "100 years") == []
    assert not folder.exists()
    for words in (("--before", "soon"), ("--keep-hot", "x"), ("--keep-hot", "forever"), ("--to", "")):
        auditctl("archive", "--to", folder, *words, check=2)
    assert "--to must say where" in auditctl("archive", check=2).err


def test_a_reader_archives_nothing(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    fill(conn, "2020-01")
    reader = login("reader", roles=["auditctl_reader"])
    denied = auditctl("archive", "--to", folder, dsn=reader.dsn, check=5)
    assert denied.err == (
        "error: permission denied for function begin_archiving\n"
        f"hint: Ask the DBA for: auditctl grant admin {reader.name}\n"
    )
    assert not folder.exists()


def test_a_month_that_a_transaction_may_write_to_waits_for_the_next_run(
    db: str, conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    fill(conn, "2020-01", "2020-02", "2020-03")
    admin = login("admin", roles=["auditctl_admin"])
    conn.execute("alter function auditctl_internal.still_month set lock_timeout = '50ms'")
    with connect(db) as writer, writer.transaction():
        pid = writer.info.backend_pid
        writer.execute("lock table only auditctl.event_2020_01 in row exclusive mode")
        conn.execute("begin; lock table only auditctl.event_2020_03 in row exclusive mode; prepare transaction 'p'")
        try:
            left = auditctl("archive", "--to", folder, dsn=admin.dsn, check=5)
        finally:
            conn.execute("rollback prepared 'p'")
    assert left.out.startswith("2020-02: 20 events")
    assert "(prepared transaction 'p' of login postgres)" in left.err
    assert f"(process {pid} of login" in left.err
    assert [row[0] for row in recorded(conn)] == ["2020-02"]
    auditctl("archive", "--to", folder, dsn=admin.dsn, check=0)
    assert cold(folder) == hot(conn)


def test_a_month_that_changed_since_it_was_archived_stays_and_is_archived_again(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    fill(conn, "2020-01", count=1)
    assert (
        auditctl("maintain", check=0).out == "auditctl.event_2020_01: changed since it was archived; 21 events kept.\n"
    )
    assert (len(hot(conn)), recorded(conn)) == (21, [("2020-01", 20, False, True)])
    assert auditctl("archive", check=0).out.startswith("2020-01: 21 events")
    assert cold(folder) == hot(conn)
    auditctl("maintain", check=0)
    assert (len(cold(folder)), hot(conn)) == (21, [])


def test_events_that_come_after_their_month_was_dropped_are_not_taken_for_it(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    fill(conn, "2020-01", count=2)
    late = auditctl("archive", check=5)
    assert "came after the month was archived and dropped" in late.err
    assert "restore-archive 2020-01" in late.err
    assert auditctl("maintain", check=0).err == "Nothing to do.\n"
    assert (len(hot(conn)), len(cold(folder))) == (2, 20)


def test_one_archiver_runs_at_a_time(db: str, conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01")
    with connect(db) as other, other.transaction():
        assert other.execute("select auditctl.begin_archiving()").fetchone() == (None,)
        busy = auditctl("archive", "--to", folder, check=5)
        assert f"another auditctl archive is running: process {other.info.backend_pid} " in busy.err
    assert not folder.exists()


def test_what_was_archived_stays_on_record(conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    for statement in (
        "delete from auditctl.archived_month", "truncate auditctl.archived_month",
        "update auditctl.archived_month set location = 'x'",
    ):  # fmt: skip
        with pytest.raises(psycopg.Error, match="stays on record") as refused:
            conn.execute(statement)
        assert refused.value.sqlstate == "UA001"


def test_key_changes_of_a_dropped_month_are_kept(conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01", count=1)
    conn.execute("""
        insert into auditctl.key_change (event_id, occurred_at, target, previous_target_id, target_id)
        select event_id, occurred_at, target, '0', target_id from auditctl.event where target = 'shop.item'
    """)
    conn.execute("select auditctl.set_retention('*', '1 year'), auditctl.set_retention('shop.item', 'forever')")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    assert hot(conn) == []
    conn.execute("select auditctl_internal.prune_key_changes()")
    assert conn.execute("select count(*) from auditctl.key_change").fetchone() == (1,)

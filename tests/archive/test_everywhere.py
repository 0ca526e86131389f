"""The log together with its archived months: each event once, in one order, also while a month is on its way."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import database
from auditctl.archive import engines, everywhere
from auditctl.archive.search import Search
from auditctl.log.selection import Order, Selection
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import archive_month, drop_archived, move_month
from tests.support.archiving import fill_own
from tests.support.dumps import require_programs
from tests.support.recorded import START, Recorded, ids, label, record, switch_lookups_off
from tests.support.standby import Standby

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from psycopg.sql import Composable

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow


def prepare(dsn: str) -> None:
    """An object whose key changes in March and in April, with others, over four months that have partitions."""
    with connect(dsn) as conn:
        switch_lookups_off(conn)
        label(conn, "billing.customer", "Customer")
        for month in (3, 4, 5, 6):
            conn.execute("select auditctl_internal.create_partition(%s)", [f"2026-0{month}-01"])
            start = START.replace(month=month)
            moved = f'{{"previous_target_id": "{month - 3}"}}'
            record(
                conn,
                Recorded(at=start, target_id=str(month - 3), action="CREATE" if month == 3 else "UPDATE"),
                Recorded(at=start + timedelta(hours=1), target_id=str(month - 2), context=moved if month < 5 else None),
                Recorded(at=start + timedelta(hours=1), target_id="other"),
                Recorded(at=start + timedelta(hours=2), target="billing.invoice"),
                *([Recorded(at=start + timedelta(hours=3), target="old.note", target_id="9")] if month == 4 else []),
            )


db_template = begin_with(prepare)


def dropped(conn: psycopg.Connection, folder: Path, *months: str) -> None:
    for month in months:
        move_month(conn, folder, month)


def test_what_commands_print_does_not_change_as_months_are_dropped(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    commands: list[tuple[str, ...]] = [
        ("log", "--until", "2026-07-01", "--format", "csv"),
        ("log", "--until", "2026-07-01", "--target", "Customer", "--id", "1"),
        ("history", "Customer", "2", "--format", "csv"), ("history", "Customer", "0", "--order", "desc"),
        ("export", "--until", "2026-07-01", "--format", "csv"),
        ("export", "--until", "2026-07-01", "--format", "jsonl", "--order", "desc"),
        ("log", "--until", "2026-07-01", "--target", "old.note"), ("log", "--until", "2026-07-01", "--id", "9"),
        ("show", "6", "--format", "json"), ("show", "14", "--format", "json"),
    ]  # fmt: skip
    before = [auditctl(*command, check=0).out for command in commands]
    assert before[2].count("\n") == 6
    # Nothing is archived yet, and then the middle months are.
    assert [auditctl(*command, "--everywhere", check=0).out for command in commands] == before
    dropped(conn, tmp_path / "archive", "2026-04", "2026-05")
    assert [auditctl(*command, "--everywhere", check=0).out for command in commands] == before
    (tmp_path / "archive").rename(tmp_path / "moved")
    moved = ("--everywhere", "--archive", str(tmp_path / "moved"))
    assert [auditctl(*command, *moved, check=0).out for command in commands] == before
    lost = auditctl(*commands[0], "--everywhere", check=3)
    assert "month=2026-04/_manifest.json is missing" in lost.err
    assert "--archive PATH --everywhere" in lost.err


def test_pages_of_seven_cross_from_the_table_to_the_files(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    whole = ids(auditctl("log", "--until", "2026-07-01", "--format", "jsonl", check=0).out)
    dropped(conn, tmp_path / "archive", "2026-03", "2026-05")
    read: list[int] = []
    after: list[str] = []
    while True:
        page = auditctl(
            "log", "--everywhere", "--until", "2026-07-01", "--limit", "7", "--format", "jsonl", *after, check=0
        )
        read += ids(page.out)
        if "--after" not in page.err:
            break
        after = ["--after", page.err.split("--after ")[1].split()[0]]
    assert read == whole


def test_the_export_is_recorded_as_one_of_everything(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    query = "select min(event_id), max(event_id) from auditctl.event where target not like 'auditctl.%'"
    ends = conn.execute(query).fetchone() or ()
    dropped(conn, tmp_path / "archive", "2026-03")
    auditctl("export", "--everywhere", "--until", "2026-07-01", "--output", "all.csv", check=0)
    begin, end = (
        row[0]
        for row in conn.execute(
            "select new_values from auditctl.event where target = 'auditctl.export' order by event_id"
        ).fetchall()
    )
    assert begin["everywhere"] is True
    assert (end["rows"], end["first_event_id"], end["last_event_id"]) == (17, *ends)


def test_a_reader_of_the_log_reads_everywhere(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path, login: MakeLogin
) -> None:
    dropped(conn, tmp_path / "archive", "2026-03")
    dsn = login("auditor", roles=["auditctl_reader"]).dsn
    assert (
        len(ids(auditctl("log", "--everywhere", "--format", "jsonl", "--until", "2026-07-01", dsn=dsn, check=0).out))
        == 17
    )


def test_another_manifest_than_the_log_names_is_refused(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    dropped(conn, tmp_path / "archive", "2026-03")
    record(conn, Recorded(at=START))
    for file in (tmp_path / "archive/database=shop/month=2026-03").iterdir():
        file.unlink()
    archive_month(conn, tmp_path / "archive", "2026-03")
    failed = auditctl("log", "--everywhere", check=3)
    assert "month=2026-03/_manifest.json was altered: it is not the one that the log names" in failed.err


def numbers(conn: database.Connection, folder: Path, during: Callable[[], None] = lambda: None) -> list[int]:
    """The numbers of all events of customers and invoices, oldest first."""
    from psycopg.sql import SQL

    projection: Composable = SQL("event_id::text")
    with everywhere.snapshot(conn, str(folder)) as months, engines.session() as engine:
        during()
        page = everywhere.MergedPage(
            conn, Selection((), Order.ASC), (), projection, Search(months, engine), lambda texts: (texts["event_id"],)
        )
        return [int(number or 0) for (number,) in page]


def test_a_month_is_not_dropped_while_it_is_read(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    expected = [row[0] for row in conn.execute("select event_id from auditctl.event order by occurred_at, event_id")]

    def drop() -> None:
        with connect(db) as other:
            other.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                dropped(other, tmp_path, "2026-04")

    with database.connect(db) as reader:
        assert numbers(reader, tmp_path, drop) == expected


def test_a_reader_that_waits_for_a_drop_reads_the_files(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    expected = [row[0] for row in conn.execute("select event_id from auditctl.event order by occurred_at, event_id")]
    made = archive_month(conn, tmp_path, "2026-04")
    found: list[list[int]] = []

    def read() -> None:
        with database.connect(db) as reader:
            found.append(numbers(reader, tmp_path))

    thread = threading.Thread(target=read)
    with conn.transaction():
        drop_archived(conn, tmp_path, made)
        thread.start()
        with connect(db) as other:
            while other.execute("select count(*) from pg_locks where not granted").fetchone() == (0,):
                pass
    thread.join()
    assert found == [expected]


def test_a_reader_that_waits_for_upkeep_reads_what_stays_once(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill_own(conn, "2026-04", "auditctl.hold", "auditctl.lookup")
    expected = [row[0] for row in conn.execute("select event_id from auditctl.event order by occurred_at, event_id")]
    auditctl("archive", "--to", tmp_path, check=0)
    found: list[list[int]] = []

    def read() -> None:
        with database.connect(db) as reader:
            found.append(numbers(reader, tmp_path))

    thread = threading.Thread(target=read)
    with conn.transaction():
        while conn.execute("select auditctl.maintain_step()").fetchone() != (None,):
            pass
        thread.start()
        with connect(db) as other:
            while other.execute("select count(*) from pg_locks where not granted").fetchone() == (0,):
                pass
    thread.join()
    (left,) = conn.execute("select count(*) from auditctl.event where occurred_at < '2026-07-01'").fetchone() or ()
    assert left == 1
    assert [number for number in found[0] if number <= max(expected)] == expected


@pytest.mark.slow  # needs a standby server
def test_a_standby_reads_everywhere(
    server: EmbeddedServer, auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    require_programs(server, "pg_basebackup")
    dropped(conn, tmp_path / "archive", "2026-03")
    with Standby(server) as standby:
        there = standby.dsn(conn.info.dbname)
        options = ("--everywhere", "--format", "jsonl", "--until", "2026-07-01")
        assert len(ids(auditctl("log", *options, dsn=there, check=0).out)) == 17
        exported = auditctl("export", *options, dsn=there, check=0)
        assert len(ids(exported.out)) == 17
        assert "is not recorded in the log" in exported.err

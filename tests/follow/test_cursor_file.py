"""`auditctl follow --cursor FILE`: the place in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.errors import UsageError
from auditctl.log.consumers import CursorFile, Subscription
from auditctl.log.follow import Place
from auditctl.log.snapshot import Snapshot
from tests.fixtures.templates import begin_with
from tests.follow.test_follow import ONCE, TABLES_AUDITED, go_on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

db_template = begin_with(TABLES_AUDITED)


def test_cursor_file_goes_on_as_a_consumer_does(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    cursor = tmp_path / "here.cursor"
    conn.execute("insert into note values (1)")
    assert go_on(auditctl, "--cursor", cursor) == ["1"]
    conn.execute("insert into note values (2)")
    before = cursor.read_text()
    assert go_on(auditctl, "--cursor", cursor) == ["2"]
    cursor.write_text(before)
    assert go_on(auditctl, "--cursor", cursor) == ["2"]
    assert go_on(auditctl, "--cursor", cursor) == []
    assert [name.name for name in tmp_path.iterdir()] == ["here.cursor"]


NO_CURSORS = (
    "", "{", "[]", '"x"', "{}", '{"auditctl_follow": 2}', "1/2/3:4:", "\x00", "[" * 100_000,
    '{"auditctl_follow": 1, "format": "jsonl", "filters": {}, "snapshot": "x", "goal": null, "after": null, '
    '"taken_at": null}',
    '{"auditctl_follow": 1, "format": "jsonl", "filters": {}, "snapshot": 3, "goal": null, "after": null, '
    '"taken_at": null}',
    '{"auditctl_follow": [], "format": "jsonl", "filters": {}}',
)  # fmt: skip


def test_cut_or_foreign_cursor_file_is_refused(auditctl: RunAuditctl, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    for text in NO_CURSORS:
        cursor.write_text(text)
        refused = auditctl("follow", "--once", "--cursor", cursor, check=2)
        assert refused.out == ""
        assert "is not a cursor of auditctl follow, or not whole\nhint: To begin again, remove" in refused.err
        assert cursor.read_text() == text


def test_second_follower_with_a_cursor_file_is_noticed(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    one, other = CursorFile(str(tmp_path / "cursor")), CursorFile(str(tmp_path / "cursor"))
    for follower in (one, other):
        follower.open(conn, Subscription({}, "jsonl"), Place())
    one.save(conn, Place(Snapshot(1, 1, 5, 5)), 1)
    with pytest.raises(UsageError, match="another follower uses"):
        other.save(conn, Place(), 1)


def test_cursor_file_is_written_once_the_server_has_on_its_disk_what_it_is_about(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path, login: MakeLogin
) -> None:
    reader = login("siem", roles=["auditctl_reader"])
    auditctl(*ONCE, "--cursor", "cursor", cwd=tmp_path, dsn=reader.dsn, check=0)
    conn.execute("begin; set local synchronous_commit = off; insert into note values (1); commit")
    ((end,),) = conn.execute("select pg_current_wal_insert_lsn()::text").fetchall()
    auditctl(*ONCE, "--cursor", "cursor", cwd=tmp_path, dsn=reader.dsn, check=0)
    assert conn.execute("select pg_current_wal_flush_lsn() >= %s::pg_lsn", [end]).fetchone() == (True,)


def test_cursor_file_of_another_timeline_is_warned_of(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    cursor = tmp_path / "cursor"
    auditctl(*ONCE, "--cursor", cursor, check=0)
    cursor.write_text(cursor.read_text().replace('"timeline": 1', '"timeline": 7'))
    assert "warning: the server failed over, or was set back" in auditctl(*ONCE, "--cursor", cursor, check=0).err
    assert "warning" not in auditctl(*ONCE, "--cursor", cursor, check=0).err

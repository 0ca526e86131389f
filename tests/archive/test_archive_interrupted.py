"""`auditctl archive` that is killed or stopped, that fails, or that meets what is not its own."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl.archive import month_files, parts
from auditctl.archive.hashed_output import HashedOutput
from tests.support.archiving import cold, fill, hot, month_folder, names, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cold"


def test_an_unfinished_month_is_written_anew_and_a_complete_one_only_recorded(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    with monkeypatch.context() as patch:  # killed while it writes: nothing cleans up
        patch.setattr(month_files.MonthFiles, "commit", lambda *_: 1 / 0)
        patch.setattr(month_files.MonthFiles, "give_up", lambda _: None)
        auditctl("archive", "--to", folder, check=1)
    (month_folder(conn, folder) / ".incomplete-1234-part-0002.parquet").write_bytes(b"half")
    assert names(month_folder(conn, folder))[1:] == ["_attempt.json", "part-0001.parquet"]
    with monkeypatch.context() as patch:  # killed before it is recorded
        patch.setattr(month_files.MonthFiles, "finish", lambda _: 1 / 0)
        patch.setattr(month_files.MonthFiles, "give_up", lambda _: None)
        auditctl("archive", "--to", folder, check=1)
    assert names(month_folder(conn, folder)) == ["_attempt.json", "_manifest.json", "part-0001.parquet"]
    written = (month_folder(conn, folder) / "part-0001.parquet").stat()
    assert auditctl("archive", "--to", folder, check=0).out == "2020-01: recorded; its files were complete.\n"
    assert (month_folder(conn, folder) / "part-0001.parquet").stat() == written
    assert names(month_folder(conn, folder)) == ["_manifest.json", "part-0001.parquet"]
    assert (cold(folder), recorded(conn)) == (hot(conn), [("2020-01", 20, False, False)])


def test_a_complete_month_whose_file_was_altered_is_written_anew(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    with monkeypatch.context() as patch:
        patch.setattr(month_files.MonthFiles, "finish", lambda _: 1 / 0)
        auditctl("archive", "--to", folder, check=1)
    part = month_folder(conn, folder) / "part-0001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert auditctl("archive", "--to", folder, check=0).out.startswith("2020-01: 20 events in 1 file")
    assert cold(folder) == hot(conn)


@pytest.mark.parametrize("name", ["notes.txt", "part-0001.parquet", "_manifest.json", "_attempt.json"])
def test_what_is_not_ours_is_named_and_left_alone(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, name: str
) -> None:
    fill(conn, "2020-01", "2020-02")
    other = month_folder(conn, folder) / name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"{}")
    assert name in (left := auditctl("archive", "--to", folder, check=3)).err
    assert left.out.startswith("2020-02: 20 events")
    assert (names(other.parent), other.read_bytes()) == ([name], b"{}")


def test_the_files_of_another_database_of_that_name_are_left_alone(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    fill(conn, "2020-01", count=1)
    before = {path: path.read_bytes() for path in month_folder(conn, folder).iterdir()}
    monkeypatch.setattr("auditctl.archive.origin.read", lambda _: {"system_identifier": "1", "database_oid": "2"})
    assert "_manifest.json is of another database" in auditctl("archive", "--to", folder, check=3).err
    assert {path: path.read_bytes() for path in month_folder(conn, folder).iterdir()} == before


def test_a_full_disk_leaves_what_was(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    fill(conn, "2020-02", "2020-03", count=100)
    monkeypatch.setattr(parts, "GROUP_ROWS", 50)
    before = names(folder)
    write = HashedOutput.write

    def fill_up(self: HashedOutput, data: bytes) -> int:
        if self.size > 4000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(HashedOutput, "write", fill_up)
    full = auditctl("archive", "--to", folder, check=1)
    assert "No space left on device" in full.err
    assert "hint: Free some space" in full.err
    assert names(folder) == before
    assert len(hot(conn)) == 220


def test_ctrl_c_leaves_nothing_of_a_month(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditctl.archive.known_names.targets", interrupt)
    assert auditctl("archive", "--to", folder, check=130).err == "error: interrupted\n"
    assert names(folder) == []


def test_a_month_that_changes_while_it_is_archived_is_not_recorded(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    commit = month_files.MonthFiles.commit

    def change(self: Any, manifest: Any) -> None:
        fill(conn, "2020-01", count=1)
        commit(self, manifest)

    monkeypatch.setattr(month_files.MonthFiles, "commit", change)
    assert "were added or changed while it was archived" in auditctl("archive", "--to", folder, check=5).err
    assert recorded(conn) == []
    monkeypatch.undo()
    auditctl("archive", "--to", folder, check=0)
    assert cold(folder) == hot(conn)

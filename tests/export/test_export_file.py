"""The file an export writes: it appears when it is complete, and replaces nothing unless asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import output
from auditctl.errors import OutputError, UsageError
from tests.support.recorded import HEADER, Recorded, own_events, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl


def test_file_appears_complete_and_alone(auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path) -> None:
    record(conn, Recorded())
    path = tmp_path / "log.csv"
    result = auditctl("export", "--target", "customer", "--output", path, check=0)
    assert result.out == ""
    assert path.read_text() == auditctl("export", "--target", "customer").out
    assert list(tmp_path.iterdir()) == [path]


def test_file_has_the_mode_of_the_umask(auditctl: RunAuditctl, db: str, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        auditctl("export", "--output", tmp_path / "log.csv", check=0)
    finally:
        os.umask(before)
    assert (tmp_path / "log.csv").stat().st_mode & 0o777 == 0o640


def test_existing_path_is_refused_before_anything_is_read(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    path, dangling = tmp_path / "log.csv", tmp_path / "link.csv"
    path.write_text("mine")
    dangling.symlink_to(tmp_path / "nowhere")
    for some in (path, dangling):
        result = auditctl("export", "--output", some, dsn="host=/nowhere", check=2)
        assert result.err == f"error: {some} exists\nhint: Name another file, or replace it with --force.\n"
    assert path.read_text() == "mine"
    assert own_events(conn) == []


def test_force_replaces_the_file(auditctl: RunAuditctl, db: str, tmp_path: Path) -> None:
    path, link = tmp_path / "log.csv", tmp_path / "link.csv"
    path.write_text("mine")
    link.symlink_to(path)
    auditctl("export", "--output", link, "--force", check=0)
    assert path.read_text().startswith(HEADER)
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, path]


@pytest.mark.parametrize("name", ["missing/log.csv", "file/log.csv", ".", "n" * 300, ""])
def test_unusable_path_is_a_usage_error(auditctl: RunAuditctl, db: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    result = auditctl("export", "--output", f"{tmp_path}/{name}" if name else "", check=2)
    assert result.err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with pytest.raises(UsageError, match="exists"), output.destination(str(path), stdout=1) as sink:
        sink.write(b"ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_file_system_without_links_is_served_by_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    path = tmp_path / "log.csv"
    with output.destination(str(path), stdout=1) as sink:
        sink.write(b"ours")
    assert path.read_bytes() == b"ours"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with (
        pytest.raises(OutputError, match="No space left on device") as caught,
        output.destination(str(tmp_path / "log.csv"), stdout=1) as sink,
    ):
        sink.write(b"x")
    assert caught.value.hint
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_pipes_and_devices_are_written_directly(auditctl: RunAuditctl, db: str, tmp_path: Path) -> None:
    auditctl("export", "--output", "/dev/null", check=0)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE, text=True)
    auditctl("export", "--output", fifo, check=0)
    out, _ = reader.communicate(timeout=30)
    assert out.startswith(HEADER)

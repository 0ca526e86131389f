"""The folder for what an engine cannot keep in memory: nothing of it is left, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from auditctl.archive.engines import spill_folder
from auditctl.archive.engines.spill_folder import SpillFolder

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal
from auditctl.archive.engines.spill_folder import SpillFolder
folder = SpillFolder()
(folder.path / "spilled").write_text("x")
print(folder.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, of this test alone."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "tmp"


def test_what_a_killed_process_left_goes_with_the_next_one_and_what_is_in_use_stays(place: Path) -> None:
    used = SpillFolder()
    run = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, timeout=60)
    assert run.stdout.startswith(str(place))
    assert len(list(place.iterdir())) == 2
    another = SpillFolder()
    assert {path.name for path in place.iterdir()} == {used.path.name, another.path.name}
    assert used.path.stat().st_mode & 0o777 == 0o700
    used.close()
    another.close()
    assert list(place.iterdir()) == []


def test_links_files_and_folders_of_other_users_stay(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "target", place / "auditctl-duckdb-other"):
        folder.mkdir()
        (folder / "file").touch()
    (place / "auditctl-duckdb-link").symlink_to(tmp_path / "target")
    (place / "auditctl-duckdb-file").touch()
    with monkeypatch.context() as as_another:
        as_another.setattr(os, "geteuid", lambda: os.getuid() + 1)
        spill_folder.remove_abandoned()
    assert len(list(place.iterdir())) == 3
    spill_folder.remove_abandoned()
    assert {path.name for path in place.iterdir()} == {"auditctl-duckdb-link", "auditctl-duckdb-file"}
    assert (tmp_path / "target" / "file").exists()

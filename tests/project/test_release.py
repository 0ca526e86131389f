"""`make release`: the first release freezes the tables, which from then on change by revisions only."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from auditctl import resources, store
from tests.support import next_version

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = resources.folder("sql").parent
FROZEN = "migrations/sql/0001_tables.sql"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean working tree with the Makefile and the SQL."""
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    shutil.copytree(CHECKOUT / "sql", tmp_path / "sql")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All")


def release(folder: Path) -> tuple[int, str]:
    done = subprocess.run(["make", "-s", "release"], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr.splitlines()[0] if done.stderr else done.stdout


def test_the_tables_are_frozen_once(checkout: Path) -> None:
    assert release(checkout) == (0, f"Wrote {FROZEN}. Commit it.\n")
    tables = "".join(file.read_text("utf-8") for file in sorted((checkout / "sql" / "tables").glob("*.sql")))
    assert (checkout / FROZEN).read_text("utf-8") == tables
    commit(checkout)
    assert release(checkout) == (2, f"{FROZEN} is there already: change tables by a new revision.")


def test_nothing_is_frozen_from_a_working_tree_with_changes(checkout: Path) -> None:
    (checkout / "sql" / "tables" / "90_more.sql").write_text("select 1;\n")
    assert release(checkout) == (2, "The working tree has changes: commit them first.")
    assert not (checkout / FROZEN).exists()


def test_the_first_revision_creates_the_frozen_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = next_version.make(tmp_path)
    (tmp_path / "migrations" / "sql").mkdir()
    version.write(FROZEN, "create table auditctl.frozen ();\n")
    with next_version.running(version, monkeypatch):
        script = store.install_script()
    assert "create table auditctl.frozen ();" in script
    assert "create table auditctl.event (" not in script

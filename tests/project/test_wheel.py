"""The wheel: built, installed clean in another folder, it has everything it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow  # waits for pip, which builds and installs

ROOT = Path(__file__).resolve().parents[2]
DATA = (".sql", ".toml", ".html", ".js", ".css", ".svg", ".txt")


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a program outside the checkout, without its settings; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AUDITCTL_", "PG"))}
    done = subprocess.run(command, cwd=cwd, env={**clean, **env}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    run(*pip, "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment with the wheel; the libraries it depends on are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    target = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python"))
    run(*target, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_wheel_holds_all_sql_every_migration_and_nothing_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    tracked = [
        path.relative_to(ROOT).as_posix()
        for folder, endings in (("sql", (".sql", ".j2")), ("migrations", (".sql", ".py")), ("auditctl", (".py",)))
        for path in (ROOT / folder).rglob("*")
        if path.suffix in endings
    ]
    assert len(tracked) > 50
    expected = {path if path.startswith("auditctl/") else f"auditctl/{path}" for path in tracked}
    assert expected - held == set()
    data = [
        path for path in (ROOT / "auditctl").rglob("*") if path.suffix in DATA and "site-packages" not in path.parts
    ]
    assert {path.relative_to(ROOT).as_posix() for path in data} - held == set()
    assert [path for path in held if path.startswith(("tests", "docs", "bench"))] == []
    assert [path for path in held if path.endswith((".pyc", ".orig"))] == []


def test_an_installed_wheel_brings_the_manual_pages_to_where_man_looks(installed: Path) -> None:
    folder = installed.parent / "share" / "man" / "man1"
    pages = (ROOT / "docs" / "man").iterdir()
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == {
        path.name: path.read_text("utf-8") for path in pages
    }


def test_both_commands_run_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    for name in ("auditctl", "pgauditctl"):
        assert run(installed / name, "--help", cwd=tmp_path).startswith("Usage: auditctl ")
    where = run(installed / "python", "-c", "import auditctl; print(auditctl.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_an_installed_wheel_does_the_whole_job(
    server: EmbeddedServer, empty_db: str, installed: Path, tmp_path: Path
) -> None:
    def auditctl(*arguments: str) -> str:
        return run(installed / "auditctl", *arguments, cwd=tmp_path, AUDITCTL_DSN=empty_db)

    auditctl("install")
    with connect(empty_db) as conn:
        conn.execute("create table item (id int primary key, v text)")
        auditctl("enable", "item")
        conn.execute("insert into item values (1, 'x'); update item set v = 'y'")
    assert auditctl("check") == ""
    assert "v: x → y" in auditctl("log", "--target", "public.item")
    header, *rows = auditctl("export", "--target", "public.item").splitlines()
    assert header.startswith("event_id,created_on,")
    assert len(rows) == 2
    assert auditctl("install", "--sql").startswith("BEGIN;")

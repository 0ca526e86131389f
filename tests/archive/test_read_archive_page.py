"""The page on reading an archive: its commands run, its SQL in DuckDB's own, its Python with pandas."""

from __future__ import annotations

import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.fixtures.templates import begin_with
from tests.project.test_docs import ROOT, fenced
from tests.support.archived import move_month
from tests.support.recorded import START, Recorded, label, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "how-to" / "read-archive.md"
MONTHS = ("2026-01", "2026-02")


def prepare(dsn: str) -> None:
    from tests.fixtures.databases import connect

    with connect(dsn) as conn:
        label(conn, "billing.customer", "Customer")
        for month in (1, 2, 3):
            times = [START.replace(month=month) + timedelta(hours=hour) for hour in range(4)]
            record(conn, *(Recorded(at=time) for time in times))


db_template = begin_with(prepare)


@pytest.fixture
def folder(conn: psycopg.Connection, tmp_path: Path) -> Path:
    for month in MONTHS:
        move_month(conn, tmp_path / "archive", month)
    return tmp_path / "archive"


def test_the_commands_run(auditctl: RunAuditctl, folder: Path, tmp_path: Path) -> None:
    commands = [line for block in fenced(PAGE, "sh") for line in block.splitlines()]
    assert len(commands) == 8
    for number, command in enumerate(commands):
        words = shlex.split(command.replace("/srv/archive", str(folder)))
        assert words[0] == "auditctl"
        done = auditctl(*words[1:], cwd=tmp_path, check=0)
        assert done.out or "Exported" in done.err, number


def test_the_queries_run_in_duckdb(folder: Path) -> None:
    queries = fenced(PAGE, "sql")
    found = [duckdb.sql(query.replace("/srv/archive", str(folder))).fetchall() for query in queries]
    assert found[0] == [("2026-01", "billing.customer", 4), ("2026-02", "billing.customer", 4)]
    assert [row[1:] for row in found[1]] == [("alice", "10.0", "12.5")] * 8
    assert [row[1] for row in found[2]] == ["203.0.113.7"] * 8


def test_the_python_runs(folder: Path) -> None:
    (block,) = fenced(PAGE, "python")
    names: dict[str, Any] = {}
    exec(block.replace("/srv/archive", str(folder)), names)
    assert names["by_user"].tolist() == [4, 4]

"""An import that does not run to its end, or not alone: each read is imported once all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.export.test_export_stopped import assert_idle, wait_until
from tests.fixtures.command import RunAuditctl
from tests.fixtures.databases import connect
from tests.support.server_log import START, as_csv, as_json, imported, read, set_up

pytestmark = pytest.mark.slow  # waits for imports that follow a file

LINES = 12_000
EACH = [START + timedelta(seconds=number) for number in range(LINES)]


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path) -> Path:
    """A log of several batches in a folder of its own; the tables are audited."""
    set_up(db)
    folder = tmp_path / "log"
    folder.mkdir()
    log = folder / "pg.json"
    log.write_bytes(as_json(read(number, dbname=conn.info.dbname) for number in range(LINES)))
    return log


def started(db: str, *arguments: str | Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "AUDITCTL_DSN": db}
    command = [sys.executable, "-m", "auditctl", "import-log", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)


def count(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from auditctl.event where action = 'READ'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("stored", [1, 2000, 5000, 9000])
def test_killed_import_is_taken_up_by_the_next(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, log: Path, stored: int
) -> None:
    running = started(db, log)
    wait_until(lambda: count(conn) >= stored)
    running.kill()
    running.communicate(timeout=60)
    assert_idle(conn)
    assert count(conn) % 1000 == 0
    position = conn.execute("select line from auditctl.log_file").fetchall()
    assert position == [(count(conn),)]
    auditctl("import-log", log, check=0)
    assert [row[0] for row in imported(conn)] == EACH


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_import_that_ends_inside_a_batch_stores_nothing_of_it(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, log: Path, number: int
) -> None:
    with connect(db) as other, other.transaction():
        other.execute("lock table auditctl.log_file in share mode")  # reads are inserted, but cannot be noted
        running = started(db, log)
        wait_until(lambda: waits_for_lock(conn))
        running.send_signal(number)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) in [(-signal.SIGKILL, ""), (130, "error: interrupted\n")]
    assert_idle(conn)
    assert count(conn) == 0
    assert conn.execute("select from auditctl.read_line").fetchall() == []
    auditctl("import-log", log, check=0)
    assert [row[0] for row in imported(conn)] == EACH


def test_two_imports_at_once_import_each_read_once(db: str, conn: psycopg.Connection, log: Path) -> None:
    log.with_suffix(".csv").write_bytes(as_csv(read(number, dbname=conn.info.dbname) for number in range(LINES)))
    both = [started(db, log.parent), started(db, log.with_suffix(".csv"), log)]
    results = [running.communicate(timeout=120)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], results
    assert [row[0] for row in imported(conn)] == EACH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_follow_imports_what_comes_until_it_is_stopped(
    db: str, conn: psycopg.Connection, log: Path, number: int
) -> None:
    running = started(db, "--follow", log.parent)
    wait_until(lambda: count(conn) == LINES)
    with log.open("ab") as end:
        end.write(as_json([read(LINES, dbname=conn.info.dbname)]))
    wait_until(lambda: count(conn) == LINES + 1)
    log.rename(log.with_name("pg.json.1"))
    log.write_bytes(as_json([read(LINES + 1, dbname=conn.info.dbname)]))
    wait_until(lambda: count(conn) == LINES + 2)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "12,002 new lines in 2 files: 12,002 reads imported.\n")
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.import'").fetchone() == (1,)


def test_follow_warns_at_once_of_what_it_does_not_believe(db: str, conn: psycopg.Connection, log: Path) -> None:
    log.write_bytes(b"")
    running = started(db, "--follow", log)
    assert running.stderr is not None
    for number in (1, 2):
        forged = {**read(number, dbname=conn.info.dbname), "context": "PL/pgSQL function f() line 1 at RAISE"}
        with log.open("ab") as end:
            end.write(as_json([forged]))
        assert running.stderr.readline() == f"warning: 1 forged line left out: pg.json:{number}\n"
    running.send_signal(signal.SIGTERM)
    assert "error: not every line can be trusted" in running.communicate(timeout=60)[1]
    assert running.returncode == 3


def waits_for_lock(conn: psycopg.Connection) -> bool:
    return conn.execute("select from pg_locks where not granted").rowcount > 0

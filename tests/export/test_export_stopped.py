"""An export that cannot go on: interrupted, nobody reads, the disk is full, the connection lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.errors import DatabaseError
from tests.support.recorded import bulk, own_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow  # starts processes, stops them half-way and waits for their ends


def test_full_device_is_an_output_error(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    bulk(conn, 2000)
    result = auditctl("export", "--output", "/dev/full", check=1)
    assert result.err.startswith("error: cannot write /dev/full: No space left on device\nhint: ")


@pytest.mark.parametrize("command", ["export", "log", "show 1"])
def test_full_standard_output_is_an_output_error(db: str, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = started(db, *command.split(), stdout=full)
        _, err = done.communicate(timeout=60)
    assert done.returncode == 1
    assert err.startswith(b"error: cannot write standard output: No space left on device\nhint: ")
    assert b"Exception ignored" not in err


def test_closed_pipe_ends_quietly(db: str, conn: psycopg.Connection) -> None:
    bulk(conn, 20000)
    for command in (["export"], ["log", "--limit", "20000", "--format", "jsonl"]):
        running = started(db, *command, stdout=subprocess.PIPE)
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.wait(timeout=60) == 0
        assert running.stderr.read() == b""
        running.stderr.close()
    assert_idle(conn)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_export_to_a_pipe_cancels_its_query(db: str, conn: psycopg.Connection, number: int) -> None:
    bulk(conn, 20000)
    running = started(db, "export", stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.read(10)  # then nobody reads: the command waits in the middle
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err.strip()) == (130, b"error: interrupted")
    assert_idle(conn)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_export_to_a_file_leaves_none(
    db: str, conn: psycopg.Connection, tmp_path: Path, number: int
) -> None:
    bulk(conn, 100_000)
    running = started(db, "export", "--output", str(tmp_path / "log.csv"), stdout=subprocess.PIPE)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err.strip()) == (130, b"error: interrupted")
    assert list(tmp_path.iterdir()) == []
    assert_idle(conn)
    assert len(own_events(conn)) == 1


def test_lost_connection_leaves_no_file(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    bulk(conn, 100_000)
    running = started(db, "export", "--output", str(tmp_path / "log.csv"), stdout=subprocess.PIPE)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'auditctl'")
    _, err = running.communicate(timeout=60)
    assert running.returncode == DatabaseError.exit_code
    assert err.startswith(b"error: ")
    assert list(tmp_path.iterdir()) == []


def started(db: str, *arguments: str, stdout: object) -> subprocess.Popen[bytes]:
    """Start the command; its messages go to a pipe."""
    environment = {**os.environ, "AUDITCTL_DSN": db}
    command = [sys.executable, "-m", "auditctl", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)  # type: ignore[call-overload, no-any-return]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def assert_idle(conn: psycopg.Connection) -> None:
    """The command's session is gone, or about to be."""
    query = "select count(*) from pg_stat_activity where application_name = 'auditctl' and datname = current_database()"
    wait_until(lambda: conn.execute(query).fetchone() == (0,))


def test_closed_pipe_ends_a_table_of_the_store_with_0(db: str, conn: psycopg.Connection) -> None:
    conn.execute("insert into auditctl.rule (name, actions, position) values ('a.b', '{CREATE}', 1)")
    for command in (["stats"], ["tables"]):
        read, write = os.pipe()
        os.close(read)
        running = started(db, *command, stdout=write)
        os.close(write)
        assert running.wait(timeout=60) == 0, command
        assert running.stderr is not None
        assert running.stderr.read() == b""
        running.stderr.close()

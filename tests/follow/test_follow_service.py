"""`auditctl follow` as a service: lost connections, readers that go away, full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.cli import follow_service
from auditctl.errors import DatabaseError
from auditctl.output import Sink
from tests.fixtures.templates import begin_with
from tests.follow.test_follow import ONCE, TABLES_AUDITED, go_on, keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

db_template = begin_with(TABLES_AUDITED)


def test_service_writes_what_is_committed_meanwhile_and_ends_regularly(
    conn: psycopg.Connection, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(_: Sink, seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt
        conn.execute("insert into note values (%s)", [len(waits)])
        return False

    monkeypatch.setattr(Sink, "is_abandoned", wait)
    done = auditctl("follow", "--target", "public.note", "--consumer", "siem", "--every", "2s", check=0)
    assert keys(done.out) == ["1", "2"]
    assert done.err == "Stopped; wrote 2 events.\n"
    assert waits == [2.0] * 3


@pytest.mark.parametrize("place", [("--consumer", "siem"), ("--from", "start")])
def test_lost_connection_is_made_again_and_nothing_comes_twice(
    conn: psycopg.Connection, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str]
) -> None:
    waits: list[float] = []

    def wait(_: Sink, seconds: float) -> bool:
        waits.append(seconds)
        conn.execute("insert into note values (%s)", [len(waits)])
        if len(waits) == 2:
            conn.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where application_name = 'auditctl' and datname = current_database()"
            )
        if len(waits) == 5:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(Sink, "is_abandoned", wait)
    done = auditctl("follow", "--target", "public.note", *place, "--every", "500ms", check=0)
    assert waits == [0.5, 0.5, 1.0, 0.5, 0.5]
    assert keys(done.out) == ["1", "2", "3", "4"]
    assert done.err.count("; trying again in 1 s") == 1


def test_reader_that_goes_away_ends_it_before_the_events_that_were_not_written(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("insert into note values (1)")
    command = [sys.executable, "-m", "auditctl", "--dsn", db, *("follow", *ONCE[2:], "--consumer", "siem")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b'"target_id":"1"' in process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
    conn.execute("insert into note values (2)")
    assert go_on(auditctl) == ["2"]


def test_full_disk_leaves_whole_lines_and_the_place_before_what_was_not_written(
    conn: psycopg.Connection, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute("insert into note values (1)")
    auditctl(*ONCE, "--consumer", "siem", check=0)
    conn.execute("insert into note select generate_series(2, 9)")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 500:
            return write(descriptor, data[:300])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("auditctl.output.os.write", full)
        failed = auditctl(*ONCE, "--consumer", "siem", check=1)
    assert "No space left on device" in failed.err
    assert failed.out == ""
    assert go_on(auditctl) == [str(number) for number in range(2, 10)]


def test_line_of_a_killed_run_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event_id":1}\n{"event')
    for _ in range(2):
        with path.open("ab") as file:
            sink = Sink(file.fileno(), "events")
            sink.begin_line()
            sink.write_texts(['{"event_id":2}\n'])
    assert path.read_text() == '{"event_id":1}\n{"event\n{"event_id":2}\n{"event_id":2}\n'


def test_only_passing_errors_are_tried_again() -> None:
    states = (None, "57P01", "08006", "53300", "42501", "55006", "28P01")
    passing = [state for state in states if follow_service._is_passing(DatabaseError("x", sqlstate=state))]
    assert passing == [None, "57P01", "08006", "53300"]

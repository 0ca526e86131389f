"""`auditctl export`: the log as a file."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.errors import DatabaseError, OutputError, UsageError
from auditctl.log import output
from tests.recorded import HEADER, Recorded, bulk, documents, ids, label, minutes, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

HOSTILE = [
    Recorded(at=minutes(0), target_id="=1+1", actor="-x"),
    Recorded(at=minutes(1), target_id='a,"b"', actor="two\nlines\r\nand \\. \x01 \x02"),
    Recorded(at=minutes(2), target_id="", ip=None, context='{"k": "v\\n\\u0001"}'),
    Recorded(at=minutes(3), target_id="\\.", new='{"n": 1.10, "t": "→ 名"}', action="CREATE", old=None),
    Recorded(at=minutes(4), target_id=None, action="TRUNCATE", old=None, new=None, actor=None, kind="system"),
]


def own_events(conn: psycopg.Connection) -> list[dict[str, object]]:
    """What the log says of exports, oldest first."""
    query = "select new_values from audit.event where target = 'audit.export' order by event_id"
    return [row[0] for row in conn.execute(query)]


def test_export_is_csv_oldest_first(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    one, two = record(conn, Recorded(at=minutes(0)), Recorded(at=minutes(1)))
    result = auditctl("export", "--target", "customer", check=0)
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert result.out.splitlines()[0] == HEADER
    assert [row["event_id"] for row in rows] == [str(one), str(two)]
    assert result.err == f"Exported 2 events, {len(result.out.encode()):,} bytes.\n"


def test_order_and_json_lines(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    one, two = record(conn, Recorded(at=minutes(0)), Recorded(at=minutes(1)))
    out = auditctl("export", "--target", "customer", "--format", "jsonl", "--order", "desc", check=0).out
    assert ids(out) == [two, one]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_log_and_export_give_the_same_bytes(
    auditctl: RunAuditctl, conn: psycopg.Connection, form: str, raw: list[str]
) -> None:
    record(conn, *HOSTILE)
    label(conn, "billing.customer", "@Customer")
    arguments = ["--target", "@Customer", "--format", form, *raw]
    exported = auditctl("export", "--order", "desc", *arguments, check=0).out
    assert exported == auditctl("log", *arguments, check=0).out
    assert exported.count("\n") >= len(HOSTILE)


def test_hostile_values_survive_both_formats(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, *HOSTILE)
    raw = auditctl("export", "--target", "customer", "--raw", check=0).out
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    lines = documents(auditctl("export", "--target", "customer", "--format", "jsonl", check=0).out)
    keys = [event.target_id for event in HOSTILE]
    users = [event.actor or "System" for event in HOSTILE]
    assert [row["target_id"] for row in rows] == [key or "" for key in keys]
    assert [row["user"] for row in rows] == users
    assert [line["target_id"] for line in lines] == keys
    assert [line["user"] for line in lines] == users


def test_export_without_events_has_a_header_alone(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    result = auditctl("export", "--user", "nobody", check=0)
    assert result.out == HEADER + "\n"
    assert result.err.startswith("Exported 0 events")


def test_export_is_recorded_and_not_in_itself(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    first = auditctl("export", "--format", "jsonl", "--user", "alice", "--action", "update", check=0)
    second = auditctl("export", "--format", "jsonl", "--raw", "--order", "desc", check=0)
    assert own_events(conn) == [
        {"format": "jsonl", "order": "asc", "filters": {"user": "alice", "action": ["update"]}, "raw": False},
        {"format": "jsonl", "order": "desc", "filters": {}, "raw": True},
    ]
    assert "audit.export" not in first.out
    assert [line["target"] for line in documents(second.out)].count("audit.export") == 1


def test_misunderstood_export_is_not_recorded(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    auditctl("export", "--target", "nothing", check=2)
    assert own_events(conn) == []


def test_read_only_server_exports_with_a_warning(auditctl: RunAuditctl, db: str, conn: psycopg.Connection) -> None:
    recorded = record(conn, Recorded())
    dsn = f"{db} options='-c default_transaction_read_only=on'"
    result = auditctl("export", "--target", "customer", "--format", "jsonl", dsn=dsn, check=0)
    assert ids(result.out) == recorded
    assert result.err.startswith("warning: the server is read-only")
    assert own_events(conn) == []


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


def test_full_device_is_an_output_error(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    bulk(conn, 2000)
    result = auditctl("export", "--output", "/dev/full", check=1)
    assert result.err.startswith("error: cannot write /dev/full: No space left on device\nhint: ")


@pytest.mark.parametrize("command", ["export", "log", "show 1"])
def test_full_standard_output_is_an_output_error(db: str, command: str) -> None:
    with open("/dev/full", "w") as full:
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


def test_events_of_a_later_transaction_wait_for_the_next_export(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection
) -> None:
    record(conn, Recorded())
    with psycopg.connect(db) as writer:
        record(writer, Recorded(target_id="uncommitted"))
        assert "uncommitted" not in auditctl("export", check=0).out
        writer.commit()
    assert "uncommitted" in auditctl("export", check=0).out


def test_reader_of_the_log_may_export_and_is_named(
    auditctl: RunAuditctl, conn: psycopg.Connection, login: MakeLogin
) -> None:
    record(conn, Recorded())
    auditor = login("auditor", roles=["audit_reader"])
    auditctl("export", dsn=auditor.dsn, check=0)
    query = "select actor, db_user, action::text, context ->> 'summary' from audit.event where target = 'audit.export'"
    assert conn.execute(query).fetchall() == [(auditor.name, auditor.name, "EVENT", "log exported")]


def test_export_of_every_filter_equals_the_log(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(context='{"a": "b"}'), Recorded(at=minutes(1)), Recorded(target="x.y"))
    filters = [
        "--since", "2026-03-01", "--until", "2026-03-02", "--target", "billing.*", "--id", "7", "--user", "alice",
        "--action", "update", "--column", "balance", "--ip", "203.0.113.0/24", "--xact", "700", "--context", "a=b",
    ]  # fmt: skip
    exported = auditctl("export", "--format", "jsonl", *filters, check=0).out
    assert exported == auditctl("log", "--format", "jsonl", *filters, check=0).out
    assert len(exported.splitlines()) == 1
    (own,) = own_events(conn)
    assert json.dumps(own["filters"]).count(":") >= 10


def started(db: str, *arguments: str, stdout: object) -> subprocess.Popen[bytes]:
    """Start the command; its messages go to a pipe."""
    environment = {**os.environ, "AUDITCTL_DSN": db}
    command = [sys.executable, "-m", "auditctl", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)  # type: ignore[call-overload, no-any-return]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def assert_idle(conn: psycopg.Connection) -> None:
    """The command's session is gone, or about to be."""
    query = "select count(*) from pg_stat_activity where application_name = 'auditctl' and datname = current_database()"
    wait_until(lambda: conn.execute(query).fetchone() == (0,))

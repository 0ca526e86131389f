"""Bytes that are no UTF-8, which the start of a session can carry into text, never make the log unreadable."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditctl.output import Sink
from auditctl.utf8 import CHUNK
from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

LONG = "long" * 60

READ = (
    ("log",),
    ("log", "--format", "json"),
    ("log", "--format", "jsonl"),
    ("log", "--format", "csv"),
    ("log", "--column", "body"),
    ("history", "note", "1"),
    ("export",),
    ("export", "--format", "jsonl"),
)
"""Every way to read several events."""

TABLES = "create table note (id int primary key, body text); grant all on note to public"

db_template = begin_with(audited(TABLES, "note"), fixture="note")


@pytest.fixture
def note(db: str) -> str:
    """A database with an audited table that everybody may write."""
    return db


def raw(dsn: str, parameters: bytes, *statements: bytes) -> None:
    """Run statements in a session whose start carries bytes that no driver would send."""
    session = psycopg.pq.PGconn.connect(dsn.encode() + parameters)
    for statement in statements:
        done = session.exec_(statement)
        assert done.status in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK), done.error_message
    session.finish()


@pytest.mark.parametrize("bad", [b"ev\xffil", b"ev\xf0", b"ev\xed\xa0\x80il"], ids=ascii)
@pytest.mark.parametrize(
    "value",
    [
        b"current_setting('my.text')",
        b"'{\"a\": \"' || current_setting('my.text') || '\"}'",
        f"'{LONG}' || current_setting('my.text')".encode(),
    ],
    ids=["text", "json", "long"],
)
def test_a_value_that_is_no_utf8_is_shown_with_what_is_wrong_replaced(
    note: str, login: MakeLogin, auditctl: RunAuditctl, value: bytes, bad: bytes
) -> None:
    raw(
        login("mallory").dsn,
        b" options='-c my.text=" + bad + b"'",
        b"insert into note values (1, '')",
        b"update note set body = " + value,
    )
    for arguments in READ:
        auditctl(*arguments, check=0)
    line = auditctl("log", "--target", "note", "--format", "jsonl", "--limit", "1", check=0).out
    event = json.loads(line)
    assert bad.decode(errors="replace") in event["new_values"]["body"]
    assert auditctl("show", str(event["event_id"]), "--format", "jsonl", check=0).out == line
    assert bad.decode(errors="replace") in "".join(auditctl("show", str(event["event_id"]), check=0).out.split())
    assert auditctl("export", "--target", "note", "--format", "jsonl", "--order", "desc", check=0).out.startswith(line)


@pytest.mark.parametrize("bad", [b"ev\xffil", b"ev\xf0"], ids=ascii)
def test_an_event_claimed_in_text_that_is_no_utf8_is_shown_with_what_is_wrong_replaced(
    note: str, login: MakeLogin, auditctl: RunAuditctl, bad: bytes
) -> None:
    statement = b"select auditctl.record_event('x', current_setting('my.text'), current_setting('my.text'))"
    raw(login("web", roles=["auditctl_app"]).dsn, b" options='-c my.text=" + bad + b"'", statement)
    for arguments in READ:
        auditctl(*arguments, check=0)
    event = json.loads(auditctl("log", "--target", "x", "--format", "jsonl", check=0).out)
    assert {event["target_id"], event["details"]} == {bad.decode(errors="replace")}


@pytest.fixture
def odd_login(server: EmbeddedServer, note: str) -> Iterator[bytes]:
    """A login whose name is no UTF-8, as a database in another encoding lets one make it."""
    with connect(server.dsn()) as maintenance:
        maintenance.execute("create database ascii template template0 encoding 'SQL_ASCII' locale 'C'")
        try:
            raw(server.dsn("ascii"), b"", b'create role "b\xffd" login')
            yield b"b\xffd"
            raw(server.dsn("ascii"), b"", b'alter role "b\xffd" rename to bad_name')
            maintenance.execute("drop role bad_name")
        finally:
            maintenance.execute("drop database ascii")


def test_a_login_whose_name_is_no_utf8_leaves_the_log_readable(
    note: str, odd_login: bytes, auditctl: RunAuditctl
) -> None:
    raw(make_conninfo(note), b" user=" + odd_login, b"insert into note values (1, 'x')")
    for arguments in (("log",), ("log", "--format", "csv"), ("log", "--format", "json"), ("export",)):
        assert "b\ufffdd" in auditctl(*arguments, check=0).out


@pytest.mark.parametrize("before", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK])
def test_what_is_written_is_utf8_wherever_a_block_ends(tmp_path: Path, before: int) -> None:
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    sink = Sink(descriptor, "out")
    for piece in (b"x" * before + "ä→😀".encode(), b"\xff", b"\xe2\x86,", "→".encode()):
        sink.write(piece)
    sink.flush()
    os.close(descriptor)
    written = (tmp_path / "out").read_bytes()
    assert written.decode() == "x" * before + "ä→😀\ufffd\ufffd,→"
    assert sink.written == len(written)


@pytest.mark.parametrize("bad", [b"\xff", b"\xf0"], ids=ascii)
def test_a_long_key_that_is_no_utf8_does_not_make_the_write_fail(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, bad: bytes
) -> None:
    conn.execute("create table t (id text primary key); grant all on t to public")
    audit(db, "t")
    long = b"repeat('k', 2000) || current_setting('my.text')"
    raw(login("mallory").dsn, b" options='-c my.text=" + bad + b"'", b"insert into t values (" + long + b")",
        b"update t set id = 'x' || id", b"delete from t")  # fmt: skip
    assert auditctl("log", "--target", "t", "--format", "csv", check=0).out.count("invalid text ") >= 3

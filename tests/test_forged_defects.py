"""Attacks that must leave the log readable, the write done, and the claim told from the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.capturing import audit
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


@pytest.fixture
def note(db: str, conn: psycopg.Connection) -> str:
    """A database with an audited table that everybody may write."""
    conn.execute("create table note (id int primary key, body text); grant all on note to public")
    audit(db, "note")
    return db


def raw(dsn: str, parameters: bytes, statement: bytes) -> None:
    """Run a statement in a session whose start carries bytes that no driver would send."""
    session = psycopg.pq.PGconn.connect(dsn.encode() + parameters)
    done = session.exec_(statement)
    session.finish()
    assert done.status in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK), done.error_message


def events(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select actor, actor_kind, ip::text, target_id, context - 'application_name' from audit.event "
        "where target = 'public.note' order by event_id"
    ).fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        b"insert into note values (1, current_setting('my.text'))",
        b"insert into note values (1, '{\"a\": \"' || current_setting('my.text') || '\"}')",
    ],
    ids=["text", "json"],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("log",),
        ("log", "--format", "jsonl"),
        ("log", "--format", "csv"),
        ("history", "note", "1"),
        ("export",),
    ],
    ids=" ".join,
)
def test_a_value_that_is_no_utf8_leaves_the_log_readable(
    note: str, login: MakeLogin, auditctl: RunAuditctl, statement: bytes, arguments: tuple[str, ...]
) -> None:
    raw(login("mallory").dsn, b" options='-c my.text=ev\xffil'", statement)
    auditctl(*arguments, check=0)


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
    auditctl("log", check=0)


def test_the_owner_of_an_audited_partitioned_table_adds_a_partition(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner = login("owner")
    conn.execute(f"create schema own authorization {owner.name}".encode())
    with connect(owner.dsn) as session:
        session.execute("create table own.p (id int primary key) partition by range (id)")
    audit(db, "own.p")
    with connect(owner.dsn) as session:
        session.execute("create table own.p1 partition of own.p for values from (0) to (10)")
        session.execute("insert into own.p values (1)")
    assert conn.execute("select actor, action::text from audit.event where target = 'own.p'").fetchall() == [
        (owner.name, "CREATE"),
    ]


def test_a_login_dropped_while_its_session_is_alive_does_not_fail_for_being_audited(
    note: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("create table plain (id int); grant insert on plain to public")
    gone = login("gone")
    with connect(gone.dsn) as session:
        session.execute("select 1")
        conn.execute(f"drop role {gone.name}".encode())
        session.execute("insert into plain values (1)")
        session.execute("insert into note values (1, 'x')")
    assert len(events(conn)) == 1


def test_a_session_that_ends_on_every_error_writes_with_a_malformed_address_and_context(
    note: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    with connect(login("web", roles=["audit_app"]).dsn) as session:
        session.execute("set exit_on_error = on; set auditctl.ip = 'nonsense'; set auditctl.context = '{'")
        session.execute("insert into note values (1, 'x')")
    assert len(events(conn)) == 1


@pytest.mark.parametrize("ip", ["203.0.113.7/8", "0.0.0.0/0", "2001:db8::7/64"])
def test_a_network_is_no_address(note: str, conn: psycopg.Connection, login: MakeLogin, ip: str) -> None:
    with connect(login("web", roles=["audit_app"]).dsn) as session, session.transaction():
        session.execute("select audit.set_context('alice', %s)", [ip])
        session.execute("insert into note values (1, 'x')")
    assert events(conn) == [("alice", "application", None, "1", {"claimed_ip": ip})]


@pytest.mark.parametrize(
    "target",
    [" audit.rule", "audit .rule", '"audit".rule', '"audit"."rule"', "audit\u200b.rule", "audit\n.rule",
     "\uff41udit.rule", "\taudit.rule", "   ", "\u202eelur.tidua", "public.note\n", "audit_triggers.x"],
    ids=ascii,
)  # fmt: skip
def test_a_target_that_reads_like_auditctls_own_or_like_another_is_refused(
    db: str, login: MakeLogin, target: str
) -> None:
    with connect(login("web", roles=["audit_app"]).dsn) as session, pytest.raises(psycopg.Error) as refusal:
        session.execute("select audit.record_event(%s, '1', 'granted')", [target])
    assert refusal.value.sqlstate in ("42501", "22023")


@pytest.mark.parametrize(
    "arguments", ["'x', '1', repeat('s', 70000)", "'x', '1', 's', to_jsonb(repeat('d', 70000000))"]
)
def test_an_oversize_event_is_refused(db: str, login: MakeLogin, arguments: str) -> None:
    with connect(login("web", roles=["audit_app"]).dsn) as session, pytest.raises(psycopg.errors.InvalidParameterValue):
        session.execute(f"select audit.record_event({arguments})".encode())


@pytest.mark.parametrize("arguments", ["null, 'x'", "'audit_app', null", "'audit_app', 'nobody at all'"])
def test_a_membership_of_nobody_or_in_nothing_is_not_recorded(
    conn: psycopg.Connection, login: MakeLogin, arguments: str
) -> None:
    with connect(login("admin", roles=["audit_admin"]).dsn) as session, pytest.raises(psycopg.Error):
        session.execute(f"select audit.record_membership({arguments})".encode())
    assert conn.execute("select count(*) from audit.event where target = 'audit.role'").fetchone() == (0,)


@pytest.mark.parametrize("name", ["System", "postgres"])
def test_a_user_of_an_application_is_told_from_the_system_and_from_a_login_of_that_name(
    note: str, login: MakeLogin, auditctl: RunAuditctl, name: str
) -> None:
    web = login("web", roles=["audit_app"])
    with connect(note if name == "postgres" else web.dsn) as honest:
        honest.execute("insert into note values (1, 'x')")
    with connect(web.dsn) as session:
        session.execute("select audit.set_context(%s, p_local => false)", [name])
        session.execute("insert into note values (2, 'x')")
    lines = auditctl("log", "--target", "note", check=0).out.splitlines()
    users = {line.split()[3] for line in lines if "public.note" in line}
    assert len(users) == 2

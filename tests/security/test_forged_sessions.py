"""Sessions at odds with their identity: an address that is none, a login that is gone, errors that end it."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin


TABLES = "create table note (id int primary key, body text); grant insert on note to public"

db_template = begin_with(audited(TABLES, "note"))


@pytest.fixture
def note(db: str) -> str:
    """A database with an audited table that everybody may write."""
    return db


def events(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select actor, actor_kind, ip::text, target_id, context - 'application_name' from auditctl.event "
        "where target = 'public.note' order by event_id"
    ).fetchall()


@pytest.mark.parametrize("ip", ["203.0.113.7/8", "0.0.0.0/0", "2001:db8::7/64"])
def test_a_network_is_no_address(note: str, conn: psycopg.Connection, login: MakeLogin, ip: str) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', %s)", [ip])
        session.execute("insert into note values (1, 'x')")
    assert events(conn) == [("alice", "application", None, "1", {"claimed_ip": ip})]


@pytest.mark.parametrize("ip", ["203.0.113.7/32", "2001:db8::7/128", " 203.0.113.7"])
def test_an_address_with_its_whole_mask_is_one(note: str, conn: psycopg.Connection, login: MakeLogin, ip: str) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', %s)", [ip])
        session.execute("insert into note values (1, 'x')")
    assert events(conn) == [("alice", "application", str(ip_interface(ip.strip())), "1", None)]


def test_a_login_dropped_while_its_session_is_alive_writes_to_no_audited_table(
    note: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("create table plain (id int); grant insert on plain to public")
    gone = login("gone")
    with connect(gone.dsn) as session:
        session.execute("select 1")
        conn.execute(f"drop role {gone.name}".encode())
        session.execute("insert into plain values (1)")
        with pytest.raises(psycopg.errors.UndefinedObject):
            session.execute("insert into note values (1, 'x')")
    assert conn.execute("select count(*) from note").fetchone() == (0,)
    assert events(conn) == []


@pytest.mark.parametrize("claim", ["auditctl.ip = 'nonsense'", "auditctl.context = '{'"])
def test_a_session_that_ends_on_every_error_ends_with_a_malformed_claim_and_writes_nothing(
    note: str, conn: psycopg.Connection, login: MakeLogin, claim: str
) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        session.execute(f"set exit_on_error = on; set {claim}".encode())
        with pytest.raises(psycopg.Error):
            session.execute("insert into note values (1, 'x')")
        assert session.closed
    assert conn.execute("select count(*) from note").fetchone() == (0,)
    assert events(conn) == []

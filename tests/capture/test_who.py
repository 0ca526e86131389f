"""Who an event names: an application's user if its login is trusted, else the login; never what was only claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply, roles
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import Login, MakeLogin

TABLE = "create table note (id integer generated always as identity primary key, body text)"


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLE)
        conn.execute("grant insert, update, delete on note to public")
    with database.connect(dsn) as conn:
        apply.enable(conn, Rule("note", DEFAULT))


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with an audited table that everybody may write."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def note(db: str) -> str:
    """A clone of it."""
    return db


@pytest.fixture
def app(note: str, login: MakeLogin) -> Login:
    """A trusted application."""
    web = login("web", dsn=note)
    with database.connect(note) as conn:
        roles.grant(conn, "app", web.name)
    return web


def last(dsn: str) -> dict[str, Any]:
    """The newest event of the table, without what varies."""
    with connect(dsn) as conn:
        row = conn.execute(
            "select actor, actor_kind, host(ip), db_user, context - 'application_name' from auditctl.event "
            "where target = 'public.note' order by event_id desc limit 1"
        ).fetchone()
    assert row is not None
    return dict(zip(("actor", "kind", "ip", "db_user", "context"), row, strict=True))


def write(dsn: str, *before: str, actor: str | None = None, ip: str | None = None, context: str | None = None) -> None:
    """Insert a row in one transaction, after some statements, with the session's settings as given."""
    with connect(dsn) as conn, conn.transaction():
        for name, value in (("actor", actor), ("ip", ip), ("context", context)):
            if value is not None:
                conn.execute("select set_config(%s, %s, true)", [f"auditctl.{name}", value])
        for statement in before:
            conn.execute(statement)
        conn.execute("insert into note (body) values ('x')")


def test_a_trusted_application_names_its_user_address_and_context(note: str, app: Login) -> None:
    write(app.dsn, "select auditctl.set_context('alice', '203.0.113.7', '{\"request_id\": \"r-1\"}')")
    assert last(note) == {
        "actor": "alice",
        "kind": "application",
        "ip": "203.0.113.7",
        "db_user": app.name,
        "context": {"request_id": "r-1"},
    }


def test_what_set_context_says_ends_with_the_transaction(note: str, app: Login) -> None:
    with connect(app.dsn) as conn:
        with conn.transaction():
            conn.execute("select auditctl.set_context('alice', '203.0.113.7', '{\"a\": 1}')")
        conn.execute("insert into note (body) values ('x')")
    assert last(note) == {"actor": None, "kind": "system", "ip": None, "db_user": app.name, "context": None}


def test_what_set_context_says_lasts_for_the_session_if_asked(note: str, app: Login) -> None:
    with connect(app.dsn) as conn:
        conn.execute("select auditctl.set_context('alice', p_local => false)")
        conn.execute("insert into note (body) values ('x')")
    assert last(note)["actor"] == "alice"


def test_an_application_user_called_system_is_not_the_system(note: str, app: Login) -> None:
    write(app.dsn, actor="System")
    assert (last(note)["actor"], last(note)["kind"]) == ("System", "application")


@pytest.mark.parametrize("claimed_ip", ["203.0.113.7", "nonsense"])
def test_a_login_outside_audit_app_is_itself_and_its_claim_is_kept_as_a_claim(
    note: str, login: MakeLogin, claimed_ip: str
) -> None:
    mallory = login("mallory", dsn=note)
    write(mallory.dsn, actor="alice", ip=claimed_ip)
    assert last(note) == {
        "actor": mallory.name,
        "kind": "database",
        "ip": None,
        "db_user": mallory.name,
        "context": {"claimed_actor": "alice", "claimed_ip": claimed_ip},
    }


def test_a_superuser_is_no_application_unless_granted(note: str, server: Any) -> None:
    write(note, actor="alice")
    assert (last(note)["actor"], last(note)["kind"]) == ("postgres", "database")
    with connect(note) as conn:
        conn.execute("create role boss superuser login in role auditctl_app")
    try:
        write(psycopg.conninfo.make_conninfo(note, user="boss"), actor="alice")
        assert (last(note)["actor"], last(note)["kind"]) == ("alice", "application")
    finally:
        with connect(note) as conn:
            conn.execute("drop role boss")


def test_membership_through_another_role_is_membership(note: str, login: MakeLogin) -> None:
    with connect(note) as conn:
        conn.execute("create role backends nologin in role auditctl_app")
    try:
        web = login("web", roles=["backends"], dsn=note)
        write(web.dsn, actor="alice")
        assert (last(note)["actor"], last(note)["kind"]) == ("alice", "application")
        with connect(note) as conn:
            conn.execute(f"drop role {web.name}")
    finally:
        with connect(note) as conn:
            conn.execute("drop role backends")


def test_a_login_that_does_not_inherit_is_a_member_all_the_same(note: str, login: MakeLogin) -> None:
    web = login("web", roles=["auditctl_app"], attributes="noinherit", dsn=note)
    write(web.dsn, actor="alice")
    assert (last(note)["actor"], last(note)["kind"]) == ("alice", "application")


def test_a_login_with_an_odd_name_is_recorded_as_it_is(note: str, server: Any) -> None:
    odd = 'Odd "name" %s'
    with connect(note) as conn:
        conn.execute(sql.SQL("create role {} superuser login").format(sql.Identifier(odd)))
    try:
        write(psycopg.conninfo.make_conninfo(note, user=odd), actor="alice")
        assert (last(note)["actor"], last(note)["kind"]) == (odd, "database")
    finally:
        with connect(note) as conn:
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(odd)))


def test_set_role_changes_neither_login_nor_trust_and_is_recorded(note: str, login: MakeLogin, app: Login) -> None:
    with connect(note) as conn:
        conn.execute(f"grant {app.name} to {login('dba', dsn=note).name}")
        dba = conn.execute("select max(rolname) from pg_roles where rolname like 'dba%'").fetchone()
    assert dba is not None
    write(psycopg.conninfo.make_conninfo(note, user=dba[0]), f"set local role {app.name}")
    assert last(note)["context"] == {"role": app.name}
    assert last(note)["db_user"] == dba[0]


@pytest.mark.parametrize("ip", ["1.2.3.4, 5.6.7.8", "fe80::1%eth0", "999.1.1.1", "x" * 5000, "::ffff:1.2.3.4/200"])
def test_a_malformed_address_never_fails_the_write_and_its_text_is_kept(note: str, app: Login, ip: str) -> None:
    write(app.dsn, actor="alice", ip=ip)
    assert (last(note)["actor"], last(note)["ip"]) == ("alice", None)
    assert last(note)["context"] == {"claimed_ip": ip[:200]}


def test_without_a_claim_the_address_is_the_peer_of_the_connection(note: str, app: Login) -> None:
    tcp = psycopg.conninfo.make_conninfo(app.dsn, host="127.0.0.1")
    write(tcp, actor="alice")
    assert last(note)["ip"] == "127.0.0.1"
    write(tcp, actor="alice", ip="1.2.3.4, 5.6.7.8")
    assert last(note)["ip"] == "127.0.0.1"
    write(tcp, actor="alice", ip=" 2001:db8::7 ")
    assert last(note)["ip"] == "2001:db8::7"


@pytest.mark.parametrize(
    "context",
    [
        "no json",
        "[1, 2]",
        '"text"',
        "null",
        '{"a": "\\u0000"}',
        '{"a": 1e400000}',
        "{" * 20,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        "[" * 1000 + "]" * 1000,
        '{"a": "' + "x" * 10_000_000 + '"}',
    ],
    ids=lambda text: text[:12] + str(len(text)),
)
def test_a_malformed_context_never_fails_the_write_and_its_start_is_kept(note: str, app: Login, context: str) -> None:
    write(app.dsn, actor="alice", context=context)
    assert last(note)["actor"] == "alice"
    assert last(note)["context"] == {"context_rejected": context[:500], "context_bytes": len(context)}


def test_a_context_cannot_pretend_what_only_the_database_says(note: str, app: Login) -> None:
    forged = (
        '{"role": "dba", "application_name": "psql", "previous_target_id": "1", "claimed_actor": "x", "reason": "r", '
        '"imported_by": "y", "rolled_back": true, "\\u006ceaf": "z"}'
    )
    write(app.dsn, "set local application_name = 'web'", actor="alice", context=forged)
    with connect(note) as conn:
        assert conn.execute("select context from auditctl.event where target = 'public.note'").fetchone() == (
            {"reason": "r", "application_name": "web"},
        )


def test_an_overlong_actor_is_shortened_and_kept_in_the_context(note: str, app: Login) -> None:
    write(app.dsn, actor="ä" * 3000)
    assert last(note)["actor"] == "ä" * 200 + "…"
    assert last(note)["context"] == {"claimed_actor": "ä" * 3000}


def test_require_actor_refuses_the_application_that_names_nobody_and_no_one_else(
    note: str, app: Login, login: MakeLogin
) -> None:
    with database.connect(note) as conn:
        apply.enable(conn, Rule("note", DEFAULT, require_actor=True))
    with pytest.raises(psycopg.Error) as refused:
        write(app.dsn)
    assert refused.value.sqlstate == "UA002"
    assert "no actor is set" in str(refused.value)
    write(app.dsn, actor="alice")
    assert last(note)["actor"] == "alice"
    dba = login("dba", dsn=note)
    write(dba.dsn)
    assert last(note)["actor"] == dba.name
    with connect(note) as conn:
        assert conn.execute("select count(*) from note").fetchone() == (2,)

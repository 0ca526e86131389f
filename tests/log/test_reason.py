"""The reason of a change: stated by the application or by a command, and part of each event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditctl import database, reason
from auditctl.integrations.psycopg import acting
from tests.fixtures import templates
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

db_template = templates.begin_with(
    templates.audited("create table note (id int primary key, v text); grant all on note to public", "note")
)


@pytest.fixture
def app(login: MakeLogin) -> Login:
    """A login whose application names its users."""
    return login("web", roles=["auditctl_app"])


REASONS = "select reason from auditctl.activity where target_name = %s order by event_id"


def reasons(conn: psycopg.Connection, target: str) -> list[str | None]:
    """The reasons of the target's events, oldest first."""
    return [reason for (reason,) in conn.execute(REASONS, [target])]


def test_the_reason_of_a_context_is_a_column_of_each_event(conn: psycopg.Connection, app: Login) -> None:
    with connect(app.dsn) as session:
        with session.transaction():
            session.execute("select auditctl.set_context('alice', p_reason => 'ticket 4711')")
            session.execute("insert into note values (1, 'a'); update note set v = 'b'")
        with session.transaction():
            session.execute("select auditctl.set_context('alice', null, '{\"request_id\": \"4f2a\"}', 'ticket 12')")
            session.execute("update note set v = 'c'")
        with session.transaction(), acting(session, "alice", reason="ticket 13"):
            session.execute("delete from note")
    assert reasons(conn, "public.note") == ["ticket 4711", "ticket 4711", "ticket 12", "ticket 13"]
    context = "select context - 'application_name' from auditctl.event where context ? 'request_id'"
    assert conn.execute(context).fetchall() == [({"request_id": "4f2a", "reason": "ticket 12"},)]


def test_a_reason_lasts_as_long_as_its_context(conn: psycopg.Connection, app: Login) -> None:
    with connect(app.dsn) as session:
        session.execute("select auditctl.set_context('alice', null, null, 'ticket 1', false)")
        session.execute("insert into note values (1)")
        session.execute("select auditctl.set_context('bob', p_local => false)")
        session.execute("insert into note values (2)")
        with session.transaction():
            session.execute("select auditctl.set_context('carol', p_reason => 'ticket 2')")
        session.execute("insert into note values (3)")
    assert reasons(conn, "public.note") == ["ticket 1", None, None]


@pytest.mark.parametrize("context", ["[1]", '"text"', "null"])
def test_a_context_that_is_no_object_fails_no_statement(conn: psycopg.Connection, app: Login, context: str) -> None:
    with connect(app.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', null, %s, 'ticket 1')", [context])
        session.execute("insert into note values (1)")
    assert len(reasons(conn, "public.note")) == 1


@pytest.mark.parametrize(
    ("command", "target"),
    [
        (["enable", "public.other"], "auditctl.rule"),
        (["disable", "public.note"], "auditctl.rule"),
        (["grant", "reader", "somebody"], "auditctl.role"),
        (["hold", "add", "public.note", "--yes"], "auditctl.hold"),
        (["record", "app.login", "", "signed in"], "app.login"),
    ],
)
def test_a_command_records_its_reason(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin, command: list[str], target: str
) -> None:
    conn.execute("create table other (id int primary key)")
    somebody = login("somebody").name
    before = len(reasons(conn, target))
    auditctl(*(somebody if word == "somebody" else word for word in command), "--reason", "ticket 4711", check=0)
    made = reasons(conn, target)[before:]
    assert made
    assert set(made) == {"ticket 4711"}


@pytest.mark.parametrize(
    ("reason", "message"),
    [("", "the reason is empty"), ("\u200b", "no visible character"), ("x" * 2001, "2,001 characters")],
)
def test_a_reason_that_says_nothing_or_too_much_is_refused(auditctl: RunAuditctl, reason: str, message: str) -> None:
    assert message in auditctl("enable", "public.note", "--reason", reason, check=2).err


def test_reasons_are_exported_and_found(db: str, app: Login, auditctl: RunAuditctl) -> None:
    with connect(app.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', p_reason => '=Ticket 4711, for the audit')")
        session.execute("insert into note values (1)")
    (line,) = auditctl("export", "--format", "jsonl", "--reason", "ticket 4711", check=0).out.splitlines()
    assert json.loads(line)["reason"] == "=Ticket 4711, for the audit"
    header, row = auditctl("export", "--format", "csv", "--reason", "ticket 4711", check=0).out.splitlines()
    names = header.split(",")
    assert names[names.index("details") + 1] == "reason"
    assert '"\'=Ticket 4711, for the audit"' in auditctl("export", "--format", "csv", check=0).out
    assert "=Ticket 4711" in row
    assert "Ticket 4711" in auditctl("log", "--reason", "4711", "--wide", check=0).out


def test_a_connection_that_is_used_again_has_no_reason_left(db: str) -> None:
    with database.connect_store(db) as tool:
        with reason.stated(tool, "ticket 4711"):
            assert tool.execute("select current_setting('auditctl.context')").fetchone() == (
                '{"reason": "ticket 4711"}',
            )
        assert tool.execute("select current_setting('auditctl.context')").fetchone() == ("",)

"""An actor without a visible character is none, wherever one is read or set."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import acting
from auditctl.errors import UsageError
from auditctl.text import has_visible
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

BLANKS = (
    " ", "\t", "\n \r", "\u00a0", "\u00ad", "\u0301", "\u034f", "\u064b", "\u115f", "\u1680", "\u180e", "\u200b",
    "\u200e\u202e", "\u2028", "\u2060", "\u20dd", "\u2800", "\u3000", "\u3164", "\ufe0f", "\ufeff", "\uffa0",
    "\U0001d159", "\U000e0001\U000e0061", " \u0301\u200d ", "\x01\x1b",
)  # fmt: skip
"""Texts that show nothing."""

NAMES = ("a", " alice", "\u200balice", "Ömer", "山田", "Иван", "e\u0301", "\u05d3", "😀", "1", ".", "\u3164x", "कि")


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table note (id integer generated always as identity primary key, body text)")
        conn.execute("grant all on note to public")
        audit(dsn, "note", require_actor=True)


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with a table that requires an actor."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def app(login: MakeLogin) -> Login:
    return login("web", roles=["auditctl_app"])


def test_python_and_the_database_agree_on_every_character(conn: psycopg.Connection) -> None:
    points = [point for point in range(1, sys.maxunicode + 1) if unicodedata.category(chr(point)) not in ("Cs", "Cn")]
    query = "select array_agg(p order by p) from unnest(%s::int[]) as p where not auditctl_internal.has_visible(chr(p))"
    row = conn.execute(query, [points]).fetchone()
    assert row is not None
    assert row[0] == [point for point in points if not has_visible(chr(point))]


def test_writes_that_name_a_blank_name_nobody(conn: psycopg.Connection, app: Login) -> None:
    with connect(app.dsn) as session:
        for blank in BLANKS:
            for statement in ("insert into note (body) values ('x')", "delete from note", "truncate note"):
                conn.execute("insert into note (body) values ('y')")
                with pytest.raises(psycopg.Error) as refused, session.transaction():
                    session.execute("select auditctl.set_context(%s)", [blank])
                    session.execute(statement)
                assert refused.value.sqlstate == "UA002", repr(blank)


def test_blank_is_recorded_as_the_system_and_names_as_they_are(conn: psycopg.Connection, app: Login) -> None:
    with connect(app.dsn) as session:
        for name in (*BLANKS, *NAMES):
            with session.transaction():
                session.execute("select auditctl.set_context(%s, '203.0.113.7')", [name])
                session.execute("select auditctl.record_event('auth.login')")
        with session.transaction():  # names that capture accepts
            for name in NAMES:
                session.execute("select auditctl.set_context(%s)", [name])
                session.execute("insert into note (body) values ('x')")
    query = "select actor, actor_kind::text from auditctl.event where db_user = %s and target = %s order by event_id"
    events = conn.execute(query, [app.name, "auth.login"]).fetchall()
    assert events == [*[(None, "system") for _ in BLANKS], *[(name, "application") for name in NAMES]]
    written = conn.execute(query, [app.name, "public.note"]).fetchall()
    assert written == [(name, "application") for name in NAMES]


def test_blank_claim_of_another_login_is_no_claim(conn: psycopg.Connection) -> None:
    with conn.transaction():
        conn.execute("select auditctl.set_context('\u200b')")
        conn.execute("select auditctl.record_event('auth.login')")
    query = "select coalesce(context, '{}') ? 'claimed_actor' from auditctl.event where target = 'auth.login'"
    assert conn.execute(query).fetchone() == (False,)


def test_python_refuses_to_name_a_blank(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    for blank in ("", " ", "\u200b", "\u3164"):
        with pytest.raises(UsageError):
            acting(conn, blank)
        done = auditctl("record", "auth.login", "", "in", "--actor", blank, check=2)
        assert done.err.startswith("error: the actor ")


def test_reason_that_shows_nothing_is_none(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    for blank in (" ", "\u200b", "\u2800"):
        done = auditctl("hold", "add", "public.note", "--reason", blank, check=2)
        assert done.err.startswith("error: the reason has no visible character")
        with pytest.raises(psycopg.Error, match="a hold needs a reason"):
            conn.execute("select auditctl.place_hold('public.note', null, %s)", [blank])

"""Whom a session can pass for: nobody but itself, whatever it sets, becomes, calls, resets, or is renamed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Login, MakeLogin

CLAIM = "select set_config('auditctl.actor', 'alice', {0}), set_config('auditctl.ip', '203.0.113.7', {0})"
CLAIMED = {"claimed_actor": "alice", "claimed_ip": "203.0.113.7"}
TABLES = """ create table note (id int primary key generated always as identity, body text);
    grant insert, update, delete, truncate on note to public; grant create on schema public to public
"""
db_template = begin_with(audited(TABLES, "note"))


@pytest.fixture
def note(db: str) -> str:
    """A database with an audited table that everybody may write, in which everybody may create."""
    return db


@pytest.fixture
def mallory(note: str, login: MakeLogin) -> Login:
    return login("mallory")


@pytest.fixture
def web(note: str, login: MakeLogin) -> Login:
    return login("web", roles=["auditctl_app"])


@pytest.fixture
def app_role_kept(note: str) -> Iterator[None]:
    """Gives auditctl_app its name back."""
    yield
    with connect(note) as conn:
        if conn.execute("select from pg_roles where rolname = 'auditctl_app_away'").rowcount:
            conn.execute("alter role auditctl_app_away rename to auditctl_app")


def written(note: str) -> list[tuple[Any, ...]]:
    with connect(note) as conn:
        return conn.execute(
            "select actor, actor_kind, host(ip), db_user, context - 'application_name' from auditctl.event "
            "where target = 'public.note' order by event_id"
        ).fetchall()


def itself(login: Login, context: dict[str, Any]) -> tuple[Any, ...]:
    """Who, when a login that is no application makes a claim."""
    return (login.name, "database", None, login.name, context)


@pytest.mark.parametrize("local", ["true", "false", "null"])
@pytest.mark.parametrize(
    "write",
    ["insert into note (body) values ('x')", "truncate note", "copy note (body) from program 'echo x'"],
    ids=["insert", "truncate", "copy"],
)
def test_a_claim_for_the_session_or_the_transaction_is_a_claim(
    note: str, mallory: Login, local: str, write: LiteralString
) -> None:
    if write.startswith("copy"):
        with connect(note) as conn:
            conn.execute(f"grant pg_execute_server_program to {mallory.name}".encode())
    with connect(mallory.dsn) as session, session.transaction():
        session.execute(CLAIM.format(local).encode())
        session.execute(write)
    assert written(note) == [itself(mallory, CLAIMED)]


@pytest.mark.parametrize(
    "before",
    [
        "set role auditctl_app",
        "set session authorization auditctl_app",
        "reset all; select set_config('auditctl.actor', 'alice', true)",
        "set local application_name = 'alice'; select set_config('is_superuser', 'on', true)",
        "alter role current_user set auditctl.actor = 'alice'",
        "alter database {0} set auditctl.actor = 'alice'",
        "select set_config('session_authorization', 'postgres', true)",
    ],
)
def test_what_would_make_a_claim_believed_is_refused_or_in_vain(
    note: str, conn: psycopg.Connection, mallory: Login, before: str
) -> None:
    database = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("alter database {} owner to {}").format(database, sql.Identifier(mallory.name)))
    with connect(mallory.dsn) as session:
        session.execute(CLAIM.format("false").encode())
        try:
            session.execute(before.format(conn.info.dbname).encode())
        except psycopg.Error as error:
            assert error.sqlstate in ("42501", "55P02")
        session.execute("insert into note (body) values ('x')")
    with connect(mallory.dsn) as session:
        session.execute("insert into note (body) values ('x')")
    assert {row[:4] for row in written(note)} == {itself(mallory, {})[:4]}


def test_the_owner_of_the_database_gives_the_application_no_actor_it_did_not_name(
    note: str, conn: psycopg.Connection, mallory: Login, web: Login
) -> None:
    database = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("alter database {} owner to {}").format(database, sql.Identifier(mallory.name)))
    with connect(mallory.dsn) as session:
        session.execute("set auditctl.actor = 'x'")
        for statement in (
            "alter database {0} set auditctl.actor = 'alice'",
            "alter role {1} set auditctl.actor = 'alice'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.format(conn.info.dbname, web.name).encode())
    with connect(web.dsn) as session:
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [(None, "system", None, web.name, None)]


def test_a_function_of_the_application_with_its_rights_lends_nobody_its_trust(
    note: str, mallory: Login, web: Login
) -> None:
    with connect(web.dsn) as session:
        session.execute("""
            create function public.write_as(p_actor text) returns void language plpgsql security definer
            as $$ begin
                perform set_config('auditctl.context', '{"reason": "r"}', true);
                perform set_config('auditctl.actor', p_actor, true);
                insert into public.note (body) values ('x');
            end $$
        """)
        session.execute("select public.write_as('bob')")
    with connect(mallory.dsn) as session:
        session.execute("select public.write_as('alice')")
    assert written(note) == [
        ("bob", "application", None, web.name, {"reason": "r"}),
        itself(mallory, {"reason": "r", "claimed_actor": "alice"}),
    ]


def test_a_member_of_the_applications_login_is_an_application_and_said_to_have_taken_its_role(
    note: str, conn: psycopg.Connection, mallory: Login, web: Login
) -> None:
    conn.execute(f"grant {web.name} to {mallory.name}".encode())
    with connect(mallory.dsn) as session:
        session.execute(f"set role {web.name}; set auditctl.actor = 'alice'".encode())
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [("alice", "application", None, mallory.name, {"role": web.name})]


@pytest.mark.parametrize("reset", ["reset all", "discard all", "reset auditctl.actor; reset auditctl.ip"])
def test_an_application_that_resets_its_session_names_nobody(note: str, web: Login, reset: LiteralString) -> None:
    with connect(web.dsn) as session:
        session.execute(CLAIM.format("false").encode())
        for statement in reset.split("; "):
            session.execute(statement.encode())
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [(None, "system", None, web.name, None)]


def test_a_session_level_claim_in_a_rolled_back_transaction_is_gone(note: str, web: Login) -> None:
    with connect(web.dsn) as session:
        with session.transaction(force_rollback=True):
            session.execute(CLAIM.format("false").encode())
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [(None, "system", None, web.name, None)]


@pytest.mark.parametrize(
    ("options", "believed"),
    [
        ("admin option", False),
        ("inherit false, set false, admin true", False),
        ("inherit false, set false, admin false", False),
        ("inherit false, set true", True),
        ("inherit true, set false", True),
    ],
)
def test_only_a_membership_that_can_be_used_is_believed(
    note: str, conn: psycopg.Connection, mallory: Login, options: str, believed: bool
) -> None:
    if conn.info.server_version < 160000:
        # A membership has no such options before: it can always be used.
        options, believed = "admin option", True
    elif options == "admin option":
        believed = True
    conn.execute(f"grant auditctl_app to {mallory.name} with {options}".encode())
    with connect(mallory.dsn) as session:
        session.execute("set auditctl.actor = 'alice'; insert into note (body) values ('x')")
    expected = ("alice", "application", None, mallory.name, None)
    assert written(note) == [expected if believed else itself(mallory, {"claimed_actor": "alice"})]


def test_a_revoked_membership_is_not_believed_in_sessions_that_are_open(
    note: str, conn: psycopg.Connection, web: Login
) -> None:
    with connect(web.dsn) as session:
        session.execute("set auditctl.actor = 'alice'; insert into note (body) values ('x')")
        conn.execute(f"revoke auditctl_app from {web.name}".encode())
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [
        ("alice", "application", None, web.name, None),
        itself(web, {"claimed_actor": "alice"}),
    ]


def test_a_login_renamed_while_its_session_is_alive_writes_under_its_new_name(
    note: str, conn: psycopg.Connection, mallory: Login
) -> None:
    with connect(mallory.dsn) as session:
        session.execute("insert into note (body) values ('x')")
        conn.execute(f"alter role {mallory.name} rename to mallory_renamed".encode())
        try:
            session.execute("insert into note (body) values ('x')")
        finally:
            conn.execute(f"alter role mallory_renamed rename to {mallory.name}".encode())
    assert [row[:4] for row in written(note)] == [
        (mallory.name, "database", None, mallory.name),
        ("mallory_renamed", "database", None, "mallory_renamed"),
    ]


@pytest.mark.usefixtures("app_role_kept")
def test_without_the_role_of_applications_nobody_is_believed_and_no_write_fails(
    note: str, conn: psycopg.Connection, web: Login
) -> None:
    with connect(web.dsn) as session:
        session.execute(CLAIM.format("false").encode())
        conn.execute("alter role auditctl_app rename to auditctl_app_away")
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [itself(web, CLAIMED)]


@pytest.mark.parametrize("name", ["System", "alice ", "ALICE", "x'; drop table note; --", "ä" * 31, "%I %s", "a\nb"])
def test_a_login_of_any_name_is_recorded_by_it_and_is_not_the_system(
    note: str, conn: psycopg.Connection, name: str
) -> None:
    role = sql.Identifier(name)
    conn.execute(sql.SQL("create role {} login").format(role))
    try:
        with connect(psycopg.conninfo.make_conninfo(note, user=name)) as session:
            session.execute("set auditctl.actor = 'alice'; insert into note (body) values ('x')")
    finally:
        conn.execute(sql.SQL("drop role {}").format(role))
    assert written(note) == [(name, "database", None, name, {"claimed_actor": "alice"})]


def test_ten_megabytes_of_actor_and_address_fail_no_write(note: str, web: Login, mallory: Login) -> None:
    for each in (web, mallory):
        with connect(each.dsn) as session, session.transaction():
            session.execute(
                "select auditctl.set_context(repeat('a', 10000000), repeat('1', 10000000),"
                " jsonb_build_object('k', repeat('c', 10000000)))"
            )
            session.execute("insert into note (body) values ('x')")
    rejected: dict[str, Any] = {"context_rejected": '{"k": "' + "c" * 493, "context_bytes": 10_000_009}
    claims = {"claimed_actor": "a" * 4000, "claimed_ip": "1" * 200}
    assert written(note) == [
        ("a" * 200 + "…", "application", None, web.name, rejected | claims),
        itself(mallory, rejected | claims),
    ]


@pytest.mark.parametrize(
    ("context", "kept"),
    [
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"r\\u006fle": "dba", "\\u0073ummary": "s"}', {}),
        ('{"claimed_\\u0061ctor": "x", "Role": "y"}', {"Role": "y"}),
        ('{"partition": {"role": 1}, "x": {"role": 1}}', {"x": {"role": 1}}),
        ("", None),
    ],
)
def test_a_context_is_kept_but_for_the_keys_that_auditctl_writes(
    note: str, web: Login, context: str, kept: dict[str, Any] | None
) -> None:
    with connect(web.dsn) as session, session.transaction():
        session.execute("select set_config('auditctl.context', %s, true)", [context])
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [(None, "system", None, web.name, kept)]


@pytest.mark.parametrize(
    "ip", ["", " ", "::1%lo", "1.2.3.4,", "1.2.3.4/33", "10.1", "\t1.2.3.4", "1.2.3.4\n", "\u0663.2.3.4"]
)
def test_what_is_no_address_is_kept_as_a_claim(note: str, web: Login, ip: str) -> None:
    with connect(web.dsn) as session, session.transaction():
        session.execute("select set_config('auditctl.actor', 'alice', true), set_config('auditctl.ip', %s, true)", [ip])
        session.execute("insert into note (body) values ('x')")
    assert written(note) == [("alice", "application", None, web.name, {"claimed_ip": ip} if ip else None)]

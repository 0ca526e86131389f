"""The schema auditctl_internal: only the owner can call or use a function there, or create anything in it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.security.test_write_once import refused
from tests.support.doctoring import examine_and_repair

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

ROLES: tuple[tuple[str, ...], ...] = (
    (),
    ("auditctl_app",),
    ("auditctl_reader",),
    ("auditctl_admin",),
    ("auditctl_app", "auditctl_admin", "pg_read_all_data", "pg_write_all_data"),
)

FUNCTIONS: LiteralString = """
    select p.proname::text, array(select format_type(t, null) from unnest(p.proargtypes) as t),
           p.prorettype::regtype::text
      from pg_proc as p where p.pronamespace = 'auditctl_internal'::regnamespace order by p.oid::regprocedure::text
"""

CREATE = (
    "create function auditctl_internal.mine() returns int language sql as 'select 1'",
    "create or replace function auditctl_internal.watch_ddl(p_command text) returns void language sql as ''",
    "create table auditctl_internal.mine ()",
    "create table auditctl_internal.mine as select 1",
    "create view auditctl_internal.mine as select 1",
    "create type auditctl_internal.mine as (a int)",
    "create domain auditctl_internal.mine as int",
    "create sequence auditctl_internal.mine",
    "create operator auditctl_internal.+ (leftarg = text, rightarg = text, function = pg_catalog.textcat)",
    "create aggregate auditctl_internal.mine(int) (sfunc = pg_catalog.int4pl, stype = int)",
    "alter function mine() set schema auditctl_internal",
    "alter table mine set schema auditctl_internal",
    "alter schema auditctl_internal rename to theirs",
    "alter schema auditctl_internal owner to current_user",
    "drop schema auditctl_internal cascade",
    "set role auditctl_owner",
)

GRANTS = (
    "grant all on schema auditctl_internal to current_user",
    "grant execute on all functions in schema auditctl_internal to current_user",
)
"""Fail, or warn that nothing was granted where a predefined role has USAGE on every schema."""

PRIVILEGES: LiteralString = """
    select n.nspacl::text, array_agg(p.proacl::text order by p.oid)
      from pg_namespace as n join pg_proc as p on p.pronamespace = n.oid
     where nspname = 'auditctl_internal' group by n.oid
"""

INDIRECT = (
    "alter table mine alter v set default auditctl_internal.new_key()::text; insert into mine default values",
    "create view seen as select auditctl_internal.new_key(); select * from seen",
    "create policy seen on mine using (auditctl_internal.is_glob(v)); alter table mine force row level security; "
    "alter table mine enable row level security; insert into mine values (2, 'a')",
    "create index on mine (auditctl_internal.is_glob(v)); insert into mine values (2, 'a')",
    "alter table mine add check (auditctl_internal.is_glob(v)); insert into mine values (2, 'a')",
    "create operator mine.+ (rightarg = text, function = auditctl_internal.is_glob); select operator(mine.+) 'a'::text",
    "do $$ begin perform auditctl_internal.new_key(); end $$",
    "create function mine.twice() returns bytea begin atomic select auditctl_internal.new_key(); end; "
    "select mine.twice()",
    "set search_path = auditctl_internal; select auditctl_internal.new_key()",
)
"""Create something of one's own that calls a function there, then use it."""


@pytest.fixture(params=ROLES, ids=lambda roles: "+".join(roles) or "stranger")
def member(request: pytest.FixtureRequest, conn: psycopg.Connection, login: MakeLogin) -> Login:
    """A login with a schema, a table and a function of its own, and a role or several of auditctl's."""
    found = login("member", roles=request.param)
    name = sql.Identifier(found.name)
    conn.execute(sql.SQL("create schema mine authorization {}").format(name))
    conn.execute(sql.SQL("alter role {} set search_path = mine").format(name))
    with connect(found.dsn) as session:
        session.execute("create table mine (id int, v text)")
        session.execute("create function mine() returns int language sql as 'select 1'")
    return found


def calls(conn: psycopg.Connection) -> list[str]:
    """Every function there, called with nulls, or attached to a table if it is for a trigger."""
    statements = []
    for name, arguments, result in conn.execute(FUNCTIONS).fetchall():
        function = sql.Identifier("auditctl_internal", name).as_string()
        if result == "trigger":
            statements.append(f"create trigger mine after insert on mine for each row execute function {function}()")
        elif result == "event_trigger":
            statements.append(f"create event trigger mine on sql_drop execute function {function}()")
        else:
            values = ", ".join(
                f"null::{argument.replace('anyelement', 'text').replace('anycompatible', 'text')}"
                for argument in arguments
            )
            statements.append(f"select * from {function}({values})")
    return statements


def test_no_function_of_auditctl_itself_can_be_called_or_put_on_a_table(
    conn: psycopg.Connection, member: Login
) -> None:
    attempts = calls(conn)
    assert len(attempts) > 100
    assert len([attempt for attempt in attempts if attempt.startswith("create trigger")]) > 3
    with connect(member.dsn) as session:
        assert [fault for attempt in attempts if (fault := refused(session, attempt))] == []


def test_nothing_can_be_created_or_changed_there(conn: psycopg.Connection, member: Login) -> None:
    with connect(member.dsn) as session:
        assert [fault for attempt in CREATE if (fault := refused(session, attempt))] == []


@pytest.mark.parametrize("grant", GRANTS)
def test_nobody_grants_what_they_do_not_have(conn: psycopg.Connection, member: Login, grant: LiteralString) -> None:
    before = conn.execute(PRIVILEGES).fetchall()
    with connect(member.dsn) as session, suppress(psycopg.errors.InsufficientPrivilege):
        session.execute(grant)
    assert conn.execute(PRIVILEGES).fetchall() == before


def test_no_statement_of_ones_own_reaches_a_function_by_another_name(conn: psycopg.Connection, member: Login) -> None:
    with connect(member.dsn) as session:
        assert [fault for attempt in INDIRECT if (fault := refused(session, attempt))] == []


def test_doctor_finds_who_else_may_use_the_schema(db: str, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        "grant usage on schema auditctl_internal to public; "
        "grant execute on function auditctl_internal.is_glob(text) to public",
        [
            Finding(
                Severity.WARNING, "schema_writable", "auditctl_internal by everybody",
                "Everybody has the privilege usage on schema auditctl_internal, and could use what capture uses, or "
                "take its place.",
                "set role auditctl_owner; revoke usage on schema auditctl_internal from public cascade; reset role;",
            ),
            Finding(
                Severity.WARNING, "function_executable", "auditctl_internal.is_glob(text)",
                "Everybody may execute auditctl_internal.is_glob(text): attached to a table of theirs, or called, it "
                "makes events of things that never happened.",
                "revoke all on routine auditctl_internal.is_glob(text) from public cascade;",
            ),
        ],
        auditctl,
    )  # fmt: skip

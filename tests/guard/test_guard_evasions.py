"""Nobody who owns an audited table, or acts as auditctl_owner, gets around the coverage guard or up through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import GUARD_OFF, Login, connect, prepared
from tests.support.capturing import audit, events, pending
from tests.support.guarding import make_audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with audited tables."""
    with prepared(server, template, lambda dsn: make_audited(dsn, owner_name)) as name:
        yield name


def attempt(session: psycopg.Connection, statements: LiteralString) -> None:
    """Run what may be refused: what counts is what the table's triggers see afterwards."""
    for statement in statements.split(";"):
        try:
            session.execute(statement)
        except psycopg.DatabaseError as error:
            assert error.sqlstate in ("UA003", "25P02", "40001")


SILENCING: list[LiteralString] = [
    "alter table s.a disable trigger user",
    "alter table s.a enable trigger user",
    "alter trigger auditctl_update on s.a rename to other",
    "create or replace trigger auditctl_create after insert on s.a for each row execute function s.nothing()",
    "create rule r as on insert to s.a do instead nothing",
]


@pytest.mark.parametrize("statement", SILENCING)
def test_ddl_inside_the_refresh_of_a_materialized_view_is_guarded(
    owner: Login, db: str, statement: LiteralString
) -> None:
    with connect(owner.dsn) as session:
        body = sql.Literal(f"begin {statement}; return 1; end")
        session.execute(sql.SQL("create function s.f() returns integer language plpgsql as {}").format(body))
        session.execute("create materialized view s.m as select s.f() with no data")
        with pytest.raises(psycopg.DatabaseError) as error:
            session.execute("refresh materialized view s.m")
        assert error.value.sqlstate == "UA003"
    assert pending(db) == []


STALE: list[LiteralString] = [
    "alter table s.late disable trigger user",
    "drop table s.late",
    "create table s.late_child () inherits (s.late)",
    "create rule r as on insert to s.late do instead nothing",
]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize("statement", STALE)
def test_a_transaction_that_began_before_auditing_did_is_guarded(
    owner: Login, db: str, conn: psycopg.Connection, statement: LiteralString, level: LiteralString
) -> None:
    conn.execute("create table s.late (id integer primary key)")
    conn.execute(sql.SQL("alter table s.late owner to {}").format(sql.Identifier(owner.name)))
    with connect(owner.dsn) as session:
        session.execute(f"begin isolation level {level}")
        session.execute("select count(*) from s.a")
        audit(db, "s.late")
        attempt(session, statement)
        session.execute("commit")
    assert conn.execute("select count(*) from pg_rewrite where rulename = 'r'").fetchone() == (0,)
    assert pending(db) == []


def test_a_child_that_leaves_is_noticed_at_once(owner: Login, conn: psycopg.Connection) -> None:
    with connect(owner.dsn) as session:
        session.execute("alter table s.child no inherit s.parent")
    told = conn.execute("select new_values -> 'changes' from auditctl.event where target = 'auditctl.ddl'").fetchall()
    assert told == [([{"left": "s.child"}],)]


ALL_OWN: LiteralString = """
    create table s.q (id integer not null, v text);
    create trigger auditctl_create after insert on s.q for each row execute function s.nothing();
    create trigger auditctl_update after update on s.q for each row execute function s.nothing();
    create trigger auditctl_delete after delete on s.q for each row execute function s.nothing();
    create trigger auditctl_truncate after truncate on s.q for each statement execute function s.nothing();
    alter table s.q inherit s.parent
"""

JOINING: list[LiteralString] = [
    "alter table s.child no inherit s.parent; alter table s.child disable trigger user; "
    "alter table s.parent set (fillfactor = 90); alter table s.child inherit s.parent",
    ALL_OWN,
    "create table s.q (id integer not null primary key, v text); "
    "create trigger auditctl_truncate after truncate on s.q for each statement execute function s.nothing(); "
    "alter table s.p attach partition s.q for values from (10) to (20)",
    "alter table s.p detach partition s.p1; alter table s.p1 disable trigger user; "
    "alter table s.p attach partition s.p1 for values from (0) to (10)",
]


@pytest.mark.parametrize("statements", JOINING, ids=["child again", "own triggers", "own truncate", "partition again"])
def test_what_joins_with_triggers_of_our_names_is_refused_or_audited(
    owner: Login, db: str, conn: psycopg.Connection, statements: LiteralString
) -> None:
    with connect(owner.dsn) as session:
        attempt(session, statements)
        session.execute("alter table s.parent add column w integer; alter table s.p add column w integer")
    members = "select members::text[] from auditctl.capture where target in ('s.parent', 's.p')"
    joined = {name for (names,) in conn.execute(members) for name in names}
    assert [line for line in pending(db) if line.split()[1] in joined] == []


def test_a_known_rule_is_not_made_to_swallow_more(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table a (id integer primary key);
        create rule known as on delete to a where old.id = 7 do instead nothing
    """)
    audit(db, "a")
    with pytest.raises(psycopg.DatabaseError) as error:
        conn.execute("create or replace rule known as on insert to a do instead nothing")
    assert error.value.sqlstate == "UA003"


def test_a_hidden_column_that_is_dropped_and_made_anew_stays_hidden(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key, secret text, hidden text)")
    audit(db, "a", mask=("secret",), exclude=("hidden",))
    conn.execute("alter table a drop column secret, add column secret varchar(30)")
    conn.execute("alter table a drop column hidden; alter table a add column hidden text")
    conn.execute("insert into a values (1, 'hush', 'unseen')")
    assert events(conn, "public.a") == [("public.a", "CREATE", "1", None, {"id": 1, "secret": {"$masked": True}})]


def test_a_typed_table_is_followed_when_its_type_changes(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create type t as (id integer, v text, secret text); create table a of t (primary key (id))")
    audit(db, "a", mask=("secret",))
    conn.execute("alter type t rename attribute secret to x cascade; alter type t rename attribute v to secret cascade")
    conn.execute("alter type t rename attribute x to v cascade; insert into a values (1, 'open', 'hush')")
    assert events(conn, "public.a")[0][4] == {"id": 1, "secret": "open", "v": {"$masked": True}}
    assert pending(db) == []


MEANS: LiteralString = """
    create table auditctl.whole (id integer);
    create function auditctl_triggers.f() returns trigger language plpgsql as 'begin return null; end';
    create trigger auditctl_create after insert on auditctl.whole for each row execute function auditctl_triggers.f();
    create table auditctl.part () inherits (auditctl.whole)
"""

GUARD_ON: LiteralString = (
    "alter event trigger auditctl_guard_ddl enable always; alter event trigger auditctl_guard_drop enable always"
)

ESCALATIONS: list[LiteralString] = [
    """
    create or replace function auditctl_internal.watch_ddl(p_command text) returns void
    language plpgsql security invoker as $$
    begin
        insert into auditctl.seen values (current_user);
    end $$
    """,
    """
    create function auditctl.told(auditctl.action) returns text language plpgsql as $$
    begin
        insert into auditctl.seen values (current_user);
        return 'CREATE';
    end $$;
    create cast (auditctl.action as text) with function auditctl.told(auditctl.action)
    """,
]


@pytest.mark.parametrize("code", ESCALATIONS, ids=["guard replaced", "cast made"])
def test_audit_owner_gets_no_code_run_as_the_superuser_who_installed(
    conn: psycopg.Connection, login: MakeLogin, code: LiteralString
) -> None:
    with connect(login("dba", roles=["auditctl_owner"]).dsn) as session:
        conn.execute(GUARD_OFF)
        session.execute("set role auditctl_owner; create table auditctl.seen (who name)")
        session.execute(MEANS)
        session.execute(code)
        conn.execute(GUARD_ON)
        try:
            session.execute("select auditctl_internal.put_trigger('auditctl.part', 'auditctl_create', 5, 'f')")
        except psycopg.DatabaseError:
            return
        seen = session.execute("select distinct who from auditctl.seen").fetchall()
    assert ("postgres",) not in seen


def test_audit_owner_gets_no_code_run_by_the_ddl_of_others(conn: psycopg.Connection, login: MakeLogin) -> None:
    with connect(login("dba", roles=["auditctl_owner"]).dsn) as session:
        conn.execute(GUARD_OFF)
        session.execute("set role auditctl_owner; create table auditctl.seen (who name)")
        session.execute(ESCALATIONS[0])
        conn.execute(GUARD_ON)
    with pytest.raises(psycopg.DatabaseError, match="is not what auditctl installed"):
        conn.execute("create table innocent (id integer)")
    assert conn.execute("select who from auditctl.seen").fetchall() == []

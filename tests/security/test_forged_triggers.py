"""Capture's functions are the owner's alone: nobody attaches or calls one, or brings a table of theirs under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.security.test_write_once import refused
from tests.support.capturing import audit, pending

if TYPE_CHECKING:
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow

ROLES: dict[str, list[str]] = {
    "stranger": [],
    "app": ["auditctl_app"],
    "reader": ["auditctl_reader"],
    "admin": ["auditctl_admin"],
    "table_owner": [],
}

RELATIONS: tuple[LiteralString, ...] = (
    "create table {0}.mine (id int, v text)",
    "create view {0}.seen as select * from {0}.mine",
    "create table {0}.parted (id int, v text) partition by list (id)",
    "create table {0}.part partition of {0}.parted for values in (1)",
    "create table {0}.child () inherits ({0}.mine)",
    "create temp table fleeting (id int, v text)",
)

ATTACH = (
    "create trigger auditctl_create after insert on {0}.mine for each row execute function {1}()",
    "create trigger auditctl_create before insert on {0}.mine for each row execute procedure {1}('x')",
    "create or replace trigger auditctl_create after insert on {0}.mine for each row execute function {1}()",
    "create constraint trigger forge after insert on {0}.mine deferrable initially deferred "
    "for each row execute function {1}()",
    "create trigger forge after insert on {0}.mine referencing new table as n for each statement "
    "execute function {1}()",
    "create trigger forge after truncate on {0}.mine for each statement execute function {1}()",
    "create trigger forge instead of insert on {0}.seen for each row execute function {1}()",
    "create trigger forge after insert on {0}.parted for each row execute function {1}()",
    "create trigger forge after insert on {0}.part for each row execute function {1}()",
    "create trigger forge after insert on {0}.child for each row execute function {1}()",
    "create trigger forge after insert on fleeting for each row execute function {1}()",
    "create event trigger forge on ddl_command_end execute function {1}()",
    "select {1}()",
    "do $$ begin perform {1}(); end $$",
    "create or replace function {1}() returns trigger language plpgsql as 'begin return null; end'",
    "alter function {1}() security invoker",
    "alter function {1}() set search_path = public",
    "alter function {1}() depends on extension plpgsql",
    "comment on function {1}() is 'auditctl: create of other.table'",
    "grant execute on function {1}() to public",
)

ON_ANOTHERS_TABLE = (
    "create trigger forge before insert on shop.item for each row execute function {0}.change()",
    "create or replace trigger auditctl_create after insert on shop.item for each row execute function {0}.change()",
    "alter table {0}.mine inherit shop.item",
    "alter table shop.parted attach partition {0}.mine for values in (7)",
    "create table {0}.part7 partition of shop.parted for values in (7)",
    "create rule forge as on insert to shop.item do also select 1",
    "alter table shop.item disable trigger all",
    "create index on shop.item (v)",
    "create statistics {0}.s on id, v from shop.item",
    "alter table shop.item alter column v set default 'x'",
)

NEW_OBJECTS = (
    "create table {0}.forged (id int)",
    "create view {0}.forged as select 1 as one",
    "create materialized view {0}.forged as select 1 as one",
    "create sequence {0}.forged",
    "create type {0}.forged as enum ('x')",
    "create domain {0}.forged as text",
    "create function {0}.forged() returns int language sql as 'select 1'",
    "create operator {0}.= (leftarg = text, rightarg = text, function = pg_catalog.texteq)",
    "create aggregate {0}.forged (int) (sfunc = int4pl, stype = int)",
    'create collation {0}.forged from "C"',
    "create text search dictionary {0}.forged (template = simple)",
    "select 1 as id into {0}.forged",
    "create table {0}.forged as select 1 as id",
    "alter table mine set schema {0}",
    "comment on schema {0} is 'x'",
    "alter default privileges for role auditctl_owner grant execute on functions to public",
)


@pytest.fixture
def shop(db: str, conn: psycopg.Connection, login: MakeLogin) -> dict[str, Login]:
    """A login of each kind with a schema of its own, and audited tables, one of them its owner's."""
    logins = {name: login(name, roles=roles) for name, roles in ROLES.items()}
    conn.execute("create schema shop; grant usage on schema shop to public")
    conn.execute("create table shop.item (id int primary key, v text)")
    conn.execute("grant insert, update, delete, select, truncate, references on shop.item to public")
    conn.execute("create table shop.parted (id int, v text) partition by list (id)")
    for name, each in logins.items():
        conn.execute(f"create schema {name} authorization {each.name}".encode())
    conn.execute("create table table_owner.t (id int primary key, v text)")
    conn.execute(f"alter table table_owner.t owner to {logins['table_owner'].name}".encode())
    audit(db, "shop.item", "shop.parted", "table_owner.t")
    return logins


def trigger_functions(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute("""
        select format('%I.%I', n.nspname, p.proname)
          from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
         where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
           and p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype)
         order by 1
    """).fetchall()
    return [name for (name,) in rows]


def events(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select actor, target, action::text, new_values from auditctl.event where target not like 'auditctl.%' "
        "order by event_id"
    ).fetchall()


def test_nobody_attaches_calls_or_changes_a_function_of_the_log(
    conn: psycopg.Connection, shop: dict[str, Login]
) -> None:
    functions = trigger_functions(conn)
    assert "auditctl_internal.record_rule" in functions
    assert "auditctl_triggers.shop__item__create" in functions
    faults = []
    for name, each in shop.items():
        with connect(each.dsn) as session:
            for statement in RELATIONS:
                session.execute(statement.format(name).encode())
            for function in functions:
                faults += [refused(session, statement.format(name, function)) for statement in ATTACH]
    assert [fault for fault in faults if fault] == []
    assert events(conn) == []


BESIDE_CAPTURE: tuple[LiteralString, ...] = (
    "create trigger auditctl_create after insert on {0}.mine for each row execute function {1}",
    "create trigger forge after insert on {0}.audited for each row execute function {1}",
    "create trigger forge after insert on {0}.audited_1 for each row execute function {1}",
    "create trigger auditctl_create after insert on fleeting for each row execute function {1}",
    "create schema authorization current_user create table made (id int, v text) "
    "create trigger auditctl_create after insert on made for each row execute function {1}",
)


@pytest.mark.parametrize("predefined", ["pg_read_all_data", "pg_write_all_data"])
def test_the_owner_of_a_partitioned_table_puts_its_capture_on_nothing_else(
    db: str, conn: psycopg.Connection, login: MakeLogin, predefined: str
) -> None:
    """PostgreSQL has them execute the function, and the predefined role brings USAGE on its schema."""
    owner = login("owner", roles=[predefined])
    conn.execute(f"create schema own authorization {owner.name}".encode())
    conn.execute(f"grant create on database {conn.info.dbname} to {owner.name}".encode())
    with connect(owner.dsn) as session:
        session.execute("create table own.audited (id int primary key, v text) partition by list (id)")
        session.execute("create table own.audited_1 partition of own.audited for values in (1)")
        session.execute("create table own.mine (id int, v text); create temp table fleeting () inherits (own.mine)")
        audit(db, "own.audited")
        function = "auditctl_triggers.own__audited__create()"
        hints: list[str] = []
        for statement in BESIDE_CAPTURE:
            with pytest.raises(psycopg.DatabaseError, match="only capture itself may attach to a table") as error:
                session.execute(statement.format("own", function).encode())
            assert error.value.sqlstate == "UA003"
            hints.append(str(error.value.diag.message_hint).rpartition(": ")[2])
        assert hints == [
            "auditctl enable own.mine", *["The table is audited already."] * 2, "A temporary table cannot be audited.",
            f"auditctl enable {owner.name}.made",
        ]  # fmt: skip
        session.execute("create table own.audited_2 partition of own.audited for values in (2)")
        session.execute("create table own.child () inherits (own.mine)")
        session.execute("insert into own.audited values (1, 'a'), (2, 'b'); insert into own.mine values (3, 'c')")
    assert events(conn) == [
        (owner.name, "own.audited", "CREATE", {"id": 1, "v": "a"}),
        (owner.name, "own.audited", "CREATE", {"id": 2, "v": "b"}),
    ]


def test_a_trigger_function_that_wraps_capture_fails_as_it_is_run(
    conn: psycopg.Connection, shop: dict[str, Login]
) -> None:
    with connect(shop["table_owner"].dsn) as session:
        session.execute("""
            create table table_owner.mine (id int, v text);
            create function table_owner.wrap() returns trigger language plpgsql security definer
                as 'begin return auditctl_triggers.table_owner__t__create(); end';
            create trigger wrap before insert on table_owner.mine for each row execute function table_owner.wrap()
        """)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("insert into table_owner.mine values (1, 'forged')")
    assert events(conn) == []


def test_a_table_of_ones_own_is_not_brought_under_the_capture_of_anothers(
    conn: psycopg.Connection, shop: dict[str, Login]
) -> None:
    faults = []
    for name, each in shop.items():
        with connect(each.dsn) as session:
            session.execute(f"create table {name}.mine (id int, v text)".encode())
            session.execute(
                f"create function {name}.change() returns trigger language plpgsql as 'begin return new; end'".encode()
            )
            faults += [refused(session, statement.format(name)) for statement in ON_ANOTHERS_TABLE]
    assert [fault for fault in faults if fault] == []
    assert events(conn) == []


def test_a_copy_of_an_audited_table_is_not_captured(conn: psycopg.Connection, shop: dict[str, Login]) -> None:
    with connect(shop["stranger"].dsn) as session:
        session.execute("create table stranger.copied (like shop.item including all)")
        session.execute("create table stranger.filled as select * from shop.item")
        session.execute("create temp table item (like shop.item including all)")
        session.execute("set search_path = pg_temp, shop")
        session.execute("insert into stranger.copied values (1, 'x'); insert into stranger.filled values (1, 'x')")
        session.execute("insert into item values (1, 'x')")
    assert events(conn) == []


def test_nobody_creates_anything_in_the_schemas_of_the_log(conn: psycopg.Connection, shop: dict[str, Login]) -> None:
    faults = []
    for each in shop.values():
        with connect(each.dsn) as session:
            session.execute("create temp table mine (id int)")
            for schema in ("auditctl", "auditctl_triggers"):
                faults += [refused(session, statement.format(schema)) for statement in NEW_OBJECTS]
    assert [fault for fault in faults if fault] == []


def test_grants_by_those_who_hold_nothing_give_nothing_away(conn: psycopg.Connection, shop: dict[str, Login]) -> None:
    privileges: LiteralString = "select nspname, nspacl::text from pg_namespace where nspname ^@ 'auditctl' order by 1"
    before = conn.execute(privileges).fetchall()
    for each in shop.values():
        with connect(each.dsn) as session:
            # A warning, not an error: who may use a schema may say this, and nothing comes of it.
            session.execute("grant create on schema auditctl to public")
            # Of what they create there, which is nothing.
            session.execute("alter default privileges in schema auditctl grant execute on functions to public")
    assert conn.execute(privileges).fetchall() == before


def test_default_privileges_of_the_installing_superuser_open_no_function(db: str, conn: psycopg.Connection) -> None:
    conn.execute("alter default privileges grant execute on functions to public")
    conn.execute("alter default privileges grant all on tables to public")
    conn.execute("create table t (id int primary key)")
    audit(db, "t")
    conn.execute("set role auditctl_owner; select auditctl_internal.create_partitions(7); reset role")
    open_functions: LiteralString = """
        select p.proname::text
          from pg_proc as p, lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
         where p.pronamespace::regnamespace::text ^@ 'auditctl' and a.grantee = 0 order by 1
    """
    assert [name for (name,) in conn.execute(open_functions)] == [
        "audited_table", "check_ddl", "check_drop", "has_pass", "is_free", "is_trusted", "make_way", "put_aside",
        "record_read", "refuse", "refuse_secret", "set_context",
    ]  # fmt: skip
    open_tables: LiteralString = """
        select c.relname::text, a.privilege_type from pg_class as c, lateral aclexplode(c.relacl) as a
         where c.relnamespace = 'auditctl'::regnamespace and a.grantee = 0
    """
    assert conn.execute(open_tables).fetchall() == [("alembic_version", "SELECT"), ("place", "SELECT")]


def test_every_function_with_the_owners_rights_pins_its_search_path(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table t (id int primary key, v jsonb)")
    audit(db, "t")
    assert (
        conn.execute("""
        select p.oid::regprocedure::text from pg_proc as p
         where p.pronamespace::regnamespace::text ^@ 'auditctl' and p.prosecdef
           and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)
    """).fetchall()
        == []
    )


@pytest.mark.usefixtures("unguarded")
def test_a_trigger_replaced_by_whoever_holds_the_privilege_trigger_is_told_by_check(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("create table note (id int primary key, body text); grant all on note to public")
    audit(db, "note")
    with connect(login("mallory").dsn) as session:
        session.execute("""
            create function pg_temp.nothing() returns trigger language plpgsql as 'begin return null; end';
            create or replace trigger auditctl_create after insert on note
                for each row execute function pg_temp.nothing();
            insert into note values (1, 'unseen')
        """)
        assert events(conn) == []
        assert [line.partition(":")[0] for line in pending(db)] == ["REPLACE public.note create"]

"""Ways around the coverage guard that lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import Login, connect, fresh_database, prepared
from tests.support.capturing import events, pending
from tests.support.guarding import make_audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

HOSTILE: LiteralString = """
    set plpgsql.extra_errors = 'all'; set transform_null_equals = on; set plan_cache_mode = force_generic_plan;
    set array_nulls = off; set extra_float_digits = -15; set DateStyle = 'SQL, DMY'; set quote_all_identifiers = on;
    set standard_conforming_strings = off; set check_function_bodies = off; set search_path = pg_temp, s;
    create temp table pg_class (i integer); create temp table pg_trigger (i integer);
    create temp table capture (i integer);
    create temp view pg_inherits as select 1 as inhrelid
"""


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with audited tables."""
    with prepared(server, template, lambda dsn: make_audited(dsn, owner_name)) as name:
        yield name


def refused(session: psycopg.Connection, statement: LiteralString, sqlstate: str = "UA003") -> None:
    with pytest.raises(psycopg.DatabaseError) as error:
        session.execute(statement)
    assert error.value.sqlstate == sqlstate


def test_a_refusal_that_is_caught_leaves_the_table_as_it_was(owner: Login, db: str) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            do $$
            begin
                alter table s.a disable trigger user;
            exception when others then
                alter table s.a add column w integer;
            end
            $$
        """)
        session.execute("begin; savepoint before")
        refused(session, "drop trigger auditctl_update on s.a")
        session.execute("rollback to before; commit")
    assert pending(db) == []


def test_ddl_that_is_undone_in_a_block_leaves_nothing_behind(owner: Login, db: str, conn: psycopg.Connection) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            do $$
            begin
                begin
                    alter table s.a rename to b;
                    raise exception 'undo';
                exception when raise_exception then
                    null;
                end;
                alter table s.a add column w integer;
            end
            $$
        """)
    told = conn.execute("select new_values -> 'changes' from auditctl.event where target = 'auditctl.ddl'").fetchall()
    assert told == [([{"column": "w", "added": "integer"}],)]
    assert conn.execute("select count(*) from auditctl.capture where being_changed_by is not null").fetchone() == (0,)
    assert pending(db) == []


def test_a_trigger_dropped_inside_a_refresh_is_seen(owner: Login, db: str) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            create function s.f() returns integer language plpgsql as
            $$ begin drop trigger auditctl_update on s.a; return 1; end $$;
            create materialized view s.m as select s.f() with no data
        """)
        refused(session, "refresh materialized view s.m")
    assert pending(db) == []


def test_an_extension_takes_neither_a_trigger_nor_a_table_with_it(
    owner: Login, db: str, conn: psycopg.Connection
) -> None:
    try:
        conn.execute("create extension citext")
    except psycopg.errors.FeatureNotSupported:
        return  # a server without the extensions that come with PostgreSQL
    conn.execute("alter trigger auditctl_update on s.a depends on extension citext")
    refused(conn, "drop extension citext")
    conn.execute("alter extension citext add table s.parent")
    refused(conn, "drop extension citext cascade")
    assert pending(db) == []


def test_a_table_that_swallows_rows_does_not_become_a_partition(owner: Login, db: str) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            create table s.q (id integer not null primary key, v text);
            create trigger auditctl_create after insert on s.q for each row execute function s.nothing()
        """)
        attach: LiteralString = "alter table s.p attach partition s.q for values from (50) to (60)"
        refused(session, attach, "42710")
        session.execute("drop trigger auditctl_create on s.q; create rule r as on insert to s.q do instead nothing")
        refused(session, attach)
    assert pending(db) == []


FORGERIES: list[tuple[LiteralString, str]] = [
    ("create trigger t after insert on s.f for each row execute function auditctl_triggers.s__p__create()", "42501"),
    (
        "create constraint trigger t after insert on s.f for each row execute function "
        "auditctl_triggers.s__p__create()",
        "42501",
    ),
    (
        "set search_path = auditctl_triggers, s; "
        "create trigger t after insert on f for each row execute function s__p__create()",
        "42883",
    ),
    ("create trigger t after insert on s.f for each row execute function auditctl_internal.record_rule()", "42501"),
    ("select auditctl_triggers.s__p__create()", "42501"),
    ("alter function auditctl_triggers.s__p__create() owner to current_user", "42501"),
    ("select auditctl_internal.put_trigger('s.p1', 'auditctl_create', 5, 's__a__create')", "42501"),
    ("create event trigger t on ddl_command_end execute function auditctl_guard.guard_ddl()", "42501"),
]


@pytest.mark.parametrize(("statement", "sqlstate"), FORGERIES, ids=[statement for statement, _ in FORGERIES])
def test_who_may_execute_row_functions_still_cannot_put_them_on_other_tables(
    owner: Login, conn: psycopg.Connection, statement: LiteralString, sqlstate: str
) -> None:
    row = conn.execute("select has_function_privilege(%s, 'auditctl_triggers.s__p__create()', 'execute')", [owner.name])
    assert row.fetchone() == (True,)
    with connect(owner.dsn) as session:
        session.execute("create table s.f (id integer, v text)")
        refused(session, statement, sqlstate)
        session.execute("create table s.like (like s.p including all); insert into s.like values (1, 'x')")
    assert events(conn, "s.p") == []


def test_settings_and_tables_that_shadow_the_catalog_change_nothing(owner: Login, db: str) -> None:
    with connect(owner.dsn) as session:
        session.execute(HOSTILE)
        session.execute("alter table s.a add column w bytea, add column x float default 0.1")
        session.execute("create table s.late (z jsonb) inherits (s.parent)")
        session.execute("create table s.p3 partition of s.p for values from (30) to (40)")
        session.execute("alter table s.a rename to b")
        refused(session, "alter table s.b disable trigger user")
    assert pending(db) == []


def test_a_reader_can_neither_hold_up_the_guard_nor_use_it(
    owner: Login, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("grant usage on schema s to public")
    with connect(login("reader", roles=["auditctl_reader"]).dsn) as session:
        refused(session, "select from auditctl.capture for share", "42501")
        refused(session, "begin; lock table auditctl.capture in row share mode", "42501")
        session.rollback()
        refused(session, "select auditctl_internal.put_trigger('s.p1', 'auditctl_create', 5, 's__p__create')", "42501")
        row = session.execute(
            "select statements -> 0 ->> 'sql' from auditctl.capture_triggers(array[jsonb_populate_record("
            "(select k from auditctl.capture as k where k.target = 's.a'), "
            """'{"target": "x''; drop table s.a; --", "actions": ["CREATE"], "members": []}')])"""
        ).fetchone()
    assert row is not None
    assert "'x''; drop table s.a; --'" in row[0]


def test_a_copy_of_the_database_is_guarded_too(
    server: EmbeddedServer, owner: Login, db: str, conn: psycopg.Connection
) -> None:
    name = conn.info.dbname
    conn.close()
    with fresh_database(server, "copy", name) as copy, connect(copy) as session:
        refused(session, "alter table s.a disable trigger user")
        assert pending(copy) == []


def test_a_superuser_removes_the_store_with_its_guard(owner: Login, conn: psycopg.Connection) -> None:
    refused(conn, "drop schema auditctl_triggers cascade")
    conn.execute("drop schema auditctl, auditctl_internal, auditctl_triggers cascade")
    conn.execute("insert into s.a values (1, 'x'); drop table s.a; create table s.a (id integer)")
    assert conn.execute("select count(*) from pg_event_trigger").fetchone() == (0,)

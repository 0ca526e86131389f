"""What surrounds an administrator's change: settings, temporary objects, races, owners' code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.fixtures.databases import Login, connect, fetch_value
from tests.security.administrators import CART, admin, capture, change, evils, oid, owner, rule, triggers

if TYPE_CHECKING:
    pass

__all__ = ["admin", "owner"]

WAITS = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"


@pytest.mark.parametrize(
    "setting",
    [
        "set search_path = own, pg_temp, pg_catalog",
        "set quote_all_identifiers = on",
        "set standard_conforming_strings = off; set escape_string_warning = off",
        "set transform_null_equals = on",
        "set check_function_bodies = off",
        "set plpgsql.extra_errors = 'all'",
        "set row_security = off",
        "set array_nulls = off; set xmloption = document",
        "set DateStyle = 'Postgres, DMY'; set IntervalStyle = sql_standard; set bytea_output = escape",
        "set client_min_messages = error; set lock_timeout = '1s'",
    ],
)
def test_settings_of_the_session_change_nothing(db: str, owner: Login, admin: psycopg.Connection, setting: str) -> None:
    with connect(owner.dsn) as conn:
        for name in ("lower(text)", "format(text, anyelement)", "to_regclass(text)", "current_setting(text)"):
            conn.execute(
                f"create function own.{name} returns text language plpgsql as 'begin return own.evil(); end'".encode()
            )
        conn.execute("create function own.eq(name, text) returns boolean language sql as 'select own.evil() is null'")
    admin.execute(setting.encode())
    change(admin, [capture(oid(db, "own.cart"), mask=["card"])], rules=[rule("own.cart", mask=["card"])])
    assert triggers(db) == CART
    assert evils(db) == []
    with connect(owner.dsn) as conn:
        conn.execute("insert into own.cart values (2, 'milk', 'hidden')")
    assert "hidden" not in fetch_value(db, "select string_agg(e::text, ' ') from auditctl.event as e")


def test_temporary_objects_with_names_of_the_catalog_and_the_store_are_not_used(
    db: str, admin: psycopg.Connection
) -> None:
    for name in (
        "pg_class",
        "pg_namespace",
        "pg_trigger",
        "pg_proc",
        "capture",
        "rule",
        "administration",
        "text",
        "oid",
    ):
        admin.execute(f"create temp table {name} (a integer)".encode())
    admin.execute("set search_path = pg_catalog, pg_temp")
    change(admin, [capture(oid(db, "own.cart"))])
    assert triggers(db) == CART


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_transaction_that_sees_an_old_catalog_changes_nothing(db: str, admin: psycopg.Connection, level: str) -> None:
    cart = oid(db, "own.cart")
    admin.execute(f"begin isolation level {level}".encode())
    with pytest.raises((errors.InvalidTransactionState, errors.SerializationFailure)):
        change(admin, [capture(cart)])
    admin.execute("rollback")
    assert triggers(db) == []


def test_expressions_of_the_tables_owner_run_with_nobody_elses_rights(
    db: str, owner: Login, admin: psycopg.Connection
) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create domain own.odd as text check (own.evil() is not null)")
        conn.execute("create type own.bad as enum ('v')")
        conn.execute("create function own.cast_bad(own.bad) returns text language sql as 'select own.evil()'")
        conn.execute("create cast (own.bad as text) with function own.cast_bad(own.bad) as implicit")
        conn.execute("create function own.cast_json(own.bad) returns json language sql as 'select to_json(own.evil())'")
        conn.execute("create cast (own.bad as json) with function own.cast_json(own.bad)")
        conn.execute("""
            create table own.trap (
                id integer primary key, a text default own.evil(), b text generated always as (own.evil()) stored,
                c own.bad default 'v', d own.odd default 'x', check (own.evil() is not null)
            );
            create index trap_index on own.trap (own.evil()) where own.evil() is not null;
            create statistics own.trap on (own.evil()), id from own.trap;
            alter table own.trap enable row level security;
            create policy trap on own.trap using (own.evil() is not null) with check (own.evil() is not null);
            create rule trap as on update to own.trap where own.evil() is null do also nothing;
            create function own.trap() returns trigger language plpgsql as 'begin perform own.evil(); return null; end';
            create trigger auditctlx after insert on own.trap for each row execute function own.trap();
            create table own.parts (id integer, a text) partition by list ((a || own.evil()));
            truncate own.trace
        """)
    change(admin, [capture(oid(db, "own.trap"), mask=["a"]), capture(oid(db, "own.parts"))])
    change(admin, stopped=[oid(db, "own.trap"), oid(db, "own.parts")])
    assert fetch_value(db, "select count(*) from own.trace") == 0
    change(admin, [capture(oid(db, "own.trap"))])
    with connect(owner.dsn) as conn:
        conn.execute("insert into own.trap (id) values (1)")
    admin.execute("select auditctl.release('own.trap', 'try')")
    assert evils(db) == []


def wait_for_lock(db: str) -> None:
    """Wait until a session waits for a lock."""
    with connect(db) as conn:
        for _ in range(600):
            if conn.execute(WAITS).fetchone() == (True,):
                return
            conn.execute("select pg_sleep(0.05)")
    raise AssertionError("nobody waits")


@pytest.mark.parametrize(
    ("swap", "name"),
    [
        ("alter table own.cart rename to gone; alter table own.other rename to cart", "own.gone"),
        ("alter table own.cart set schema away; alter table own.other rename to cart", "away.cart"),
    ],
)
def test_a_table_that_is_renamed_meanwhile_is_not_mistaken_for_another(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection, swap: str, name: str
) -> None:
    conn.execute(f"create schema away authorization {owner.name}".encode())
    cart = oid(db, "own.cart")
    with connect(owner.dsn) as mallory, ThreadPoolExecutor(1) as pool:
        mallory.execute("begin")
        mallory.execute(swap.encode())
        waiting = pool.submit(change, admin, [capture(cart)])
        wait_for_lock(db)
        mallory.execute("commit")
        try:
            waiting.result(60)
        except (errors.SerializationFailure, errors.UndefinedTable, errors.InsufficientPrivilege):
            change(admin, [capture(cart)])
    assert {each.split()[0] for each in triggers(db)} == {name}
    assert fetch_value(db, "select array_agg(target) from auditctl.capture") == [name]


def test_a_schema_that_is_swapped_under_a_locked_table_is_not_mistaken_for_another(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    cart = oid(db, "own.cart")
    admin.execute("begin")
    admin.execute("select auditctl.lock_table(%s::oid, 'share row exclusive')", [cart])
    conn.execute("alter schema own rename to moved; create schema own; create table own.cart (id integer primary key)")
    change(admin, [capture(cart)])
    admin.execute("commit")
    assert {each.split()[0] for each in triggers(db)} == {"moved.cart"}
    assert fetch_value(db, "select array_agg(target) from auditctl.capture") == ["moved.cart"]


def test_a_table_that_leaves_the_limit_meanwhile_is_not_captured(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    conn.execute("insert into auditctl.administration (patterns) values ('{own.c*}')")
    cart = oid(db, "own.cart")
    with connect(owner.dsn) as mallory, ThreadPoolExecutor(1) as pool:
        mallory.execute("begin")
        mallory.execute("alter table own.cart rename to secret")
        waiting = pool.submit(change, admin, [capture(cart)])
        wait_for_lock(db)
        mallory.execute("commit")
        with pytest.raises((errors.SerializationFailure, errors.InsufficientPrivilege, errors.UndefinedTable)):
            waiting.result(60)
    with pytest.raises(errors.InsufficientPrivilege):
        change(admin, [capture(cart)])
    assert triggers(db) == []


def test_the_text_of_a_query_names_no_table_to_the_guard(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    change(conn, [capture(oid(db, "own.other"))])
    conn.execute("insert into auditctl.administration (patterns) values ('{own.cart}')")
    query = "select array_agg(xmin::text order by tgname) from pg_trigger where tgrelid = 'own.other'::regclass"
    before = fetch_value(db, query)
    admin.execute("begin")
    text = "/* attach partition own.other */ /* create trigger auditctl_create after insert on own.other */ select %s"
    call = "auditctl.change_capture(%s)"
    admin.execute((text % call).encode(), [Jsonb([capture(oid(db, "own.cart"))])])
    locked = "select count(*) from pg_locks where relation = %s::oid and mode = 'AccessExclusiveLock'"
    assert admin.execute(locked, [oid(db, "own.other")]).fetchone() == (0,)
    admin.execute("commit")
    assert fetch_value(db, query) == before


def test_a_store_that_is_out_of_its_place_changes_nothing(
    db: str, conn: psycopg.Connection, admin: psycopg.Connection
) -> None:
    conn.execute("update auditctl.place set database = 1")
    for call in ("auditctl.lock_rules()", "auditctl.change_capture('[]')", "auditctl.release('own.cart', 'x')"):
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            admin.execute(f"select {call}".encode())


def test_one_who_makes_an_administrator_run_code_gains_nothing_that_an_administrator_may_not(
    db: str, owner: Login, admin: psycopg.Connection
) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("grant insert on own.other to public")
        conn.execute("""
            create function own.deputy() returns trigger language plpgsql as $$
            begin
                begin
                    perform auditctl_guard.lend('put', tg_relid, 'CREATE', 'x');
                exception when insufficient_privilege then insert into own.trace values ('lend refused');
                end;
                begin
                    set local role auditctl_owner;
                exception when others then insert into own.trace values ('role refused');
                end;
                return null;
            end $$
        """)
        conn.execute("create trigger deputy after insert on own.other for each row execute function own.deputy()")
    admin.execute("insert into own.other values (1)")
    assert fetch_value(db, "select array_agg(as_role order by as_role) from own.trace") == [
        "lend refused",
        "role refused",
    ]

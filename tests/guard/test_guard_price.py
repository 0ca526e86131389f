"""The coverage guard does no more work than a DDL command requires: what it calls is counted, no time is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures import templates
from tests.fixtures.databases import GUARD_OFF, connect
from tests.support.capturing import pending

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES: LiteralString = """
    create table a (id integer primary key, v text, n integer);
    create table part (id integer primary key, v text) partition by range (id);
    create table part_1 partition of part for values from (0) to (10);
    create table parent (id integer primary key, v text);
    create table child (w text) inherits (parent);
    create table plain (id integer primary key, v text)
"""

GENERATES = ("capture_function", "write_site", "renew_capture", "trigger_states")
"""What only a change of an audited table requires."""

GUARD_ON: LiteralString = GUARD_OFF.replace("disable", "enable always")

LOOKS = (*GENERATES, "table_shape", "trigger_shape", "current_columns", "current_rules", "current_members")
"""What only DDL on an audited table requires."""


db_template = templates.begin_with(templates.audited(TABLES, "a", "part", "parent"), fixture="audited")


@pytest.fixture
def audited(conn: psycopg.Connection) -> psycopg.Connection:
    """A session that counts calls, beside three audited tables with their partition and child."""
    conn.execute("set track_functions = 'all'")
    return conn


def calls(
    session: psycopg.Connection, statement: LiteralString, functions: Sequence[str], *, undone: bool = False
) -> dict[str, int]:
    """How often a statement, which is undone on demand, called each of these functions."""

    def total() -> dict[str, int]:
        rows = session.execute("select funcname, calls from pg_stat_xact_user_functions")
        return dict(rows.fetchall())

    with session.transaction(force_rollback=undone):
        before = total()
        session.execute(statement)
        after = total()
    changed = {name: after[name] - before.get(name, 0) for name in functions if name in after}
    return {name: number for name, number in changed.items() if number}


@pytest.mark.parametrize(
    "statement",
    [
        "alter table a alter column v set statistics 10",
        "alter table a add constraint positive check (id > 0)",
        "alter table a set (fillfactor = 90)",
        "alter table a alter column v set not null",
        "alter table a add unique (n)",
        "alter table part add constraint positive check (id >= 0)",
        "alter table part_1 set (fillfactor = 90)",
        "alter table child alter column w set not null",
        "create index on a (v)",
    ],
)
def test_ddl_that_changes_nothing_for_capture_generates_no_function(
    audited: psycopg.Connection, db: str, statement: LiteralString
) -> None:
    assert calls(audited, statement, GENERATES) == {}
    assert pending(db) == []


def test_columns_of_a_table_are_read_once_for_all_its_functions(audited: psycopg.Connection) -> None:
    work = calls(audited, "alter table a add column w text", ["describe_sites", "capture_function"])
    assert work == {"capture_function": 4, "describe_sites": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "create table other (id integer primary key, v text)",
        "create temporary table other (id integer primary key, v text)",
        "create table other as select 1 as id",
        "alter table plain add column w text",
        "alter table plain rename to other",
        "drop table plain",
        "create view other as select * from plain",
        "create type other as (x integer)",
        "create function other() returns integer language sql as 'select 1'",
        "create trigger other before update on plain execute function suppress_redundant_updates_trigger()",
    ],
)
def test_ddl_on_tables_that_are_not_audited_looks_at_no_audited_one(
    audited: psycopg.Connection, statement: LiteralString
) -> None:
    assert calls(audited, statement, LOOKS, undone=True) == {}


def test_constraints_that_are_dropped_one_after_another_generate_nothing_and_are_all_recorded(
    audited: psycopg.Connection,
) -> None:
    audited.execute(
        "do $$ begin for i in 1..9 loop execute format('alter table a add check (id <> -%s)', i); end loop; end $$"
    )
    work = calls(
        audited,
        """do $$ declare n text; begin
               for n in select conname from pg_constraint where conrelid = 'a'::regclass and contype = 'c' loop
                   execute format('alter table a drop constraint %I', n);
               end loop;
           end $$""",
        [*GENERATES, "record_ddl"],
    )
    assert work == {"record_ddl": 9}


@pytest.mark.parametrize(
    "statement",
    [
        "alter table a disable trigger auditctl_update",
        "alter table a enable trigger auditctl_update",
        "alter table a rename to b; alter table b disable trigger auditctl_delete",
        "drop trigger auditctl_create on a",
        "create rule r as on insert to a do instead nothing",
        "alter table part_1 disable trigger auditctl_truncate",
        "alter table child disable trigger auditctl_update",
    ],
)
def test_what_silences_capture_is_refused_in_the_transaction_of_other_ddl(
    audited: psycopg.Connection, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.Error) as caught, audited.transaction():
        audited.execute(
            "alter table a add column w text; alter table part add column w text; alter table parent add column x text"
        )
        audited.execute("alter table a set (fillfactor = 90)")
        audited.execute(statement)
    assert caught.value.sqlstate == "UA003"


def test_function_that_was_changed_without_the_guard_is_written_again_by_the_next_ddl(
    audited: psycopg.Connection, db: str
) -> None:
    with connect(db) as careless:
        careless.execute(GUARD_OFF)
        careless.execute("""
            create or replace function auditctl_triggers.public__a__delete() returns trigger
            language plpgsql security definer as 'begin return null; end'
        """)
        careless.execute(GUARD_ON)
    assert len(pending(db)) == 1
    audited.execute("alter table a set (fillfactor = 90)")
    assert pending(db) == []


def test_ddl_on_a_partition_asks_about_no_relation_outside_its_tree(audited: psycopg.Connection) -> None:
    # As PostgreSQL plans in a database of many tables.
    audited.execute("set enable_nestloop = off")
    assert calls(audited, "alter table part_1 set (fillfactor = 90)", ["audited_through"]) == {}
    assert calls(audited, "alter table child set (fillfactor = 90)", ["audited_through"]) == {"audited_through": 1}

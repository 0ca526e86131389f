"""What a rule hides stays hidden in a database restored from a dump, whatever numbers its columns have there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.fixtures.databases import GUARD_OFF, connect, create_database, drop_database, fresh_database, prepared
from tests.support import dumps
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow

TABLES: LiteralString = """
    create schema s;
    create table s.masked (junk text, id integer primary key, secret text, pub text);
    create table s.excluded (junk text, id integer primary key, secret text, pub text);
    create table s.keyless (junk text, a integer, b integer, secret text);
    create table s.parted (junk text, id integer primary key, secret text, pub text) partition by range (id);
    create table s.parted_1 (secret text, pub text, id integer not null, junk text);
    alter table s.parted attach partition s.parted_1 for values from (0) to (100);
    create table s.parent (junk text, id integer primary key, secret text, pub text);
    create table s.child (junk_too text, own text) inherits (s.parent);
    create schema g;
    create table g.globbed (junk text, id integer primary key, secret text, pub text);
    alter table s.masked drop column junk; alter table s.excluded drop column junk;
    alter table s.keyless drop column junk; alter table s.parted drop column junk;
    alter table s.parent drop column junk; alter table s.child drop column junk_too;
    alter table g.globbed drop column junk;
    create table s.wide (a text, id integer primary key, b text, v text);
    alter table s.wide drop column a, drop column b;
    create table s.wide_parted (a text, id integer primary key, b text, v text) partition by range (id);
    create table s.wide_parted_1 partition of s.wide_parted for values from (0) to (100);
    alter table s.wide_parted drop column a, drop column b
"""

MASKED = {"$masked": True}


def make_tables(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLES)
    audit(dsn, "s.masked", "s.parted", "s.parent", "g.*", mask=("secret",))
    audit(dsn, "s.wide", "s.wide_parted")
    audit(dsn, "s.excluded", exclude=("secret",))
    audit(dsn, "s.keyless", mask=("secret",), key=("a",))


@pytest.fixture(scope="module")
def restored_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database that was restored from a dump of the tables above, to be cloned for each test."""
    with prepared(server, template, make_tables) as name, fresh_database(server, "restored") as dsn:
        dumps.play(server, dsn, dumps.dump(server, server.dsn(name)))
        yield str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def restored(server: EmbeddedServer, restored_template: str) -> Iterator[psycopg.Connection]:
    name = create_database(server, "restored", restored_template)
    with connect(server.dsn(name)) as conn:
        yield conn
    drop_database(server, name)


def recorded(conn: psycopg.Connection, target: str) -> list[tuple[Any, ...]]:
    """The key and the new values of a table's events."""
    return conn.execute(
        "select target_id, new_values from auditctl.event where target = %s order by event_id", [target]
    ).fetchall()


HIDING = ("s.masked", "s.excluded", "s.parted", "s.parent", "s.child", "g.globbed")

COMMANDS: tuple[LiteralString, ...] = (
    "alter table {} alter pub set statistics 10",
    "create trigger zz after insert on {} for each row execute function s.nothing()",
    "alter table {} add column later integer",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("guarded", [True, False])
def test_a_hidden_column_stays_hidden_after_ddl_in_a_restored_database(
    restored: psycopg.Connection, guarded: bool, command: LiteralString
) -> None:
    restored.execute("create function s.nothing() returns trigger language plpgsql as $$ begin return null; end $$")
    if not guarded:
        restored.execute(GUARD_OFF)
    for table in HIDING:
        if not (table == "s.child" and "later" in command):
            restored.execute(sql.SQL(command).format(sql.SQL(table)))
        restored.execute(sql.SQL("insert into {} (id, secret, pub) values (1, 'x', 'y')").format(sql.SQL(table)))
        values = recorded(restored, "s.parent" if table == "s.child" else table)[-1][1]
        assert (table, values["pub"], values.get("secret")) == (table, "y", None if table == "s.excluded" else MASKED)
        assert ("later" in values) == ("later" in command)
    changes = restored.execute(
        "select c from auditctl.event, jsonb_array_elements(new_values -> 'changes') as c where target = 'auditctl.ddl'"
    ).fetchall()
    assert [change for (change,) in changes if not change.keys() & {"added", "functions"}] == []


def test_the_key_of_a_table_without_a_primary_key_follows_the_names_in_a_restored_database(
    restored: psycopg.Connection,
) -> None:
    restored.execute("alter table s.keyless alter b set statistics 10; insert into s.keyless values (1, 2, 'x')")
    assert recorded(restored, "s.keyless") == [("1", {"a": 1, "b": 2, "secret": MASKED})]


def test_a_renamed_column_stays_hidden_in_a_restored_database(restored: psycopg.Connection) -> None:
    restored.execute("alter table s.masked rename secret to hush; alter table s.parted rename secret to hush")
    restored.execute("alter table s.excluded rename secret to hush; alter table s.parent rename secret to hush")
    restored.execute("alter table g.globbed rename secret to hush; alter table s.keyless rename a to c")
    for table in HIDING:
        restored.execute(sql.SQL("insert into {} (id, hush, pub) values (1, 'x', 'y')").format(sql.SQL(table)))
        values = recorded(restored, "s.parent" if table == "s.child" else table)[-1][1]
        assert (table, values["pub"], values.get("hush")) == (table, "y", None if table == "s.excluded" else MASKED)
    restored.execute("insert into s.keyless values (1, 2, 'x')")
    assert recorded(restored, "s.keyless") == [("1", {"c": 1, "b": 2, "secret": MASKED})]


def test_a_column_that_may_be_a_hidden_one_is_masked_in_a_restored_database(restored: psycopg.Connection) -> None:
    warnings: list[str | None] = []
    restored.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
    restored.execute("alter table s.masked drop column secret, add column hush integer, add column other text")
    restored.execute("insert into s.masked values (1, 'y', 2, 'z')")
    assert recorded(restored, "s.masked") == [("1", {"id": 1, "pub": "y", "hush": MASKED, "other": MASKED})]
    assert [text for text in warnings if text and "hush" in text] == [
        "columns of s.masked that may be excluded or masked ones with a new name are masked: hush, other"
    ]


def test_a_partition_and_a_child_may_be_created_in_a_restored_database(restored: psycopg.Connection) -> None:
    """The guard gives them triggers, which is DDL that it must not take for an attempt to silence capture."""
    restored.execute("create table s.parted_2 partition of s.parted for values from (100) to (200)")
    restored.execute("create table s.child_2 (own text) inherits (s.parent)")
    restored.execute("insert into s.parted values (101, 'x', 'y')")
    restored.execute("insert into s.child_2 values (1, 'x', 'y', 'z')")
    assert recorded(restored, "s.parted") == [("101", {"id": 101, "secret": MASKED, "pub": "y"})]
    assert recorded(restored, "s.parent") == [(None, {"id": 1, "secret": MASKED, "pub": "y", "own": "z"})]
    with pytest.raises(psycopg.DatabaseError, match="silence capture"):
        restored.execute("alter table s.child_2 disable trigger auditctl_create")


@pytest.mark.parametrize("table", ["s.wide", "s.wide_parted"])
def test_an_added_column_is_recorded_in_a_restored_database_and_runs_no_cast(
    restored: psycopg.Connection, table: LiteralString
) -> None:
    restored.execute(GUARD_OFF)
    restored.execute("""
        create type s.evil as (a integer);
        create function s.forge(s.evil) returns jsonb language plpgsql as $$
            begin raise exception 'runs as %', current_user; end $$;
        create cast (s.evil as jsonb) with function s.forge(s.evil)
    """)
    name = sql.SQL(table)
    # As many columns as the table once had.
    restored.execute(sql.SQL("alter table {} add column one s.evil, add column two integer").format(name))
    restored.execute(sql.SQL("insert into {} values (1, 'x', row(7)::s.evil, 2)").format(name))
    assert recorded(restored, table) == [("1", {"id": 1, "v": "x", "one": "(7)", "two": 2})]


def test_a_function_with_another_table_of_the_same_number_notices_that_columns_were_numbered_anew(
    restored: psycopg.Connection,
) -> None:
    """A restore may give a table the object id that it had elsewhere."""
    restored.execute(GUARD_OFF)
    (source,) = restored.execute("select prosrc from pg_proc where proname = 's__wide__create'").fetchone() or ("",)
    (oid,) = restored.execute("select 's.wide'::regclass::oid::bigint").fetchone() or (0,)
    forged = re.sub(r"tg_relid, '\d+'", f"tg_relid, '{oid}'", source)
    assert forged != source
    restored.execute(
        sql.SQL(
            "create or replace function auditctl_triggers.s__wide__create() returns trigger language plpgsql "
            "security definer set search_path = pg_catalog, pg_temp as {}"
        ).format(sql.Literal(forged))
    )
    restored.execute("alter table s.wide add column one integer, add column two integer")
    restored.execute("insert into s.wide values (1, 'x', 3, 2)")
    assert recorded(restored, "s.wide") == [("1", {"id": 1, "v": "x", "one": 3, "two": 2})]

"""The coverage guard refuses what would silence capture, in the DDL's own transaction, whoever tries it and however."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl import database
from auditctl.actions import Action
from auditctl.capture import apply
from tests.fixtures.databases import Login, connect, prepared
from tests.support.capturing import audit, events, pending, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

TABLES = """
    create schema s;
    create table s.a (id integer primary key, v text);
    create table s.p (id integer, v text, primary key (id)) partition by range (id);
    create table s.p1 partition of s.p for values from (0) to (10) partition by range (id);
    create table s.p1a partition of s.p1 for values from (0) to (5);
    create table s.parent (id integer primary key, v text);
    create table s.child (extra text) inherits (s.parent);
    create function s.nothing() returns trigger language plpgsql as $$ begin return null; end $$;
"""

REFUSED: list[tuple[LiteralString, str]] = [
    ("alter table s.a disable trigger auditctl_update", "trigger auditctl_update is disabled"),
    ("alter table s.a disable trigger user", "is disabled"),
    ("alter table s.a disable trigger user, add column w integer", "is disabled"),
    ("alter table s.a enable trigger auditctl_truncate", "trigger auditctl_truncate is silent in replica mode"),
    ("alter table s.a enable trigger user", "is silent in replica mode"),
    ("alter table s.a enable replica trigger auditctl_create", "auditctl_create is silent outside replica mode"),
    ("drop trigger auditctl_delete on s.a", "trigger auditctl_delete is gone"),
    ("alter trigger auditctl_update on s.a rename to other", "trigger auditctl_update is gone"),
    (
        "create or replace trigger auditctl_update after update on s.a for each row execute function s.nothing()",
        "trigger auditctl_update",
    ),
    ("create rule r as on update to s.a do instead nothing", "rule r would keep writes from its triggers"),
    ("create rule r as on delete to s.p1a where old.id = 1 do instead nothing", "rule r would keep"),
    ("drop table s.a", "s.a is audited"),
    ("drop table s.a cascade", "s.a is audited"),
    ("drop table s.p", "s.p is audited"),
    ("drop schema s cascade", "is audited"),
    (
        "alter table s.p1a disable trigger auditctl_update",
        "s.p1a is audited, and this would mean that trigger auditctl_up",
    ),
    (
        "alter table s.p1a enable trigger auditctl_truncate",
        "s.p1a is audited, and this would mean that trigger auditctl_",
    ),
    (
        "drop trigger auditctl_truncate on s.p1",
        "s.p1 is audited, and this would mean that trigger auditctl_tr",
    ),
    (
        "drop trigger auditctl_create on s.child",
        "s.child is audited, and this would mean that trigger auditctl",
    ),
    ("alter table s.child disable trigger all", "s.child is audited, and this would mean that trigger auditctl_"),
    ("do $$ begin execute 'alter table s.a disable trigger user'; end $$", "is disabled"),
]


def prepare(dsn: str, owner: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLES)
        conn.execute(f"alter schema s owner to {owner}")
        for table in ("a", "p", "p1", "p1a", "parent", "child"):
            conn.execute(f"alter table s.{table} owner to {owner}")
    for table in ("a", "p", "parent"):
        audit(dsn, f"s.{table}")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with audited tables."""
    with prepared(server, template, lambda dsn: prepare(dsn, owner_name)) as name:
        yield name


def refused(session: psycopg.Connection, statement: LiteralString) -> str:
    with pytest.raises(psycopg.errors.DatabaseError) as error:
        session.execute(statement)
    assert error.value.sqlstate == "UA003"
    assert "auditctl disable" in (error.value.diag.message_hint or "")
    return error.value.diag.message_primary or ""


@pytest.mark.parametrize(("statement", "reason"), REFUSED, ids=[statement for statement, _ in REFUSED])
def test_the_owner_of_the_table_cannot_silence_capture(
    owner: Login, db: str, conn: psycopg.Connection, statement: LiteralString, reason: str
) -> None:
    before = triggers(conn)
    with connect(owner.dsn) as session:
        session.execute("set lock_timeout = '10s'")
        assert reason in refused(session, statement)
    assert triggers(conn) == before
    assert pending(db) == []


@pytest.mark.parametrize(
    "statement",
    [
        "drop function auditctl_triggers.s__a__update() cascade",
        "alter table s.a disable trigger all",
        "set session_replication_role = replica; alter table s.a disable trigger user",
    ],
)
def test_a_superuser_is_refused_too_as_long_as_the_guard_is_on(
    owner: Login, db: str, conn: psycopg.Connection, statement: LiteralString
) -> None:
    refused(conn, statement)
    conn.execute("reset session_replication_role")
    assert pending(db) == []


def test_drop_owned_by_is_refused(owner: Login, db: str, conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DatabaseError, match="is audited"):
        conn.execute(f"drop owned by {owner.name} cascade")
    assert pending(db) == []


def test_a_transaction_that_was_refused_keeps_nothing_of_the_ddl(owner: Login, conn: psycopg.Connection) -> None:
    with connect(owner.dsn) as session:
        refused(session, "begin; alter table s.a add column w integer; drop trigger auditctl_update on s.a")
        session.rollback()
        session.execute("update s.a set v = 'x'")
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.ddl'").fetchone() == (0,)


def test_the_hint_is_the_command_that_ends_auditing_and_afterwards_everything_is_allowed(
    owner: Login, db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    with pytest.raises(psycopg.errors.DatabaseError) as error:
        conn.execute("drop table s.a")
    assert error.value.diag.message_hint == (
        "To let one command pass, an administrator may run in its transaction: "
        "select auditctl.release('s.a', 'REASON'). "
        "To stop auditing it, an administrator must first run: auditctl disable s.a"
    )
    auditctl("disable", "s.a", check=0)
    conn.execute("drop table s.a")


def test_disabling_one_action_leaves_the_others_guarded(owner: Login, db: str, conn: psycopg.Connection) -> None:
    with database.connect(db) as session:
        apply.disable(session, "s.a", (Action.TRUNCATE,))
    with connect(owner.dsn) as session:
        refused(session, "drop trigger auditctl_update on s.a")
        session.execute("insert into s.a values (1, 'x')")
    assert [event[1] for event in events(conn, "s.a")] == ["CREATE"]


def test_rules_that_were_there_before_and_rules_beside_the_write_are_left_alone(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create table a (id integer primary key, v text);
        create rule known as on delete to a where old.id = 7 do instead nothing
    """)
    audit(db, "a")
    conn.execute("create rule beside as on update to a do also select 1; alter table a add column w integer")
    assert pending(db) == []


def test_tables_that_nobody_audits_are_none_of_its_business(owner: Login, conn: psycopg.Connection) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            create table s.free (id serial primary key);
            create trigger auditctl_update after update on s.free for each row execute function s.nothing();
            alter table s.free disable trigger all;
            create rule r as on insert to s.free do instead nothing;
            alter table s.free rename to other;
            create temp table t as select 1;
            drop table s.other, t
        """)
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.ddl'").fetchone() == (0,)

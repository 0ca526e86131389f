"""The coverage guard keeps the policies of reading in place, and puts them on new partitions and children."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.actions import Action
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import Login, connect, prepared
from tests.support.capturing import apply, pending
from tests.support.reading import SALARY, audit_reads, read_count, reads, run, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

PARTS: LiteralString = """
    create table whole (id integer, v text) partition by range (id);
    create table part partition of whole for values from (0) to (10);
    create table parent (id integer);
    create table child (w text) inherits (parent);
    grant select, insert on whole, part, parent, child to public
"""


def prepare(dsn: str, owner: str) -> None:
    name = sql.Identifier(owner)
    with connect(dsn) as conn:
        conn.execute(SALARY)
        conn.execute(PARTS)
        for table in ("salary", "whole", "part", "parent", "child"):
            conn.execute(sql.SQL(f"alter table {table} owner to {{}}").format(name))
        conn.execute(sql.SQL("grant create on schema public to {}").format(name))
    audit_reads(dsn, "salary", "whole", "parent", read_force=True)


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with tables whose reads are audited."""
    with prepared(server, template, lambda dsn: prepare(dsn, owner_name)) as name:
        yield name


REFUSED: list[tuple[LiteralString, str]] = [
    ("drop policy auditctl_read on salary", "policy auditctl_read is gone"),
    ("alter policy auditctl_read on salary rename to x", "policy auditctl_read is gone"),
    ("alter policy auditctl_read on salary using (true)", "policy auditctl_read is defined differently"),
    ("alter policy auditctl_read on salary to pg_monitor", "policy auditctl_read is defined differently"),
    ("alter policy auditctl_open on salary using (id = 1)", "policy auditctl_open is defined differently"),
    ("drop policy auditctl_open on salary", "policy auditctl_open is gone"),
    ("drop policy auditctl_open on part", "policy auditctl_open is gone"),
    ("alter table salary disable row level security", "row security is off"),
    ("alter table salary no force row level security", "row security is not forced on the owner"),
    ("drop policy auditctl_read on part", "policy auditctl_read is gone"),
    ("alter table child disable row level security", "row security is off"),
    ("do $$ begin execute 'drop policy auditctl_read on salary'; end $$", "policy auditctl_read is gone"),
]


@pytest.mark.parametrize(("statement", "fault"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_would_silence_reads_is_refused(db: str, owner: Login, statement: LiteralString, fault: str) -> None:
    with connect(owner.dsn) as session, pytest.raises(psycopg.Error) as refused:
        session.execute(statement)
    assert refused.value.sqlstate == "UA003"
    message, hint = refused.value.diag.message_primary or "", refused.value.diag.message_hint or ""
    assert message.startswith("refused: reads of public.")
    assert message.endswith(f"are audited, and this would mean that {fault}")
    assert "--actions read. If it was like this before: auditctl apply" in hint
    assert pending(db) == []


def test_new_partitions_and_children_are_read_audited_at_once(
    db: str, conn: psycopg.Connection, owner: Login, login: MakeLogin
) -> None:
    run(
        owner.dsn,
        "create table later partition of whole for values from (10) to (20)",
        "create table attached (id integer, v text)",
        "alter table whole attach partition attached for values from (20) to (30)",
        "create table another () inherits (parent)",
        "grant select on later, attached, another to public",
        "insert into whole values (11, 'x'), (21, 'y')",
        "insert into another values (1)",
    )
    before = read_count(conn)
    assert pending(db) == []
    run(login("plain").dsn, "select * from later", "select * from attached", "select * from another")
    assert [row[3:] for row in reads(conn)[before:]] == [
        ("public.whole", {"leaf": "public.later"}),
        ("public.whole", {"leaf": "public.attached"}),
        ("public.parent", {"leaf": "public.another"}),
    ]


@pytest.mark.usefixtures("unguarded")
def test_without_the_guard_a_new_partition_is_found_by_check(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("create table pay (id integer, v text) partition by range (id)")
    conn.execute("create table early partition of pay for values from (0) to (10)")
    audit_reads(db, "pay")
    conn.execute("create table later partition of pay for values from (10) to (20)")
    conn.execute("grant select on later to public; insert into pay values (11, 'x')")
    assert pending(db) == ["CREATE public.later read: Its reads are not recorded yet."]
    apply(db)
    run(login("plain").dsn, "select * from later")
    assert [row[3:] for row in reads(conn)] == [("public.pay", {"leaf": "public.later"})]


def test_a_detached_partition_keeps_its_policies_until_apply(db: str, conn: psycopg.Connection, owner: Login) -> None:
    run(owner.dsn, "alter table whole detach partition part")
    assert pending(db) == ["DROP public.part read: No rule asks for it."]
    apply(db)
    row = conn.execute("select relrowsecurity, relforcerowsecurity from pg_class where relname = 'part'").fetchone()
    assert row == (False, False)
    assert pending(db) == []


def test_an_attached_table_with_a_dormant_restrictive_policy_is_not_woken(
    db: str, conn: psycopg.Connection, owner: Login
) -> None:
    conn.execute("create table shy (id integer, v text); create policy few on shy as restrictive using (id = 1)")
    conn.execute(sql.SQL("alter table shy owner to {}").format(sql.Identifier(owner.name)))
    notices: list[str] = []
    with connect(owner.dsn) as session:
        session.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        session.execute("alter table whole attach partition shy for values from (10) to (20)")
    assert notices == ["public.shy is not audited yet: its policy few would take effect"]
    assert conn.execute("select relrowsecurity from pg_class where relname = 'shy'").fetchone() == (False,)


def test_renames_of_table_and_schema_are_followed(
    db: str, conn: psycopg.Connection, owner: Login, login: MakeLogin
) -> None:
    run(owner.dsn, "alter table salary rename to wage")
    conn.execute("create schema pay; grant usage on schema pay to public; alter table wage set schema pay")
    conn.execute("alter schema pay rename to paid")
    assert pending(db) == []
    run(login("plain").dsn, "select * from paid.wage")
    assert [row[3] for row in reads(conn)] == ["paid.wage"]


def test_columns_may_change_and_the_reads_stay_recorded(
    db: str, conn: psycopg.Connection, owner: Login, login: MakeLogin
) -> None:
    run(
        owner.dsn,
        "alter table salary add column x integer",
        "alter table salary alter column amount type bigint",
        "alter table salary drop column person",
        "create index on salary (amount)",
        "grant select on salary to public",
    )
    assert pending(db) == []
    before = read_count(conn)
    run(login("plain").dsn, "select * from salary")
    assert read_count(conn) == before + 1


def warned(dsn: str, statement: LiteralString) -> list[tuple[str | None, str | None]]:
    """Run a statement; return what it warns of, each with its hint."""
    notices: list[tuple[str | None, str | None]] = []
    with connect(dsn) as session:
        session.add_notice_handler(lambda notice: notices.append((notice.message_primary, notice.message_hint)))
        session.execute(statement)
    return notices


def test_whoever_gives_the_table_row_security_of_its_own_is_told_how(
    db: str, conn: psycopg.Connection, owner: Login, login: MakeLogin
) -> None:
    hint = "For row security of its own: drop policy auditctl_open on public.salary. Its reads stay recorded."
    assert warned(owner.dsn, "alter table salary enable row level security") == [
        ("row security of public.salary was on already, to record reads, and lets every row through", hint)
    ]
    assert warned(owner.dsn, "create policy few on salary using (id = 1)") == [
        (
            "policy few has no effect: row security of public.salary is on to record reads, and lets every row through",
            hint,
        )
    ]
    assert warned(owner.dsn, "create policy fewer on salary as restrictive using (id < 9)")[1:] == [
        ("policy fewer takes effect at once: row security of public.salary is on to record reads", hint)
    ]
    conn.execute('alter table salary rename to "Pay"')
    ((_, odd),) = warned(owner.dsn, 'alter table "Pay" enable row level security')
    assert odd == hint.replace("public.salary", 'public."Pay"')
    conn.execute('alter table "Pay" rename to salary')
    assert warned(owner.dsn, "drop policy auditctl_open on salary") == []
    assert pending(db) == []
    with connect(login("plain").dsn) as session:
        assert session.execute("select id from salary").fetchall() == [(1,)]
    assert read_count(conn) == 1
    stop(db, "salary")
    row = conn.execute("select relrowsecurity, relforcerowsecurity from pg_class where relname = 'salary'").fetchone()
    assert row == (True, False)


def test_a_table_whose_reads_are_not_audited_may_have_any_policy(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table free (id integer primary key)")
    audit_reads(db, "free", actions=(Action.UPDATE,))
    before = conn.execute("select count(*) from auditctl.event").fetchone()
    conn.execute("alter table free enable row level security")
    ddl = conn.execute("select count(*) from auditctl.event").fetchone()
    conn.execute("create policy p on free using (true); alter policy p on free using (false); drop policy p on free")
    assert conn.execute("select count(*) from auditctl.event").fetchone() == ddl
    assert before is not None
    assert ddl == (before[0] + 1,)


def test_the_lent_right_puts_no_policy_where_none_belongs(db: str, conn: psycopg.Connection, owner: Login) -> None:
    conn.execute("create table other (id integer); create policy auditctl_read on other using (true)")
    conn.execute("create table below () inherits (other)")
    conn.execute("set role auditctl_owner")
    denied, outside = psycopg.errors.InsufficientPrivilege, psycopg.errors.EventTriggerProtocolViolated
    for table, error in (("other", denied), ("below", denied), ("salary", outside), ("part", denied)):
        with pytest.raises(error):
            conn.execute("select auditctl_internal.put_read_policy(%s::regclass, false)", [table])


OUTSIDE: LiteralString = """
    create table heap (id integer, v text); create table range (id integer, v text) partition by range (id);
    create table member (id integer, v text); grant select on heap, range, member to public
"""
TAKEN: list[tuple[LiteralString, str]] = [
    ("alter table member inherit heap", "heap"),
    ("alter table range attach partition member for values from (0) to (10)", "range"),
]


@pytest.mark.parametrize(("statement", "parent"), TAKEN, ids=["inherited", "attached"])
def test_a_table_is_not_taken_into_one_whose_reads_leave_no_event(
    db: str, conn: psycopg.Connection, owner: Login, statement: LiteralString, parent: str
) -> None:
    with connect(owner.dsn) as session:
        session.execute(OUTSIDE)
        audit_reads(db, "member", read_force=True)
        with pytest.raises(
            psycopg.Error, match=f"a query of public.{parent} would also read it, without an event"
        ) as refused:
            session.execute(statement)
    assert refused.value.sqlstate == "UA003"
    audit_reads(db, parent, read_force=True)
    with connect(owner.dsn) as session:
        session.execute(statement)


@pytest.mark.parametrize(("statement", "parent"), TAKEN, ids=["inherited", "attached"])
def test_reads_of_a_part_alone_are_not_audited(db: str, owner: Login, statement: LiteralString, parent: str) -> None:
    with connect(owner.dsn) as session:
        session.execute(OUTSIDE)
        session.execute(statement)
    problem = f"reading public.{parent} also reads public.member and leaves no event"
    with pytest.raises(ConfigurationError, match=problem):
        audit_reads(db, "member")

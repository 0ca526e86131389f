"""A read of a table leaves one event for each statement: who, and of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with, running
from tests.support.reading import SALARY, audit_reads, read_count, reads, run

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

SELECT: LiteralString = "select * from salary where id = 1"


db_template = begin_with(running(SALARY))


def test_a_plain_login_is_recorded_as_itself(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    plain = login("plain")
    run(plain.dsn, SELECT)
    row = conn.execute(
        "select target_id, old_values, new_values, ip_address, target_name, action::text, actor, details "
        "from auditctl.activity where action = 'READ'"
    ).fetchone()
    assert row == (None, None, None, None, "public.salary", "READ", plain.name, "read")
    assert reads(conn) == [(plain.name, "database", plain.name, "public.salary", None)]


def test_an_application_is_recorded_with_the_user_it_names(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    web = login("web", roles=("auditctl_app",))
    run(
        web.dsn,
        SELECT,
        "begin",
        "select auditctl.set_context('alice', '203.0.113.7', '{\"request\": \"r1\"}')",
        SELECT,
        "commit",
    )
    assert reads(conn) == [
        (None, "system", web.name, "public.salary", None),
        ("alice", "application", web.name, "public.salary", {"request": "r1"}),
    ]
    assert conn.execute("select host(ip) from auditctl.event where actor = 'alice'").fetchall() == [("203.0.113.7",)]


def test_an_application_cannot_claim_what_only_the_log_says(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary")
    web = login("web", roles=("auditctl_app",))
    claim: LiteralString = 'select auditctl.set_context(\'a\', null, \'{"leaf": "x", "query": "y", "indirect": true}\')'
    run(web.dsn, "begin", claim, SELECT, "commit")
    assert reads(conn) == [("a", "application", web.name, "public.salary", None)]


def test_the_owner_is_recorded_with_read_force_only(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    owner = login("owner")
    conn.execute(sql.SQL("alter table salary owner to {}").format(sql.Identifier(owner.name)))
    audit_reads(db, "salary")
    run(owner.dsn, SELECT)
    assert reads(conn) == []
    audit_reads(db, "salary", read_force=True)
    run(owner.dsn, SELECT)
    assert reads(conn) == [(owner.name, "database", owner.name, "public.salary", None)]
    audit_reads(db, "salary")
    run(owner.dsn, SELECT)
    assert read_count(conn) == 1


def test_superusers_and_logins_that_row_security_does_not_hold_are_not_seen(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary", read_force=True)
    conn.execute(SELECT)
    run(login("bypass", attributes="bypassrls").dsn, SELECT)
    assert reads(conn) == []


def test_a_member_is_recorded_as_its_login_with_the_role_it_set(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary")
    group = login("group")
    member = login("member", roles=(group.name,))
    run(member.dsn, SELECT)
    with connect(member.dsn) as session:
        session.execute(sql.SQL("set role {}").format(sql.Identifier(group.name)))
        session.execute(SELECT)
    assert reads(conn) == [
        (member.name, "database", member.name, "public.salary", None),
        (member.name, "database", member.name, "public.salary", {"role": group.name}),
    ]


def test_what_a_login_reads_through_a_view_or_a_definer_function_is_said_to_be_indirect(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner, plain = login("owner"), login("plain")
    conn.execute("revoke all on salary from public; create view shown as select * from salary")
    conn.execute(
        "create function total() returns bigint language sql security definer as 'select sum(amount) from salary'"
    )
    for thing in ("view shown", "function total()"):
        conn.execute(sql.SQL(f"alter {thing} owner to {{}}").format(sql.Identifier(owner.name)))
    conn.execute(sql.SQL("grant select on salary to {}").format(sql.Identifier(owner.name)))
    conn.execute("grant select on shown to public")
    audit_reads(db, "salary")
    run(plain.dsn, "select * from shown", "select total()")
    indirect = (plain.name, "database", plain.name, "public.salary", {"indirect": True})
    assert reads(conn) == [indirect, indirect]
    conn.execute("alter function total() owner to current_user")
    run(plain.dsn, "select total()")
    assert read_count(conn) == 2, "a superuser's function is not seen"


def test_a_read_records_the_query_only_if_the_rule_says_so(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary", read_query=True)
    plain = login("plain")
    long = "select * from salary -- " + "é" * 9000
    with connect(plain.dsn) as session:
        session.execute(SELECT)
        session.execute(long.encode())
    first, second = (row[4]["query"] for row in reads(conn))
    assert first == SELECT
    assert long.startswith(second)
    assert 10236 <= len(second.encode()) <= 10240


def test_parts_are_recorded_under_the_whole_with_the_part_that_was_read(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("""
        create table whole (id integer, v text) partition by range (id);
        create table part partition of whole for values from (0) to (10);
        create table parent (id integer); create table child (w text) inherits (parent);
        insert into whole values (1, 'x'); insert into child values (1, 'y');
        grant select on whole, part, parent, child to public
    """)
    audit_reads(db, "whole", "parent")
    plain = login("plain")
    statements: tuple[LiteralString, ...] = (
        "select * from whole",
        "select * from part",
        "select * from parent",
        "table child",
    )
    run(plain.dsn, *statements)
    expected: list[tuple[str, Any]] = [
        ("public.whole", None), ("public.whole", {"leaf": "public.part"}),
        ("public.parent", None), ("public.parent", {"leaf": "public.child"}),
    ]  # fmt: skip
    assert [row[3:] for row in reads(conn)] == expected

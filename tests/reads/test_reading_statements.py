"""Which statements are a read: each kind once, and some not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.actions import Action
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with, running
from tests.support.reading import SALARY, audit_reads, read_count, reads, run
from tests.support.versions import MERGE, knows

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin


db_template = begin_with(running(SALARY))


ONCE: list[tuple[LiteralString, ...]] = [
    ("select * from salary",),
    ("select count(*) from salary",),
    ("select 1 from salary a join salary b using (id) where a.id in (select id from salary)",),
    ("with s as (select * from salary) select * from s",),
    ("select (select amount from salary where id = 1)",),
    ("copy salary to stdout",),
    ("copy (select * from salary) to stdout",),
    ("insert into salary values (9, 'x', 1) returning id",),
    ("update salary set amount = 1 where id = 1",),
    ("update salary set amount = 1 where id = 1 returning amount",),
    ("delete from salary where id = 1 returning person",),
    ("insert into salary values (1, 'x', 1) on conflict (id) do update set amount = salary.amount + 1",),
    ("select * from salary for update",),
    ("table salary",),
    ("create temp table copied as select * from salary",),
    ("do $$ begin perform * from salary; perform * from salary; end $$",),
    ("explain analyze select * from salary",),
    ("begin", "declare c cursor for select * from salary", "fetch 1 from c", "fetch 1 from c", "commit"),
    ("begin", "declare c cursor with hold for select * from salary", "commit", "fetch 1 from c"),
    ("begin", "savepoint a", "select * from salary", "release a", "commit"),
    ("begin", "savepoint a", "select * from salary", "rollback to a", "commit", "select * from salary"),
    ("select * from salary where ctid = '(0,1)'",),
    (
        "set max_parallel_workers_per_gather = 8",
        "set min_parallel_table_scan_size = 0",
        "select sum(amount) from salary",
    ),
]


@pytest.mark.parametrize("statements", ONCE, ids=lambda statements: statements[-1][:60])
def test_a_statement_is_one_read_however_often_it_names_the_table(
    db: str, conn: psycopg.Connection, login: MakeLogin, statements: tuple[LiteralString, ...]
) -> None:
    audit_reads(db, "salary")
    plain = login("plain")
    with connect(plain.dsn) as session:
        for statement in statements:
            if statement.startswith("copy"):
                with session.cursor().copy(statement) as copy:
                    assert list(copy)
            else:
                session.execute(statement)
    assert reads(conn) == [(plain.name, "database", plain.name, "public.salary", None)]


NEVER: list[tuple[LiteralString, ...]] = [
    ("select * from salary where id = 77",),
    ("select * from salary where false",),
    ("explain select * from salary",),
    ("insert into salary values (9, 'x', 1)",),
    ("insert into salary values (1, 'x', 1) on conflict do nothing",),
    ("begin", "select * from salary", "rollback"),
    ("begin read only", "select * from salary", "commit"),
    ("select reltuples from pg_class where relname = 'salary'",),
]


@pytest.mark.parametrize("statements", NEVER, ids=lambda statements: " ".join(statements)[:60])
def test_what_finds_no_row_reads_nothing_or_is_undone_leaves_no_event(
    db: str, conn: psycopg.Connection, login: MakeLogin, statements: tuple[LiteralString, ...]
) -> None:
    audit_reads(db, "salary")
    run(login("plain").dsn, *statements)
    assert reads(conn) == []


def test_merge_is_one_read(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session:
        merges = knows(
            session, MERGE,
            "merge into salary s using (select 1 as id) n on s.id = n.id when matched then update set amount = 0",
        )  # fmt: skip
    assert read_count(conn) == int(merges)


def test_truncate_is_no_read(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("grant truncate on salary to public")
    audit_reads(db, "salary", actions=(Action.READ, Action.TRUNCATE))
    run(login("plain").dsn, "truncate salary")
    assert conn.execute("select action::text from auditctl.event where target = 'public.salary'").fetchall() == [
        ("TRUNCATE",)
    ]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_each_execution_of_a_prepared_statement_is_a_read(
    db: str, conn: psycopg.Connection, login: MakeLogin, mode: str
) -> None:
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session:
        session.execute(f"set plan_cache_mode = {mode}".encode())
        session.execute("prepare p (integer) as select * from salary where id = $1")
        for _ in range(8):
            session.execute("execute p (1)")
        for _ in range(8):
            session.execute("select * from salary where id = %s", [1], prepare=True)
    assert read_count(conn) == 16


def test_reads_before_and_after_a_change_of_role_in_a_cached_plan_are_recorded(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary")
    plain = login("plain")
    conn.execute("prepare p as select * from salary")
    conn.execute("execute p")
    conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(plain.name)))
    conn.execute("execute p")
    conn.execute("reset session authorization")
    conn.execute("execute p")
    assert [row[:3] for row in reads(conn)] == [(plain.name, "database", plain.name)]


def test_a_stable_function_that_reads_is_recorded(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("""
        create function one() returns integer language sql stable as 'select amount from salary where id = 1';
        create function two() returns integer language plpgsql stable as
            $$ begin return (select amount from salary where id = 2); end $$
    """)
    audit_reads(db, "salary")
    run(login("plain").dsn, "select one()", "select two()")
    assert read_count(conn) == 2


def test_foreign_keys_look_without_reading(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("create table paid (id integer references salary on delete cascade); grant all on paid to public")
    audit_reads(db, "salary", "paid", read_force=True)
    plain = login("plain")
    run(plain.dsn, "insert into paid values (1)")
    assert reads(conn) == []
    with connect(plain.dsn) as session, pytest.raises(psycopg.errors.ForeignKeyViolation):
        session.execute("insert into paid values (77)")


def test_reads_in_two_tables_of_one_statement_are_two_events(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute("create table other as select * from salary; grant select on other to public")
    audit_reads(db, "salary", "other")
    run(login("plain").dsn, "select * from salary join other using (id) join salary again using (id)")
    assert sorted(row[3] for row in reads(conn)) == ["public.other", "public.salary"]


def test_several_statements_in_one_message_are_one_read(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    run(login("plain").dsn, "select * from salary where id = 1; select * from salary where id = 2")
    assert read_count(conn) == 1


def test_a_commit_inside_a_block_keeps_the_reads_on_either_side(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary")
    run(login("plain").dsn, "do $$ begin perform * from salary; commit; perform * from salary; rollback; end $$")
    assert read_count(conn) == 1

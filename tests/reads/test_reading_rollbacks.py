"""A read leaves an event also where a rollback to a savepoint undid the first one and rows are read afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import Login, connect, prepared
from tests.support.reading import SALARY, audit_reads, read_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with a table whose reads are audited."""

    def make(dsn: str) -> None:
        with connect(dsn) as conn:
            conn.execute(SALARY)
            conn.execute("insert into salary select g, 'x', g from generate_series(3, 1000) as g; analyze salary")
        audit_reads(dsn, "salary")

    with prepared(server, template, make) as name:
        yield name


REPLAY: LiteralString = """
    do $$
    declare
        v_mark text; v_rows bigint;
        v_setting constant text := 'auditctl.read_' || 'salary'::regclass::oid;
    begin
        begin
            perform * from salary;
            v_mark := current_setting(v_setting);
            raise exception 'undo';
        exception when raise_exception then null;
        end;
        perform set_config(v_setting, v_mark, {});
        select count(*) into v_rows from salary;
    end $$
"""

READING: dict[str, tuple[int, tuple[LiteralString, ...]]] = {
    "first fetch undone": (
        1,
        (
            "begin", "declare c cursor for select * from salary", "savepoint s", "fetch 1 from c", "rollback to s",
            "fetch all from c", "commit",
        ),
    ),
    "first fetch undone twice": (
        1,
        (
            "begin", "savepoint r", "declare c cursor for select * from salary", "savepoint s", "fetch 1 from c",
            "rollback to s", "savepoint t", "fetch 1 from c", "rollback to t", "fetch all from c", "commit",
        ),
    ),
    "released, then undone": (
        1,
        (
            "begin", "declare c cursor for select * from salary", "savepoint s", "savepoint t", "fetch 1 from c",
            "release t", "rollback to s", "fetch all from c", "commit",
        ),
    ),
    "with hold": (
        1,
        (
            "begin", "declare c cursor with hold for select * from salary", "savepoint s", "fetch 1 from c",
            "rollback to s", "commit", "fetch all from c",
        ),
    ),
    "by an index": (
        1,
        (
            "begin", "set local enable_seqscan = off",
            "declare c cursor for select * from salary where id > 5 order by id",
            "savepoint s", "fetch 1 from c", "rollback to s", "fetch all from c", "commit",
        ),
    ),
    "by a join": (
        1,
        (
            "begin", "declare c cursor for select * from salary as a, salary as b where a.id < 50",
            "savepoint s", "fetch 1 from c", "rollback to s", "fetch all from c", "commit",
        ),
    ),
    "kept": (
        1,
        (
            "begin", "declare c cursor for select * from salary", "savepoint s", "fetch 1 from c", "release s",
            "fetch all from c", "commit",
        ),
    ),
    "cursor of the savepoint": (
        1,
        (
            "begin", "savepoint s", "declare c cursor for select * from salary", "fetch 1 from c", "fetch all from c",
            "release s", "commit",
        ),
    ),
    "an exception block": (
        1,
        (
            """do $$
            declare c cursor for select * from salary; r salary; n integer := 0;
            begin
                open c;
                begin
                    fetch c into r;
                    raise exception 'undo';
                exception when raise_exception then null;
                end;
                loop fetch c into r; exit when not found; n := n + 1; end loop;
                assert n = 999;
            end $$""",
        ),
    ),
    "recorded by another read that is undone": (
        1,
        (
            """do $$
            declare c cursor for select * from salary; r salary;
            begin
                open c;
                begin
                    perform * from salary;
                    fetch c into r;
                    raise exception 'undo';
                exception when raise_exception then null;
                end;
                loop fetch c into r; exit when not found; end loop;
            end $$""",
        ),
    ),
    "mark put back": (1, (REPLAY.replace("{}", "true"),)),
    "mark put back for the session": (1, (REPLAY.replace("{}", "false"),)),
    "mark put back after the transaction": (
        1,
        (
            """do $$
            declare v_mark text; v_setting constant text := 'auditctl.read_' || 'salary'::regclass::oid;
            begin
                perform * from salary;
                v_mark := current_setting(v_setting);
                rollback;
                perform set_config(v_setting, v_mark, true);
                perform * from salary;
                commit;
            end $$""",
        ),
    ),
    "a prepared statement": (
        1,
        (
            "prepare p as select * from salary", "begin", "savepoint s", "execute p", "rollback to s", "execute p",
            "commit",
        ),
    ),
    "a function in the list": (
        1,
        (
            """create function pg_temp.f() returns bigint language plpgsql as $$
            declare n bigint;
            begin
                begin
                    select count(*) into n from salary;
                    raise exception 'undo';
                exception when raise_exception then null;
                end;
                select count(*) into n from salary;
                return n;
            end $$""",
            "select pg_temp.f() from generate_series(1, 3)",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READING)
def test_a_read_is_recorded_although_a_rollback_undid_the_event_of_its_first_row(
    conn: psycopg.Connection, owner: Login, name: str
) -> None:
    expected, statements = READING[name]
    with connect(owner.dsn) as session:
        for statement in statements:
            session.execute(statement)
    assert read_count(conn) == expected


def test_rows_that_were_sorted_before_the_rollback_and_a_whole_read_that_is_undone_leave_only_a_line(
    conn: psycopg.Connection, owner: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("begin; declare c cursor for select * from salary order by amount; savepoint s")
        session.execute("fetch 1 from c")
        session.execute("rollback to s")
        assert len(session.execute("fetch all from c").fetchall()) == 999
        session.execute("savepoint s")
        session.execute("select * from salary")
        session.execute("rollback to s")
        session.execute("commit")
    assert read_count(conn) == 0


def test_the_condition_of_the_policy_hides_no_row_and_keeps_estimates(conn: psycopg.Connection, owner: Login) -> None:
    with connect(owner.dsn) as session:
        assert session.execute("select count(*) from salary").fetchone() == (1000,)
        ((plan,),) = session.execute("explain (format json) select * from salary").fetchall()
        assert plan[0]["Plan"]["Plan Rows"] >= 900
        assert session.execute("select count(*) from salary").fetchone() == (1000,)
    with connect(owner.dsn) as session:
        session.execute("begin; set transaction read only")
        assert session.execute("select count(*) from salary").fetchone() == (1000,)
    assert read_count(conn) == 2

"""The log holds what was committed and nothing else, however a transaction began and ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.replaying import changes, counted, replay, rows

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

ITEM = "public.item"
BEFORE = [(None, {"id": 1, "n": 0}), (None, {"id": 2, "n": 0})]

TABLES = """
    create table item (id int primary key, n int not null);
    insert into item values (1, 0), (2, 0);
    grant all on item to public
"""

db_template = begin_with(audited(TABLES, "item"))


@pytest.fixture
def item(db: str) -> str:
    """The DSN of an audited table with two rows, that everybody may write."""
    return db


def create(number: int, n: int) -> tuple[str, str, None, dict[str, int], None]:
    return ("CREATE", str(number), None, {"id": number, "n": n}, None)


def update(number: int, old: int, new: int) -> tuple[str, str, dict[str, int], dict[str, int], None]:
    return ("UPDATE", str(number), {"n": old}, {"n": new}, None)


FAILURES: list[tuple[str, LiteralString, type[psycopg.Error]]] = [
    ("the last row is there already", "insert into item values (3, 0), (1, 0)", psycopg.errors.UniqueViolation),
    ("a row divides by zero", "update item set n = 1 / (2 - id)", psycopg.errors.DivisionByZero),
    ("a row lacks a value", "update item set n = case id when 1 then 1 end", psycopg.errors.NotNullViolation),
    (
        "a later part of the query fails",
        "with gone as (delete from item returning id) select 1 / (id - 2) from gone",
        psycopg.errors.DivisionByZero,
    ),
    ("a later statement fails", "truncate item; insert into item values (1, null)", psycopg.errors.NotNullViolation),
]


@pytest.mark.parametrize(("statement", "error"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_statement_that_fails_leaves_nothing(
    conn: psycopg.Connection, item: str, statement: LiteralString, error: type[psycopg.Error]
) -> None:
    with pytest.raises(error):
        conn.execute(statement)
    assert changes(conn, ITEM) == []
    assert rows(conn, ITEM) == BEFORE


def test_a_copy_that_fails_halfway_leaves_nothing(conn: psycopg.Connection, item: str) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation), conn.cursor().copy("copy item from stdin") as copy:
        for number in range(10, 3000):
            copy.write_row((number, number))
        copy.write(b"3000\tnonsense\n")
    with pytest.raises(KeyError), conn.cursor().copy("copy item from stdin") as copy:
        copy.write(b"4000\t1\n")
        raise KeyError("the client gives up")
    assert changes(conn, ITEM) == []


def test_a_transaction_that_ends_without_a_commit_leaves_nothing(conn: psycopg.Connection, item: str) -> None:
    everything = "insert into item values (3, 3); update item set n = 9; delete from item; truncate item"
    with conn.transaction(force_rollback=True):
        conn.execute(everything)
    with closing(connect(item)) as leaving:
        leaving.execute(f"begin; {everything}")
    with closing(connect(item)) as ended, pytest.raises(psycopg.OperationalError):
        ended.execute(f"begin; {everything}")
        conn.execute("select pg_terminate_backend(%s, 10000)", [ended.info.backend_pid])
        ended.execute("commit")
    assert changes(conn, ITEM) == []
    assert rows(conn, ITEM) == BEFORE


def test_what_a_savepoint_takes_back_is_not_in_the_log(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        begin;
        update item set n = 1 where id = 1;
        savepoint a;
        update item set n = 2 where id = 1;
        savepoint b;
        delete from item where id = 2;
        release b;
        rollback to a;
        insert into item values (3, 3);
        savepoint a;
        truncate item;
        rollback to a;
        rollback to a;
        update item set n = 4 where id = 1;
        release a;
        commit
    """)
    assert changes(conn, ITEM) == [update(1, 0, 1), create(3, 3), update(1, 1, 4)]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


def test_what_an_exception_block_takes_back_is_not_in_the_log(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        do $$
        begin
            for v_id in 1..4 loop
                update item set n = n + 1 where id = 1;
                begin
                    insert into item values (v_id, v_id);
                    update item set n = n + 10 where id = 1;
                exception when unique_violation then
                    update item set n = n + 100 where id = v_id;
                end;
            end loop;
            begin
                delete from item;
                raise exception 'taken back';
            exception when raise_exception then
                null;
            end;
        end $$
    """)
    assert changes(conn, ITEM) == [
        update(1, 0, 1),
        update(1, 1, 101),
        update(1, 101, 102),
        update(2, 0, 100),
        update(1, 102, 103),
        create(3, 3),
        update(1, 103, 113),
        update(1, 113, 114),
        create(4, 4),
        update(1, 114, 124),
    ]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


def test_a_procedure_that_commits_and_takes_back_leaves_what_it_committed(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        create procedure work() language plpgsql as $$
        begin
            for v_id in 10..15 loop
                insert into item values (v_id, v_id);
                if v_id % 2 = 0 then commit; else rollback; end if;
            end loop;
        end $$
    """)
    conn.execute("call work()")
    assert changes(conn, ITEM) == [create(10, 10), create(12, 12), create(14, 14)]
    assert conn.execute("select count(distinct xact_id) from auditctl.event where target = %s", [ITEM]).fetchone() == (
        3,
    )


def test_a_prepared_transaction_is_in_the_log_once_it_is_committed_under_the_name_of_its_writer(
    conn: psycopg.Connection, item: str, login: MakeLogin
) -> None:
    writer = login("writer", dsn=item)
    with connect(writer.dsn) as session:
        session.execute("begin; update item set n = 5 where id = 1; delete from item where id = 2")
        session.execute("savepoint a; truncate item; rollback to a; prepare transaction 'kept'")
        session.execute("begin; insert into item values (3, 3); prepare transaction 'given up'")
    assert changes(conn, ITEM) == []
    conn.execute("rollback prepared 'given up'")
    assert changes(conn, ITEM) == []
    conn.execute("commit prepared 'kept'")
    assert changes(conn, ITEM) == [update(1, 0, 5), ("DELETE", "2", {"id": 2, "n": 0}, None, None)]
    assert conn.execute(
        "select distinct actor, actor_kind, db_user from auditctl.event where target = %s", [ITEM]
    ).fetchall() == [(writer.name, "database", writer.name)]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


@pytest.mark.parametrize(
    "level",
    [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE],
    ids=lambda level: level.name.lower().replace("_", " "),
)
def test_a_transaction_that_cannot_be_serialized_leaves_nothing_and_its_repetition_everything(
    conn: psycopg.Connection, item: str, level: IsolationLevel
) -> None:
    with psycopg.connect(item) as late:
        late.isolation_level = level
        assert late.execute("select sum(n) from item").fetchone() == (0,)
        late.execute("insert into item values (4, 4)")
        conn.execute("update item set n = 1 where id = 1")
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.execute("update item set n = 2 where id = 1")
        late.rollback()
        late.execute("insert into item values (4, 4)")
        late.execute("update item set n = 2 where id = 1")
    assert changes(conn, ITEM) == [update(1, 0, 1), create(4, 4), update(1, 1, 2)]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


def test_of_two_transactions_that_skew_each_other_only_one_is_in_the_log(conn: psycopg.Connection, item: str) -> None:
    with psycopg.connect(item) as one, psycopg.connect(item) as other:
        for session, number in ((one, 1), (other, 2)):
            session.isolation_level = IsolationLevel.SERIALIZABLE
            session.execute("select sum(n) from item")
            session.execute("update item set n = 1 where id = %s", [number])
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.commit()
    assert changes(conn, ITEM) == [update(1, 0, 1)]


def test_sessions_that_write_at_once_leave_one_event_each(conn: psycopg.Connection, item: str) -> None:
    def write(number: int) -> None:
        with connect(item) as session:
            session.execute("update item set n = n + 1 where id = 1")
            session.execute("insert into item values (%s, 0) on conflict (id) do update set n = item.n + 1", [50])
            session.execute("insert into item values (%s, %s)", [100 + number, number])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert counted(conn, ITEM) == {"UPDATE": 24 + 23, "CREATE": 1 + 24}
    assert rows(conn, ITEM) == replay(conn, ITEM, BEFORE)
    assert [change for change in changes(conn, ITEM) if change[1] == "1"] == [update(1, n, n + 1) for n in range(24)]

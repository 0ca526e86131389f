"""Every statement that changes rows leaves one event for each row that it changed, and none for the others."""

from __future__ import annotations

import psycopg
import pytest

from tests.fixtures.templates import audited, begin_with
from tests.support.capturing import audit
from tests.support.replaying import changes, counted, order, replay, rows
from tests.support.versions import MERGE, MERGE_BY_SOURCE, VIRTUAL_COLUMNS, knows

TABLES = """
    create table item (id int primary key, v text);
    insert into item values (1, 'one'), (2, 'two'), (3, 'three')
"""

db_template = begin_with(audited(TABLES, "item"), fixture="item")


@pytest.fixture
def item(db: str) -> str:
    """An audited table with three rows that were there before."""
    return "public.item"


BEFORE = [(None, {"id": 1, "v": "one"}), (None, {"id": 2, "v": "two"}), (None, {"id": 3, "v": "three"})]


def test_statements_of_many_rows_leave_an_event_for_each_row_they_change(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        insert into item values (4, 'four'), (5, 'five');
        update item set v = upper(v) where id <> 2;
        update item set v = 'TWO' where id < 3 and v in ('ONE', 'two', 'TWO');
        delete from item where id in (1, 4);
        update item set v = 'nobody' where id = 99;
        delete from item where false
    """)
    # In which order a statement comes to its rows is the planner's choice.
    assert sorted(changes(conn, item), key=repr) == [
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("CREATE", "5", None, {"id": 5, "v": "five"}, None),
        ("DELETE", "1", {"id": 1, "v": "TWO"}, None, None),
        ("DELETE", "4", {"id": 4, "v": "FOUR"}, None, None),
        ("UPDATE", "1", {"v": "ONE"}, {"v": "TWO"}, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "ONE"}, None),
        ("UPDATE", "2", {"v": "two"}, {"v": "TWO"}, None),
        ("UPDATE", "3", {"v": "three"}, {"v": "THREE"}, None),
        ("UPDATE", "4", {"v": "four"}, {"v": "FOUR"}, None),
        ("UPDATE", "5", {"v": "five"}, {"v": "FIVE"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_an_upsert_leaves_what_it_did_to_each_row(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        insert into item values (1, 'new'), (2, 'two'), (4, 'four')
            on conflict (id) do update set v = excluded.v;
        insert into item values (1, 'ignored'), (5, 'five') on conflict do nothing;
        insert into item values (3, 'refused') on conflict (id) do update set v = excluded.v where item.v = 'other';
        insert into item values (3, 'same') on conflict (id) do update set v = item.v
    """)
    assert changes(conn, item) == [
        ("UPDATE", "1", {"v": "one"}, {"v": "new"}, None),
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("CREATE", "5", None, {"id": 5, "v": "five"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_merge_leaves_an_event_for_each_row_it_inserts_updates_or_deletes(conn: psycopg.Connection, item: str) -> None:
    if knows(
        conn,
        MERGE,
        """
        merge into item using (values (1, 'uno'), (2, 'gone'), (3, 'three'), (4, 'four'), (5, 'skip')) as s (id, v)
           on item.id = s.id
        when matched and s.v = 'gone' then delete
        when matched then update set v = s.v
        when not matched and s.v = 'skip' then do nothing
        when not matched then insert values (s.id, s.v)
        """,
    ):
        assert changes(conn, item) == [
            ("UPDATE", "1", {"v": "one"}, {"v": "uno"}, None),
            ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
            ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_merge_that_looks_for_what_its_source_lacks(conn: psycopg.Connection, item: str) -> None:
    if knows(
        conn,
        MERGE_BY_SOURCE,
        """
        merge into item using (values (1, 'uno')) as s (id, v) on item.id = s.id
        when matched then update set v = s.v
        when not matched by source and item.id = 2 then delete
        when not matched by source then update set v = 'orphan'
        returning merge_action()
        """,
    ):
        assert sorted(changes(conn, item), key=repr) == [
            ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
            ("UPDATE", "1", {"v": "one"}, {"v": "uno"}, None),
            ("UPDATE", "3", {"v": "three"}, {"v": "orphan"}, None),
        ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_each_part_of_a_query_that_writes_is_captured(db: str, conn: psycopg.Connection, item: str) -> None:
    conn.execute("create table archive (id int primary key, v text)")
    audit(db, "archive")
    conn.execute("""
        with gone as (delete from item where id < 3 returning *),
             kept as (insert into archive select * from gone returning id),
             unread as (update item set v = 'seen' where id = 3)
        insert into archive select id * 10, 'copy' from kept
    """)
    assert sorted(changes(conn, item), key=repr) == [
        ("DELETE", "1", {"id": 1, "v": "one"}, None, None),
        ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
        ("UPDATE", "3", {"v": "three"}, {"v": "seen"}, None),
    ]
    assert sorted(changes(conn, "public.archive"), key=repr) == [
        ("CREATE", "1", None, {"id": 1, "v": "one"}, None),
        ("CREATE", "10", None, {"id": 10, "v": "copy"}, None),
        ("CREATE", "2", None, {"id": 2, "v": "two"}, None),
        ("CREATE", "20", None, {"id": 20, "v": "copy"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)
    assert replay(conn, "public.archive") == rows(conn, "public.archive")


def test_a_row_that_one_query_would_change_twice_is_changed_and_recorded_once(
    conn: psycopg.Connection, item: str
) -> None:
    conn.execute("""
        with first as (update item set v = 'a' where id = 1 returning id)
        update item set v = 'b' from first where item.id = first.id;
        update item set v = s.v from (values (2, 'x'), (2, 'y')) as s (id, v) where s.id = item.id
    """)
    assert counted(conn, item) == {"UPDATE": 2}
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_a_row_under_a_cursor_is_captured(conn: psycopg.Connection, item: str) -> None:
    with conn.transaction():
        conn.execute("declare reader cursor for select * from item order by id for update")
        conn.execute("fetch 2 from reader; update item set v = 'found' where current of reader")
        conn.execute("fetch 1 from reader; delete from item where current of reader")
    assert changes(conn, item) == [
        ("UPDATE", "2", {"v": "two"}, {"v": "found"}, None),
        ("DELETE", "3", {"id": 3, "v": "three"}, None, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_writes_that_read_other_rows_are_captured(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        insert into item select id + 10, v from item where id > 1 order by id;
        delete from item using item as other where item.id = other.id + 10 and other.id = 2;
        update item set v = other.v from item as other where item.id = 1 and other.id = 13
    """)
    assert changes(conn, item) == [
        ("CREATE", "12", None, {"id": 12, "v": "two"}, None),
        ("CREATE", "13", None, {"id": 13, "v": "three"}, None),
        ("DELETE", "12", {"id": 12, "v": "two"}, None, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "three"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_generated_columns_and_numbers_are_recorded_as_they_were_stored(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table line (
            id int generated always as identity primary key, n int default 7,
            twice int generated always as (n * 2) stored
        )
    """)
    audit(db, "line")
    conn.execute("""
        insert into line default values;
        insert into line (id, n) overriding system value values (50, 5);
        insert into line (id, n) overriding user value values (60, 6);
        update line set n = 8 where id = 1;
        update line set id = default where id = 50
    """)
    assert changes(conn, "public.line") == [
        ("CREATE", "1", None, {"id": 1, "n": 7, "twice": 14}, None),
        ("CREATE", "50", None, {"id": 50, "n": 5, "twice": 10}, None),
        ("CREATE", "2", None, {"id": 2, "n": 6, "twice": 12}, None),
        ("UPDATE", "1", {"n": 7, "twice": 14}, {"n": 8, "twice": 16}, None),
        ("UPDATE", "3", {"id": 50}, {"id": 3}, None),
    ]
    assert replay(conn, "public.line") == rows(conn, "public.line")


def test_a_column_that_is_computed_on_reading_is_not_recorded(db: str, conn: psycopg.Connection) -> None:
    made = knows(
        conn,
        VIRTUAL_COLUMNS,
        "create table line (id int primary key, n int, twice int generated always as (n * 2) virtual)",
    )
    if made:
        audit(db, "line")
        conn.execute("insert into line values (1, 2); update line set n = 3; delete from line")
    assert changes(conn, "public.line") == (
        [
            ("CREATE", "1", None, {"id": 1, "n": 2}, None),
            ("UPDATE", "1", {"n": 2}, {"n": 3}, None),
            ("DELETE", "1", {"id": 1, "n": 3}, None, None),
        ]
        if made
        else []
    )


def test_writes_through_views_are_captured_on_the_table(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        create view small as select id as number, v from item where id < 5 with check option;
        create view smaller as select number, upper(v) as shout, v from small;
        insert into small values (4, 'four');
        update smaller set v = 'two, seen' where shout = 'TWO';
        delete from smaller where number = 1
    """)
    with pytest.raises(psycopg.errors.WithCheckOptionViolation):
        conn.execute("insert into small values (0, 'fits'), (5, 'too large')")
    assert changes(conn, item) == [
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("UPDATE", "2", {"v": "two"}, {"v": "two, seen"}, None),
        ("DELETE", "1", {"id": 1, "v": "one"}, None, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_what_changes_no_row_records_nothing(conn: psycopg.Connection, item: str) -> None:
    for statement in (
        "select * from item for update",
        "table item",
        "copy item to stdout",
        "vacuum full item",
        "cluster item using item_pkey",
        "reindex table item",
        "analyze item",
        "lock table item",
        "explain update item set v = 'planned'",
    ):
        if statement.startswith("copy"):
            with conn.cursor().copy(statement) as copy:
                assert len(list(copy)) == len(BEFORE)
        elif statement.startswith("lock"):
            with conn.transaction():
                conn.execute(statement)
        else:
            conn.execute(statement)
    assert rows(conn, item) == BEFORE
    assert order(conn, item) == []

"""Writes that go through, past and between the partitions of a table, and to what inherits from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import database
from auditctl.capture import apply as capture_apply
from tests.fixtures.templates import audited, begin_with
from tests.support.capturing import apply, audit, events, pending
from tests.support.replaying import changes, counted, replay, rows
from tests.support.versions import MERGE, knows

if TYPE_CHECKING:
    from tests.support.replaying import Row

TREE = """
    create table sale (id int, shop text, n int, primary key (id, shop)) partition by range (id);
    create table sale_low partition of sale for values from (0) to (100) partition by list (shop);
    create table sale_low_a partition of sale_low for values in ('a') partition by hash (id);
    create table sale_low_a0 partition of sale_low_a for values with (modulus 2, remainder 0);
    create table sale_low_a1 partition of sale_low_a for values with (modulus 2, remainder 1);
    create table sale_low_b partition of sale_low for values in ('b');
    create table sale_rest (n int, gone int, shop text not null, id int not null);
    alter table sale_rest drop column gone;
    alter table sale attach partition sale_rest default;
    insert into sale values (1, 'a', 10), (2, 'a', 20), (1, 'b', 30), (100, 'a', 40)
"""
"""Four levels, with leaves of which one has its columns in another order, and four rows."""

A0, A1, B, REST = "public.sale_low_a0", "public.sale_low_a1", "public.sale_low_b", "public.sale_rest"
SALE = "public.sale"


db_template = begin_with(audited(TREE, "sale"), fixture="before")


@pytest.fixture
def before(conn: psycopg.Connection) -> list[Row]:
    """The audited tree's rows."""
    return rows(conn, SALE)


def place(conn: psycopg.Connection, number: int) -> str:
    """The leaf of shop `a` that a number's hash chooses, which no test should presume."""
    row = conn.execute("select satisfies_hash_partition('sale_low_a'::regclass, 2, 0, %s::int)", [number]).fetchone()
    assert row is not None
    return A0 if row[0] else A1


def test_a_row_that_moves_between_partitions_is_deleted_there_and_created_here(
    conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("update sale set shop = 'b', n = 11 where id = 2")
    conn.execute("update sale_low set shop = 'a' where id = 2")
    conn.execute("update sale set id = 102 where id = 2")
    conn.execute("update sale set n = 0 where id = 102")
    two = place(conn, 2)
    assert changes(conn, SALE) == [
        ("DELETE", '[2, "a"]', {"id": 2, "shop": "a", "n": 20}, None, two),
        ("CREATE", '[2, "b"]', None, {"id": 2, "shop": "b", "n": 11}, B),
        ("DELETE", '[2, "b"]', {"id": 2, "shop": "b", "n": 11}, None, B),
        ("CREATE", '[2, "a"]', None, {"id": 2, "shop": "a", "n": 11}, two),
        ("DELETE", '[2, "a"]', {"id": 2, "shop": "a", "n": 11}, None, two),
        ("CREATE", '[102, "a"]', None, {"id": 102, "shop": "a", "n": 11}, REST),
        ("UPDATE", '[102, "a"]', {"n": 11}, {"n": 0}, REST),
    ]
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_a_statement_that_moves_some_rows_and_changes_others_records_each_as_what_happened_to_it(
    conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("update sale set shop = 'b', n = n + 1 where id = 2 or shop = 'b'")
    assert sorted(changes(conn, SALE), key=repr) == [
        ("CREATE", '[2, "b"]', None, {"id": 2, "shop": "b", "n": 21}, B),
        ("DELETE", '[2, "a"]', {"id": 2, "shop": "a", "n": 20}, None, place(conn, 2)),
        ("UPDATE", '[1, "b"]', {"n": 30}, {"n": 31}, B),
    ]
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_copy_upsert_and_writes_to_any_level_are_captured(conn: psycopg.Connection, before: list[Row]) -> None:
    with conn.cursor().copy("copy sale from stdin") as copy:
        copy.write(b"3\tb\t1\n103\tz\t2\n")
    with conn.cursor().copy("copy sale_rest (id, shop, n) from stdin") as copy:
        copy.write(b"104\tz\t3\n")
    conn.execute("""
        insert into sale values (3, 'b', 9), (4, 'b', 4) on conflict (id, shop) do update set n = excluded.n;
        insert into sale_low_b values (5, 'b', 5);
        update sale_rest set n = 7 where id = 103;
        delete from sale_low where id in (4, 5);
        with moved as (delete from sale_rest where id = 104 returning *)
            insert into sale select 6, 'b', n from moved
    """)
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("insert into sale_low_b values (7, 'b', 7), (7, 'c', 7)")
    assert changes(conn, SALE) == [
        ("CREATE", '[3, "b"]', None, {"id": 3, "shop": "b", "n": 1}, B),
        ("CREATE", '[103, "z"]', None, {"id": 103, "shop": "z", "n": 2}, REST),
        ("CREATE", '[104, "z"]', None, {"id": 104, "shop": "z", "n": 3}, REST),
        ("UPDATE", '[3, "b"]', {"n": 1}, {"n": 9}, B),
        ("CREATE", '[4, "b"]', None, {"id": 4, "shop": "b", "n": 4}, B),
        ("CREATE", '[5, "b"]', None, {"id": 5, "shop": "b", "n": 5}, B),
        ("UPDATE", '[103, "z"]', {"n": 2}, {"n": 7}, REST),
        ("DELETE", '[4, "b"]', {"id": 4, "shop": "b", "n": 4}, None, B),
        ("DELETE", '[5, "b"]', {"id": 5, "shop": "b", "n": 5}, None, B),
        ("DELETE", '[104, "z"]', {"id": 104, "shop": "z", "n": 3}, None, REST),
        ("CREATE", '[6, "b"]', None, {"id": 6, "shop": "b", "n": 3}, B),
    ]
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_merge_across_partitions_is_captured(conn: psycopg.Connection, before: list[Row]) -> None:
    merged = knows(
        conn,
        MERGE,
        """
        merge into sale
        using (values (2, 'a', 'b'), (1, 'b', 'b'), (100, 'a', null), (8, 'b', 'b')) as s (id, was, is_now)
           on sale.id = s.id and sale.shop = s.was
        when matched and s.is_now is null then delete
        when matched then update set shop = s.is_now, n = n + 1
        when not matched then insert values (s.id, s.is_now, 0)
        """,
    )
    found = [
        ("CREATE", '[2, "b"]', None, {"id": 2, "shop": "b", "n": 21}, B),
        ("CREATE", '[8, "b"]', None, {"id": 8, "shop": "b", "n": 0}, B),
        ("DELETE", '[100, "a"]', {"id": 100, "shop": "a", "n": 40}, None, REST),
        ("DELETE", '[2, "a"]', {"id": 2, "shop": "a", "n": 20}, None, place(conn, 2)),
        ("UPDATE", '[1, "b"]', {"n": 30}, {"n": 31}, B),
    ]
    assert sorted(changes(conn, SALE), key=repr) == (found if merged else [])
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_a_truncated_partition_is_one_event_and_the_whole_one_for_each_table(
    conn: psycopg.Connection, before: list[Row]
) -> None:
    low = ("public.sale_low", "public.sale_low_a", A0, A1, B)
    conn.execute("truncate sale_low_b; truncate sale_low_a; truncate only sale_rest")
    assert changes(conn, SALE) == [
        ("TRUNCATE", None, None, None, name) for name in (B, "public.sale_low_a", A0, A1, REST)
    ]
    with pytest.raises(psycopg.errors.WrongObjectType):
        conn.execute("truncate only sale")
    conn.execute("truncate sale")
    whole = changes(conn, SALE)[5:]
    assert whole[0] == ("TRUNCATE", None, None, None, None)
    assert sorted(change[4] or "" for change in whole[1:]) == sorted([*low, REST])
    assert counted(conn, SALE) == {"TRUNCATE": 12}
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_partitions_that_come_and_go_are_captured_while_they_belong_to_the_table(
    db: str, conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("delete from sale_rest")
    conn.execute("""
        create table sale_new partition of sale for values from (200) to (300);
        create table sale_old (like sale including all);
        insert into sale_old values (300, 'x', 1);
        alter table sale attach partition sale_old for values from (300) to (400);
        insert into sale values (200, 'x', 1);
        update sale set n = 2 where id >= 200;
        update sale set id = 201 where id = 300
    """)
    apply(db)
    assert pending(db) == []
    conn.execute("""
        truncate sale_old;
        alter table sale detach partition sale_new;
        drop table sale_old
    """)
    apply(db)
    assert pending(db) == []
    conn.execute("insert into sale_new values (202, 'x', 3); truncate sale_new; insert into sale values (203, 'x', 4)")
    new, old = "public.sale_new", "public.sale_old"
    assert changes(conn, SALE) == [
        ("DELETE", '[100, "a"]', {"id": 100, "shop": "a", "n": 40}, None, REST),
        ("CREATE", '[200, "x"]', None, {"id": 200, "shop": "x", "n": 1}, new),
        ("UPDATE", '[200, "x"]', {"n": 1}, {"n": 2}, new),
        ("UPDATE", '[300, "x"]', {"n": 1}, {"n": 2}, old),
        ("DELETE", '[300, "x"]', {"id": 300, "shop": "x", "n": 2}, None, old),
        ("CREATE", '[201, "x"]', None, {"id": 201, "shop": "x", "n": 2}, new),
        ("TRUNCATE", None, None, None, old),
        ("CREATE", '[203, "x"]', None, {"id": 203, "shop": "x", "n": 4}, REST),
    ]


def test_a_row_lost_or_held_back_by_a_trigger_on_its_way_is_recorded_as_what_became_of_it(
    conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("""
        create function nothing() returns trigger language plpgsql as $$ begin return null; end $$;
        create trigger refuses before insert on sale_low_b for each row execute function nothing();
        create trigger keeps before delete on sale_rest for each row execute function nothing();
        update sale set shop = 'b' where id = 2;
        update sale set id = 3 where id = 100;
        delete from sale where id = 100
    """)
    assert changes(conn, SALE) == [("DELETE", '[2, "a"]', {"id": 2, "shop": "a", "n": 20}, None, place(conn, 2))]
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_a_table_audited_by_itself_has_to_be_disabled_before_it_becomes_a_partition(
    db: str, conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("create table sale_own (like sale including all)")
    audit(db, "sale_own")
    attach = "alter table sale attach partition sale_own for values from (500) to (600)"
    with pytest.raises(psycopg.Error, match=r"public\.sale_own cannot become a partition of public\.sale:") as refused:
        conn.execute(attach)
    assert refused.value.sqlstate == "UA003"
    with database.connect(db) as session:
        capture_apply.disable(session, "sale_own")
    conn.execute(attach)
    conn.execute("insert into sale_own values (500, 'z', 1)")
    assert changes(conn, SALE) == [("CREATE", '[500, "z"]', None, {"id": 500, "shop": "z", "n": 1}, "public.sale_own")]
    assert changes(conn, "public.sale_own") == []


def test_a_moved_row_takes_along_what_refers_to_it_or_the_log_says_what_was_lost(
    db: str, conn: psycopg.Connection, before: list[Row]
) -> None:
    conn.execute("""
        create table receipt (id int primary key, sale int, shop text default 'b',
            foreign key (sale, shop) references sale on delete cascade on update cascade);
        insert into receipt values (7, 2, 'a')
    """)
    audit(db, "receipt")
    held = rows(conn, "public.receipt")
    conn.execute("update sale set shop = 'b' where id = 2")
    gone = ("public.receipt", "DELETE", "7", {"id": 7, "sale": 2, "shop": "a"}, None)
    moved = ("public.receipt", "UPDATE", "7", {"shop": "a"}, {"shop": "b"})
    # Before PostgreSQL 15 a row that moves is deleted, also for those who refer to it.
    assert events(conn, "public.receipt") == [moved if conn.info.server_version >= 150000 else gone]
    assert replay(conn, "public.receipt", held) == rows(conn, "public.receipt")
    assert replay(conn, SALE, before, key=("id", "shop")) == rows(conn, SALE)


def test_what_inherits_is_captured_by_itself(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table animal (id int primary key, name text);
        create table pet (owner text, primary key (id)) inherits (animal);
        create table stray (primary key (id)) inherits (animal);
        insert into animal values (1, 'fox');
        insert into pet values (2, 'dog', 'Ann');
        insert into stray values (3, 'cat')
    """)
    audit(db, "animal")
    conn.execute("""
        update animal set name = upper(name) where id < 3;
        update only animal set name = 'wolf';
        update pet set owner = 'Bob';
        delete from animal where id = 3;
        delete from only animal;
        insert into stray values (4, 'rat');
        insert into animal values (5, 'elk');
        truncate only animal;
        truncate stray
    """)
    found = [
        ("UPDATE", "1", {"name": "fox"}, {"name": "FOX"}, None),
        ("UPDATE", "2", {"name": "dog"}, {"name": "DOG"}, "public.pet"),
        ("UPDATE", "1", {"name": "FOX"}, {"name": "wolf"}, None),
        ("UPDATE", "2", {"owner": "Ann"}, {"owner": "Bob"}, "public.pet"),
        ("DELETE", "3", {"id": 3, "name": "cat"}, None, "public.stray"),
        ("DELETE", "1", {"id": 1, "name": "wolf"}, None, None),
        ("CREATE", "4", None, {"id": 4, "name": "rat"}, "public.stray"),
        ("CREATE", "5", None, {"id": 5, "name": "elk"}, None),
        ("TRUNCATE", None, None, None, None),
        ("TRUNCATE", None, None, None, "public.stray"),
    ]
    assert changes(conn, "public.animal") == found
    conn.execute("truncate animal")
    assert sorted(change[4] or "" for change in changes(conn, "public.animal")[10:]) == [
        "", "public.pet", "public.stray",
    ]  # fmt: skip

"""A row that an UPDATE moves to another partition: what PostgreSQL tells triggers of it, and what is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import audit
from tests.support.replaying import changes, replay, rows
from tests.support.versions import MERGE, knows

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

PART = "public.part"


def prepare(dsn: str) -> None:

    with connect(dsn) as conn:
        conn.execute("""
            create table part (id int, region text, v text) partition by list (region);
            create table part_a partition of part for values in ('a');
            create table part_b partition of part for values in ('b');
            insert into part select i, case when i < 9 then 'a' else 'b' end, 'x' from generate_series(1, 9) as i
        """)
    audit(dsn, "part", key=("id",))


db_template = begin_with(prepare)


def test_each_moved_row_is_a_delete_and_the_create_that_follows_it_in_the_transaction(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    before = rows(conn, PART)
    conn.execute("update part set region = 'b', v = 'y' where id in (1, 2, 9)")
    merge: LiteralString = """
        merge into part using (values (3)) as s (i) on id = i when matched then update set region = 'b'
    """
    moved = [("DELETE", "3"), ("CREATE", "3")] if knows(conn, MERGE, merge) else []
    conn.execute("delete from part where id = 2")
    assert changes(conn, PART)[:5] == [
        ("DELETE", "1", {"id": 1, "region": "a", "v": "x"}, None, "public.part_a"),
        ("CREATE", "1", None, {"id": 1, "region": "b", "v": "y"}, "public.part_b"),
        ("DELETE", "2", {"id": 2, "region": "a", "v": "x"}, None, "public.part_a"),
        ("CREATE", "2", None, {"id": 2, "region": "b", "v": "y"}, "public.part_b"),
        ("UPDATE", "9", {"v": "x"}, {"v": "y"}, "public.part_b"),
    ]
    assert [change[:2] for change in changes(conn, PART)[5:]] == [*moved, ("DELETE", "2")]
    assert replay(conn, PART, before, key=("id",)) == rows(conn, PART)
    life = [json.loads(line) for line in auditctl("history", "part", "2", "--format", "jsonl").out.splitlines()]
    assert [event["action"] for event in life] == ["DELETE", "CREATE", "DELETE"]
    assert life[0]["xact_id"] == life[1]["xact_id"] != life[2]["xact_id"]
    assert life[1]["event_id"] == life[0]["event_id"] + 1


def test_a_row_that_its_new_partition_does_not_take_is_recorded_as_deleted_which_it_is(
    conn: psycopg.Connection,
) -> None:
    before = rows(conn, PART)
    conn.execute("""
        create function refuse() returns trigger language plpgsql as 'begin return null; end';
        create trigger refuse before insert on part_b for each row execute function refuse()
    """)
    assert conn.execute("update part set region = 'b' where id = 1").rowcount == 0
    assert changes(conn, PART) == [("DELETE", "1", {"id": 1, "region": "a", "v": "x"}, None, "public.part_a")]
    assert replay(conn, PART, before, key=("id",)) == rows(conn, PART)


def test_a_statement_may_delete_insert_and_move_rows_in_one_order_for_triggers(conn: psycopg.Connection) -> None:
    before = rows(conn, PART)
    conn.execute("""
        with gone as (delete from part where id = 1 returning id), new as (insert into part values (10, 'a', 'n'))
        update part set region = 'a' where id = 9
    """)
    assert sorted((action, key) for action, key, *_ in changes(conn, PART)) == [
        ("CREATE", "10"), ("CREATE", "9"), ("DELETE", "1"), ("DELETE", "9")
    ]  # fmt: skip
    assert replay(conn, PART, before, key=("id",)) == rows(conn, PART)

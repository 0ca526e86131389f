"""An update that changes a key: its event, and the row of auditctl.key_change that histories are followed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.retaining import hold, keep, upkeep

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

CHANGES = """
    select k.target, k.previous_target_id, k.target_id, e.context ->> 'previous_target_id', e.target_id, e.action::text
      from auditctl.key_change as k left join auditctl.event as e using (event_id, occurred_at)
     order by k.event_id
"""


def changes(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Every key change, with what its event says of it."""
    return conn.execute(CHANGES).fetchall()


def change(target: str, before: str | None, after: str | None) -> tuple[Any, ...]:
    return (target, before, after, before, after, "UPDATE")


def test_update_of_the_key_records_a_key_change_with_its_event(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (a integer, b text, v text, primary key (b, a))")
    audit(db, "t")
    conn.execute("insert into t values (1, 'x'), (2, 'y')")
    conn.execute("update t set a = a + 10, v = 'v'")
    assert changes(conn) == [
        change("public.t", '["x", 1]', '["x", 11]'),
        change("public.t", '["y", 2]', '["y", 12]'),
    ]


def test_other_changes_record_no_key_change(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text); create table keyless (v text)")
    audit(db, "t", "keyless")
    conn.execute("insert into t values (1, 'x'); insert into keyless values ('x')")
    conn.execute("update t set v = 'y'; update t set id = id; update keyless set v = 'y'; delete from t; truncate t")
    assert changes(conn) == []


@pytest.mark.usefixtures("unguarded")
def test_a_key_change_of_an_altered_table_is_recorded(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "t")
    conn.execute("insert into t values (1)")
    conn.execute("alter table t add column late text")
    conn.execute("update t set id = 2; update t set late = 'l'; delete from t")
    assert changes(conn) == [change("public.t", "1", "2")]


def test_a_stated_key_that_was_null_is_recorded_as_such(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer)")
    audit(db, "t", key=("id",))
    conn.execute("insert into t values (null)")
    conn.execute("update t set id = 1; update t set id = null")
    assert changes(conn) == [change("public.t", None, "1"), change("public.t", "1", None)]
    assert conn.execute("select context from auditctl.event where target_id = '1'").fetchall()[0][0].keys() >= {
        "previous_target_id"
    }


def test_a_key_change_that_is_rolled_back_leaves_nothing(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "t")
    conn.execute("insert into t values (1)")
    with connect(db) as session:
        session.autocommit = False
        session.execute("update t set id = 2")
        session.rollback()
    assert changes(conn) == []


@pytest.mark.parametrize("mode", ["origin", "replica", "local"])
@pytest.mark.parametrize("role", ["postgres", "auditctl_owner"])
def test_even_superuser_and_owner_cannot_rewrite_key_changes(
    conn: psycopg.Connection, db: str, role: str, mode: str
) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "t")
    conn.execute("insert into t values (1); update t set id = 2")
    before = changes(conn)
    conn.execute(f"set session_replication_role = {mode}; set role {role}".encode())
    for statement in (
        "update auditctl.key_change set target_id = '3'",
        "delete from auditctl.key_change",
        "truncate auditctl.key_change",
    ):
        with pytest.raises(psycopg.errors.DatabaseError) as error:
            conn.execute(statement.encode())
        assert error.value.sqlstate == "UA001", statement
    conn.execute("reset role; reset session_replication_role")
    assert changes(conn) == before != []


def test_members_of_pg_write_all_data_write_no_key_change(conn: psycopg.Connection, login: MakeLogin, db: str) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "t")
    conn.execute("insert into t values (1); update t set id = 2")
    before = changes(conn)
    with connect(login("writer", roles=["pg_write_all_data", "pg_read_all_data"]).dsn) as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("insert into auditctl.key_change values (1, now(), 'public.t', '1', '2')")
        session.execute("update auditctl.key_change set target_id = '3'; delete from auditctl.key_change")
    assert changes(conn) == before != []


def long_ago(conn: psycopg.Connection, target: str, month: str, keys: tuple[int, int]) -> None:
    """Put the event of a key change into the log, as of a month that is over."""
    conn.execute(
        """
        with event as (
            insert into auditctl.event (occurred_at, actor_kind, target, target_id, action, context)
            values (%s::timestamptz, 'system', %s, %s, 'UPDATE', jsonb_build_object('previous_target_id', %s::text))
            returning event_id, occurred_at
        )
        insert into auditctl.key_change select event_id, occurred_at, %s, %s, %s from event
        """,
        [f"{month}-10 00:00+00", target, str(keys[1]), str(keys[0]), target, str(keys[0]), str(keys[1])],
    )


def test_key_changes_are_deleted_and_held_with_their_events(conn: psycopg.Connection, db: str) -> None:
    conn.execute(
        "select auditctl_internal.create_partition('2020-01-01'), auditctl_internal.create_partition('2020-02-01')"
    )
    long_ago(conn, "shop.gone", "2020-01", (1, 2))
    long_ago(conn, "shop.item", "2020-01", (1, 2))
    long_ago(conn, "shop.item", "2020-01", (7, 8))
    long_ago(conn, "shop.item", "2020-02", (2, 3))
    long_ago(conn, "shop.long", "2020-02", (1, 2))
    keep(conn, "*", "1 year")
    keep(conn, "shop.long", "100 years")
    hold(conn, "shop.item", "3")
    upkeep(db)
    assert changes(conn) == [
        change("shop.item", "1", "2"), change("shop.item", "2", "3"), change("shop.long", "1", "2")
    ]  # fmt: skip


def test_key_changes_stay_when_their_events_move_out_of_the_default_partition(
    conn: psycopg.Connection, db: str
) -> None:
    long_ago(conn, "shop.item", "2020-01", (1, 2))
    before = changes(conn)
    upkeep(db)
    assert conn.execute("select count(*) from auditctl.event_2020_01").fetchone() == (1,)
    assert changes(conn) == before == [change("shop.item", "1", "2")]


def test_key_changes_of_a_detached_month_stay(conn: psycopg.Connection, db: str) -> None:
    conn.execute("select auditctl_internal.create_partition('2020-01-01')")
    long_ago(conn, "shop.item", "2020-01", (1, 2))
    keep(conn, "*", "1 year")
    conn.execute("alter table auditctl.event detach partition auditctl.event_2020_01")
    upkeep(db)
    assert conn.execute("select target_id from auditctl.key_change").fetchall() == [("2",)]

"""Locks: whoever changes tables beside an apply, in whatever order, is not ended by a deadlock."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures import templates
from tests.fixtures.databases import GUARD_OFF, connect
from tests.support.capturing import apply, events, lines, pending

if TYPE_CHECKING:
    from concurrent.futures import Future

    from auditctl.capture.plan import Plan
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

FILE = "".join(f'[[table]]\nname = "public.{name}"\nexclude = ["v"]\n' for name in "ab")

TABLES = "create table a (id int primary key, v text); create table b (id int primary key, v text)"

db_template = templates.begin_with(templates.audited(TABLES, "a", "b"), fixture="audited")


@pytest.fixture
def audited(conn: psycopg.Connection) -> psycopg.Connection:
    return conn


def wait_until_waiting(conn: psycopg.Connection, applied: Future[Plan]) -> None:
    """Return once the apply waits for a lock."""
    waiting = (
        "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() "
        "and application_name = 'auditctl'"
    )
    limit = time.monotonic() + 60
    while not conn.execute(waiting).rowcount:
        assert time.monotonic() < limit and not applied.done(), "it does not wait"
        time.sleep(0.01)


@pytest.mark.parametrize(("first", "second"), ["ab", "ba"])
def test_a_migration_of_several_audited_tables_is_not_ended_by_a_deadlock(
    db: str, audited: psycopg.Connection, first: str, second: str
) -> None:
    with ThreadPoolExecutor(1) as pool, connect(db) as migration:
        migration.execute("begin")
        migration.execute(f"alter table {first} add column w int".encode())
        applied = pool.submit(apply, db, FILE, lock_timeout="60s")
        wait_until_waiting(audited, applied)
        migration.execute(f"alter table {second} add column w int".encode())
        migration.execute("commit")
        assert applied.result(60).rules[0].exclude == ("v",)
    assert pending(db, FILE) == []


@pytest.mark.parametrize(("first", "second"), ["ab", "ba"])
def test_a_writer_of_several_tables_is_not_ended_by_a_deadlock(
    db: str, audited: psycopg.Connection, first: str, second: str
) -> None:
    with ThreadPoolExecutor(1) as pool, connect(db) as writer:
        writer.execute("begin")
        writer.execute(f"insert into {first} values (1, 'x')".encode())
        applied = pool.submit(apply, db, FILE, lock_timeout="60s")
        wait_until_waiting(audited, applied)
        writer.execute(f"insert into {second} values (1, 'x')".encode())
        writer.execute("commit")
        assert applied.result(60).rules[0].exclude == ("v",)
    assert pending(db, FILE) == []
    written = [(target, new) for target, _, _, _, new in events(audited, "public.a", "public.b")]
    assert written == [(f"public.{name}", {"id": 1, "v": "x"}) for name in (first, second)]


def test_a_table_that_changes_while_it_waits_to_be_audited_is_planned_again(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text)")
    with ThreadPoolExecutor(1) as pool, connect(db) as migration:
        migration.execute("begin")
        migration.execute("alter table a add column w int; alter table a drop column v")
        applied = pool.submit(apply, db, '[[table]]\nname = "public.a"\nactions = ["create"]\n', lock_timeout="60s")
        wait_until_waiting(conn, applied)
        migration.execute("commit")
        assert lines(applied.result(60)) == ["CREATE public.a create: There is no trigger yet."]
    conn.execute("insert into a values (1, 2)")
    assert [event[-1] for event in events(conn, "public.a")] == [{"id": 1, "w": 2}]
    assert pending(db) == []


def test_what_another_apply_has_done_meanwhile_is_not_done_again(db: str, audited: psycopg.Connection) -> None:
    audited.execute(GUARD_OFF)
    audited.execute("drop trigger auditctl_create on a; drop trigger auditctl_delete on b")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: len(apply(db).pending), range(4)))
    assert sorted(done) == [0, 0, 0, 2]
    assert pending(db) == []


@pytest.mark.slow
def test_writers_and_migrations_go_on_beside_applies_for_a_minute(db: str, conn: psycopg.Connection) -> None:
    for number in range(6):
        conn.execute(f"create table t{number} (id bigint generated always as identity, v text, w text)".encode())
    stop = threading.Event()

    def work(number: int, *statements: str) -> int:
        done = 0
        with connect(db) as session:
            while not stop.is_set():
                # From the last table to the first, so that they do not end each other; an apply goes the other way.
                tables = sorted(((number + done + place * (1 + number % 5)) % 6 for place in range(3)), reverse=True)
                with session.transaction():
                    for table, statement in zip(tables, statements, strict=True):
                        session.execute(statement.format(table).encode())
                done += 1
        return done

    def change(number: int) -> int:
        done = 0
        while not stop.is_set():
            hidden = ["v"] if (number + done) % 2 else ["w"]
            rules = "".join(f'[[table]]\nname = "public.t{i}"\nexclude = {hidden}\n' for i in range(6))
            apply(db, rules, lock_timeout="60s", batch=None if done % 3 else 2)
            done += 1
        return done

    insert = "insert into t{} (v, w) values ('v', 'w')"
    alter = "alter table t{} alter column v set default 'x'"
    drop = "alter table t{} alter column v drop default"
    with ThreadPoolExecutor(16) as pool:
        workers = [pool.submit(work, number, insert, insert, insert) for number in range(8)]
        workers += [pool.submit(work, number, alter, drop, insert) for number in range(3)]
        workers += [pool.submit(change, number) for number in range(2)]
        stop.wait(60)
        stop.set()
        assert all(worker.result(120) > 0 for worker in workers)


@pytest.mark.parametrize("action", ["truncate", "read"])
def test_a_partition_that_is_attached_again_before_its_triggers_are_dropped_keeps_them(
    db: str, conn: psycopg.Connection, action: str
) -> None:
    conn.execute(
        "create table parted (id int primary key) partition by range (id); "
        "create table part partition of parted for values from (0) to (10)"
    )
    rules = f'[[table]]\nname = "public.parted"\nactions = ["{action}"]\n'
    apply(db, rules)
    conn.execute("alter table parted detach partition part")
    plans: list[Plan] = []

    def attach(planned: Plan) -> bool:
        if not plans:
            conn.execute("alter table parted attach partition part for values from (0) to (10)")
        plans.append(planned)
        return True

    apply(db, rules, approve=attach, batch=1)
    assert [len(planned.pending) for planned in plans] == [1, 0]
    assert pending(db) == []


@pytest.mark.parametrize("is_administrator", [False, True])
@pytest.mark.parametrize("is_stale", [False, True])
def test_a_table_that_is_dropped_before_it_is_locked_is_left_out(
    db: str, conn: psycopg.Connection, login: MakeLogin, *, is_stale: bool, is_administrator: bool
) -> None:
    rules = '[[table]]\nname = "d.*"\non_drop = "record"\n'
    conn.execute("create schema d; create table d.a (id int primary key); create table d.b (id int primary key)")
    apply(db, rules)
    if is_stale:
        # Such a table is only registered again: no statement names it, so that none of them fails.
        conn.execute("update auditctl.capture set shape = 'x'")
    else:
        rules += 'actions = ["create"]\n'

    def drop(_planned: Plan) -> bool:
        conn.execute("drop table if exists d.a")
        return True

    by = login("administrator", roles=["auditctl_admin"]).dsn if is_administrator else db
    apply(by, rules, approve=drop)
    assert pending(db, rules) == []
    assert conn.execute("select target from auditctl.capture where target ^@ 'd.'").fetchall() == [("d.b",)]


def test_a_table_that_could_not_be_locked_and_was_dropped_meanwhile_is_not_registered(
    audited: psycopg.Connection,
) -> None:
    with audited.transaction():
        audited.execute(
            "update auditctl.capture set relation = 4294967294, being_changed_by = pg_current_xact_id()"
            " where target = 'public.a'"
        )
        audited.execute("select auditctl_internal.end_change()")
        assert audited.execute("select from auditctl.capture where relation = 4294967294").rowcount == 0
        assert audited.execute("select from auditctl.capture where target = 'public.b'").rowcount == 1

"""Baselines and comparisons under writers: every row once, and no finding that is not one."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.reconcile.test_reconcile import found
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

ROUNDS = 8
ROWS = 3000

EXPECTED = (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""What these writers do to each other."""


def write(dsn: str, seed: int, stop: threading.Event) -> None:
    """Insert, update, delete, move keys, move between partitions and truncate, with rollbacks, until told to stop."""
    choose = random.Random(seed)
    with connect(dsn) as session:
        while not stop.is_set():
            one, other = choose.randrange(ROWS * 2), choose.randrange(ROWS * 2)
            with suppress(*EXPECTED), session.transaction() as tx:
                session.execute("update t set v = right(v || 'x', 200), n = n + 1.10 where id = %s", [one])
                session.execute("insert into t values (%s, %s, 'new', 1) on conflict do nothing", [other, other % 3])
                session.execute("update t set p = (p + 1) %% 3 where id = %s", [other])
                session.execute("delete from t where id = %s", [choose.randrange(ROWS * 2)])
                session.execute(
                    "update t set id = %s where id = %s", [choose.randrange(ROWS * 2, ROWS * 3), choose.randrange(ROWS)]
                )
                if choose.random() < 0.01:
                    session.execute("truncate t_2")
                if choose.random() < 0.1:
                    raise psycopg.Rollback(tx)


def test_under_writers_each_row_is_recorded_once_and_nothing_is_found(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("""
        create table t (id int, p int, v text, n numeric, primary key (id, p)) partition by list (p);
        create table t_0 partition of t for values in (0); create table t_1 partition of t for values in (1);
        create table t_2 partition of t for values in (2)
    """)
    conn.execute("insert into t select g, g %% 3, repeat('v', 200), 1.0 from generate_series(1, %s) as g", [ROWS])
    audit(db, "t")
    stop = threading.Event()
    writers = [threading.Thread(target=write, args=(db, seed, stop)) for seed in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            auditctl("baseline", "t", check=0)
        assert [found(auditctl, code=0) for _ in range(ROUNDS)] == [[]] * ROUNDS
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert found(auditctl, code=0) == []
    twice = """
        select target_id from (
            select target_id, action, lag(action) over (partition by target_id order by occurred_at, event_id) as before
              from auditctl.event as e
             where target = 'public.t' and not exists (
                 select from auditctl.key_change as k where e.target_id in (k.target_id, k.previous_target_id)
             ) and not exists (select from auditctl.event where target = 'public.t' and action = 'TRUNCATE')
        ) as e where action = 'CREATE' and before in ('CREATE', 'UPDATE')
    """
    assert conn.execute(twice).fetchall() == []

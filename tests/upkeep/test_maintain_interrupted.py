"""Upkeep that is killed, blocked, or met by another: nothing is lost or doubled, and the next run ends it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.retaining import fill, hold, keep, months, partitions, recorded, upkeep

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow  # waits for locks that time out

MONTHS = 6
PER_MONTH = 3000
WAITING = """
    select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = %s)
"""


def stuffed(conn: psycopg.Connection) -> list[str]:
    """Stray events of several months, and expired months with one event that is held; returns what must stay."""
    for month in range(1, MONTHS + 1):
        conn.execute(
            """
            insert into auditctl.event (occurred_at, actor_kind, target, target_id, action)
            select timestamptz '2031-01-01 00:00+00' + %s * interval '31 days' + i * interval '1 second',
                   'system', 'shop.order', i::text, 'EVENT'
              from generate_series(1, %s) as i
            """,
            [month, PER_MONTH],
        )
    months(conn, "2020-01-01", "2020-06-01")
    for month in range(1, 7):
        fill(conn, f"2020-{month:02}-10", "billing.customer")
    keep(conn, "*", "400 days")
    hold(conn, "billing.customer", "7")
    return recorded(conn, "e.target = 'shop.order' or e.target = 'billing.customer' and e.target_id = '7'")


def start(dsn: str) -> subprocess.Popen[bytes]:
    """Start a maintain."""
    return subprocess.Popen(
        [sys.executable, "-m", "auditctl", "maintain"],
        env={**os.environ, "AUDITCTL_DSN": dsn},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def works(conn: psycopg.Connection) -> bool:
    """Whether a maintain has a session."""
    query = "select from pg_stat_activity where application_name ^@ 'auditctl' and datname = current_database()"
    return conn.execute(query).rowcount > 0


def test_a_run_that_is_killed_at_any_point_is_ended_by_the_next(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    wanted = stuffed(conn)
    moment = random.Random(20261125)
    for _ in range(10):
        process = start(db)
        while process.poll() is None and not works(conn):
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment.random() / 2)
        process.kill()
        process.wait()
        conn.execute(
            "insert into auditctl.event (actor_kind, target, target_id, action) values ('system', 'own.x', 'x', "
            "'EVENT')"
        )
    # The server notices that its client is gone when the step is done.
    while [done["step"] for done in upkeep(db)[-1:]] == ["busy"]:
        pass
    auditctl("maintain", check=0)
    assert recorded(conn, "e.target = 'shop.order' or e.target = 'billing.customer'") == wanted
    assert conn.execute("select count(*) from auditctl.event where target = 'own.x'").fetchone() == (10,)
    assert conn.execute(
        "select to_regclass('auditctl.event_moving'), to_regclass('auditctl.event_kept')"
    ).fetchone() == (
        None,
        None,
    )
    assert conn.execute("select count(*) from only auditctl.event_default").fetchone() == (0,)


def test_each_step_that_the_server_loses_leaves_nothing_behind(db: str, conn: psycopg.Connection) -> None:
    wanted = stuffed(conn)
    steps = 0
    with connect(db) as session:
        while True:
            before = recorded(conn)
            session.execute("begin; select auditctl.maintain_step(); rollback")
            assert recorded(conn) == before
            if session.execute("select auditctl.maintain_step()").fetchone() == (None,):
                break
            steps += 1
    # Begun, copied, ended; six months expired.
    assert steps == 9
    assert recorded(conn) == wanted


@pytest.mark.parametrize("reads", ["auditctl.event_2020_01", "auditctl.event"])
def test_a_long_transaction_is_not_waited_for_and_nobody_waits_behind(
    reads: str, db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    name = conn.info.dbname
    done = threading.Event()
    written: list[int] = []
    refused_writes: list[psycopg.Error] = []

    def write() -> None:
        """Write all the time, with less patience than whoever waits behind a lock that waits needs."""
        with connect(db) as session:
            session.execute("set lock_timeout = '400ms'")
            while not done.is_set():
                try:
                    session.execute(
                        "insert into auditctl.event (actor_kind, target, action) values ('system', 'own.x', 'EVENT')"
                    )
                    written.append(1)
                except psycopg.Error as error:
                    refused_writes.append(error)

    with connect(db) as reader:
        reader.execute("begin")
        reader.execute(f"select count(*) from {reads}".encode())
        writer = threading.Thread(target=write)
        writer.start()
        finished = auditctl("maintain", check=0)
        done.set()
        writer.join()
        assert re.fullmatch(
            r"auditctl.event_2020_01: 10 events deleted, 0 kept; its table remains, as the log is in use by a "
            r"transaction that does not end \(process \d+ of login postgres, transaction [\d/]+\)\.\n",
            finished.out,
        )
        assert conn.execute(WAITING, [name]).fetchone() == (0,)
        assert "event_2020_01" in partitions(conn)
        reader.execute("rollback")
    assert conn.execute("select count(*) from auditctl.event where target = 'own.x'").fetchone() == (len(written),)
    assert refused_writes == []
    assert conn.execute("select count(*) from auditctl.event_2020_01").fetchone() == (0,)
    auditctl("maintain", check=0)
    assert "event_2020_01" not in partitions(conn)


def test_a_write_to_an_expired_month_that_is_not_committed_yet_is_not_lost(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    hold(conn, "billing.invoice")
    with connect(db) as writer:
        writer.execute("begin")
        fill(writer, "2020-01-11", "billing.invoice", 2)
        wanted = recorded(writer, "e.target = 'billing.invoice'")
        refused = auditctl("maintain", check=5)
        assert refused.err.startswith(
            "error: auditctl.event_2020_01 is in use by a transaction that does not end (process "
        )
        writer.execute("commit")
    auditctl("maintain", check=0)
    assert recorded(conn) == wanted


def test_of_two_runs_one_does_the_work(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    wanted = stuffed(conn)
    with connect(db) as other:
        other.execute("begin")
        other.execute("select auditctl.maintain_step()")
        other.execute("set local idle_in_transaction_session_timeout = 0")
        second = auditctl("maintain", check=0)
        who = f"process {other.info.backend_pid} (no name, login {other.info.user})"
        assert (second.out, second.err) == ("", f"Another maintain is running and does the rest: {who}.\n")
        other.execute("commit")
    both = [start(db), start(db)]
    assert [process.wait() for process in both] == [0, 0]
    auditctl("maintain", check=0)
    assert recorded(conn) == wanted


def test_an_ordinary_login_cannot_keep_upkeep_from_running(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create role passer login")
    try:
        with psycopg.connect(db, user="passer") as session:
            for table in ("auditctl.maintenance", "auditctl.event", "auditctl.event_default", "auditctl.hold"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
                    session.execute(f"lock table {table} in access share mode".encode())
    finally:
        conn.execute("drop role passer")


def test_a_hold_that_is_being_placed_is_waited_for_or_seen(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    everything = recorded(conn)
    with connect(db) as holder:
        holder.execute("begin")
        hold(holder, "billing.customer")
        assert auditctl("maintain").code == 5
        holder.execute("commit")
    auditctl("maintain", check=0)
    assert recorded(conn) == everything


def test_a_hold_that_is_placed_while_survivors_are_copied_wins(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    hold(conn, "billing.customer", "3")
    everything = recorded(conn)
    with connect(db) as reader, connect(db) as session:
        # Upkeep is past its choice of survivors, and wants the lock that the reader has.
        reader.execute("begin")
        reader.execute("select count(*) from auditctl.event")
        failed: list[str | None] = []

        def maintain() -> None:
            try:
                session.execute("select auditctl.maintain_step()")
            except psycopg.Error as error:
                failed.append(error.sqlstate)

        run = threading.Thread(target=maintain)
        run.start()
        while conn.execute(
            "select count(*) from pg_locks where mode = 'ShareLock' and relation = 'auditctl.event_2020_01'::regclass"
        ).fetchone() == (0,):
            pass
        hold(conn, "billing.customer")
        reader.execute("rollback")
        run.join()
    assert failed == ["40001"]
    assert upkeep(db) == []
    assert recorded(conn) == everything

"""Applying on a busy database: locks, two at once, interruptions, and writers that go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.capture import attempts, rule_store
from auditctl.errors import DatabaseError
from tests.fixtures.databases import connect, fetch_value
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import apply, audit, lines, pending, triggers

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.capture.plan import Plan
    from auditctl.errors import AuditctlError
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

BOTH = '[[table]]\nname = "public.a"\nactions = ["create"]\n[[table]]\nname = "public.b"\nactions = ["create"]\n'
CREATED = [f"CREATE public.{table} create: There is no trigger yet." for table in "ab"]


TABLES: LiteralString = "create table a (id int primary key, v text); create table b (id int primary key, v text)"

db_template = begin_with(running(TABLES), fixture="tables")


@pytest.fixture
def tables(db: str) -> None:
    """Chooses the template with the tables."""


def wait_for_waiter(conn: psycopg.Connection, locktype: str) -> None:
    """Return once a session of this database waits for a lock."""
    waiting = """
        select from pg_locks as l join pg_stat_activity as s using (pid)
         where not l.granted and l.locktype = %s and s.datname = current_database()
    """
    limit = time.monotonic() + 60
    while not conn.execute(waiting, [locktype]).rowcount:
        assert time.monotonic() < limit, "nobody waits"
        time.sleep(0.02)


@pytest.mark.usefixtures("tables")
def test_a_busy_table_ends_the_attempt_and_leaves_nothing(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    before = fetch_value(db, "select count(*) from auditctl.event")
    with connect(db) as busy, busy.transaction():
        busy.execute("lock table b in row exclusive mode")
        done = auditctl("apply", "-", "--lock-timeout", "50ms", input=BOTH, check=5)
        who = f"process {busy.info.backend_pid} (no name, login {busy.info.user})"
    assert done.err.splitlines()[-2:] == [
        f"error: public.b is locked by another session: {who}",
        "hint: Another session holds the lock; try again in a quieter moment, or raise --lock-timeout.",
    ]
    assert triggers(conn) == []
    assert fetch_value(db, "select count(*) from auditctl.event") == before
    assert fetch_value(db, "select count(*) from auditctl.rule") == 0


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("timeout", ["soon", "5 fortnights"])
def test_a_lock_timeout_that_is_none_is_refused(db: str, timeout: str) -> None:
    with pytest.raises(DatabaseError, match=f'invalid value for parameter "lock_timeout": "{timeout}"'):
        apply(db, BOTH, lock_timeout=timeout)


@pytest.mark.usefixtures("tables")
def test_an_apply_to_a_database_that_never_stays_as_it_was_planned_for_ends_and_says_so(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_PLANS", 3)
    audit(db, "a")
    plans = []

    def interfere(planned: Plan) -> bool:
        plans.append(planned)
        return conn.execute("update auditctl.rule set label = %s", [f"label {len(plans)}"]).rowcount == 1

    with pytest.raises(DatabaseError, match="changed 3 times while a plan for it was being applied") as caught:
        apply(db, BOTH, approve=interfere)
    assert "Look for a session that changes tables or rules all the time" in caught.value.hint
    assert len(plans) == 3
    assert not any(table == "public.b" for table, _, _ in triggers(conn))


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("alter table a add column c text", "alter table a drop column c"),
        ("update auditctl.rule set label = 'x'", "update auditctl.rule set label = null"),
    ],
    ids=["table", "rule"],
)
def test_what_is_changed_and_changed_back_while_a_plan_is_applied_is_planned_again(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, change: LiteralString, back: LiteralString
) -> None:
    audit(db, "a")
    rules = '[[table]]\nname = "public.a"\nexclude = ["v"]\n'
    plans = []

    def interfere(planned: Plan) -> bool:
        plans.append(planned)
        return len(plans) > 1 or conn.execute(change) is not None

    def restore(error: AuditctlError, tried: int) -> int:
        conn.execute(back)
        return count(error, tried)

    count = attempts.count
    monkeypatch.setattr(attempts, "count", restore)
    apply(db, rules, approve=interfere)
    assert [lines(planned) for planned in plans] == [lines(plans[0])] * 2
    assert pending(db, rules) == []


@pytest.mark.usefixtures("tables")
def test_two_applies_at_once_both_end_well(db: str, conn: psycopg.Connection) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: lines(apply(db, BOTH)), range(4)))
    assert sorted(done) == [[], [], [], CREATED]
    assert pending(db) == []


@pytest.mark.usefixtures("tables")
def test_a_second_apply_waits_for_the_first(db: str, conn: psycopg.Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        with connect(db) as first, first.transaction():
            rule_store.lock(first)
            second = pool.submit(apply, db, BOTH, lock_timeout="60s")
            wait_for_waiter(conn, "relation")
            assert triggers(conn) == []
        assert lines(second.result(60)) == CREATED


@pytest.mark.usefixtures("tables")
def test_a_second_apply_gives_up_when_the_first_takes_too_long(db: str) -> None:
    with connect(db) as first, first.transaction():
        rule_store.lock(first)
        with pytest.raises(DatabaseError) as error:
            apply(db, BOTH, lock_timeout="50ms")
    assert error.value.sqlstate == "55P03"
    assert "--lock-timeout" in error.value.hint


HELD: dict[str, tuple[LiteralString, ...]] = {
    "old snapshot and a temporary table": ("begin isolation level repeatable read", "create temp table x (id int)"),
    "old snapshot and an own table": ("begin isolation level serializable", "create table own.x (id int primary key)"),
    "every advisory lock": (
        "begin",
        "select pg_advisory_lock(i) from generate_series(418414946670, 418414946680) as i",
    ),
    "the rules, as far as they can be locked": ("begin", "select auditctl.set_context('x', null)"),
}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("held", HELD)
def test_nothing_that_any_login_keeps_open_stops_a_change_of_capture(
    db: str, conn: psycopg.Connection, login: MakeLogin, held: str
) -> None:
    conn.execute("create schema own; grant all on schema own to public")
    with connect(login("anybody").dsn) as anybody:
        for statement in HELD[held]:
            anybody.execute(statement)
        assert lines(apply(db, BOTH, lock_timeout="1s")) == CREATED
        anybody.execute("rollback")


@pytest.mark.usefixtures("tables")
def test_an_old_snapshot_still_cannot_change_a_table_whose_capture_was_changed_since(
    db: str, conn: psycopg.Connection
) -> None:
    with connect(db) as old:
        old.execute("begin isolation level repeatable read")
        old.execute("select")
        old.execute("create temp table x (id int)")
        apply(db, BOTH)
        with pytest.raises(psycopg.errors.SerializationFailure):
            old.execute("alter table a add column w int")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_waiting_for_a_lock_changes_nothing(
    db: str, conn: psycopg.Connection, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "audit.toml").write_text(BOTH)
    command = [sys.executable, "-m", "auditctl", "--dsn", db, "apply", "audit.toml", "--lock-timeout", "60s"]
    with connect(db) as busy, busy.transaction():
        busy.execute("lock table b in row exclusive mode")
        process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for_waiter(conn, "relation")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "error: interrupted"
    assert triggers(conn) == []
    assert fetch_value(db, "select count(*) from auditctl.rule") == 0
    assert lines(apply(db, BOTH)) == CREATED


def test_every_write_after_enable_returned_is_recorded_while_writers_go_on(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int generated always as identity primary key, writer int)")
    stop = threading.Event()

    def write(writer: int) -> int:
        count = 0
        with connect(db) as session:
            while not stop.is_set():
                session.execute("insert into a (writer) values (%s)", [writer])
                count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        try:
            audit(db, "a")
            last = conn.execute("select max(id) from a").fetchone()
            limit = time.monotonic() + 60
            while conn.execute("select max(id) from a").fetchone() == last and time.monotonic() < limit:
                time.sleep(0.01)
        finally:
            stop.set()
        written = sum(writer.result(60) for writer in writers)
    # A number is drawn only once the writer holds its lock, so what came before the trigger has smaller ones.
    rows = conn.execute("""
        with recorded as (select target_id::int as id from auditctl.event where target = 'public.a'
          and action = 'CREATE')
        select
            (select count(*) from a),
            (select count(*) from a where id >= (select min(id) from recorded)),
            (select count(*) from recorded),
            (select count(distinct id) from recorded)
    """).fetchone()
    assert rows is not None
    everything, since, recorded, distinct = rows
    assert everything == written
    assert since == recorded == distinct > 0


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("0", "0 would wait without limit"),
        ("0s", "0 would wait without limit"),
        ("25d", "'25d' is longer than PostgreSQL can wait; the longest is 24d"),
        ("999999999min", "'999999999min' is longer than PostgreSQL can wait"),
        ("100us", "'100us' is not a duration such as 500ms, 5s or 1min"),
        ("-1", "'-1' is not a duration"),
        ("", "'' is not a duration"),
    ],
)
def test_a_time_that_would_wait_without_limit_or_cannot_be_counted_is_a_usage_error(
    auditctl: RunAuditctl, time: str, reason: str
) -> None:
    done = auditctl("apply", "-", f"--lock-timeout={time}", input=BOTH, env={"AUDITCTL_DSN": None}, check=2)
    assert reason in done.err


def test_the_longest_time_is_one_that_the_server_takes(empty_db: str) -> None:
    with connect(empty_db) as session:
        session.execute("set lock_timeout = '24d'")
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            session.execute("set lock_timeout = '25d'")

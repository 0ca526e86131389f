"""Applies that are killed beside writers and DDL: nobody fails, and no change is lost or doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture.config import document
from auditctl.capture.rule_keys import Rule
from auditctl.retention.times import Retention
from tests.fixtures.databases import connect
from tests.support.capturing import apply, pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

pytestmark = [pytest.mark.slow, pytest.mark.timeout(560)]  # eighteen sessions, each apply a process of its own

SEEDS = (1,)
TABLES = 20
WRITERS = 16
LAST_ROUND = 10
"""How many transactions each writer has to commit after the last apply."""

MOST_STATEMENTS = 60
"""How many statements of an apply are seen at most before it is stopped."""

EVENTS = """
    select e.target, e.action::text, coalesce(e.new_values ->> 'v', e.old_values ->> 'v')
      from auditctl.event as e where e.target like 'public.t%' and e.action in ('CREATE', 'UPDATE', 'DELETE')
"""

Change = tuple[str, str, str]
"""Table, action and the value that no other change of the table has."""


@dataclass
class Writer:
    """What one session has committed.

    Attributes:
        number: Which one it is.
        changes: Its changes, in order.
        last: How many of them came before the last round.
    """

    number: int
    changes: list[Change] = field(default_factory=list)
    last: int = 0

    def run(self, dsn: str, seed: int, stop: threading.Event, is_last: threading.Event) -> None:
        """Write until the end; whatever fails, fails the test."""
        chosen = random.Random(f"{seed} {self.number}")
        transactions = 0
        with connect(dsn) as session:
            while not stop.is_set() or transactions < LAST_ROUND:
                if is_last.is_set():
                    transactions += 1
                else:
                    self.last = len(self.changes)
                with session.transaction():
                    done = [change for _ in range(chosen.randint(1, 3)) for change in self._write(session, chosen)]
                self.changes += done
                time.sleep(0.005)

    def _write(self, session: psycopg.Connection, chosen: random.Random) -> Iterator[Change]:
        """Insert a row; perhaps update and delete it."""
        table = chosen.randrange(TABLES)
        name, value = f"public.t{table}", f"{self.number} {chosen.getrandbits(60)}"
        row = session.execute(f"insert into t{table} (v) values (%s) returning id".encode(), [value], prepare=False)
        (key,) = row.fetchone() or (None,)
        yield name, "CREATE", value
        if chosen.random() < 0.5:
            value += " new"
            session.execute(f"update t{table} set v = %s where id = %s".encode(), [value, key], prepare=False)
            yield name, "UPDATE", value
        if chosen.random() < 0.3:
            session.execute(f"delete from t{table} where id = %s".encode(), [key], prepare=False)
            yield name, "DELETE", value


def change_tables(dsn: str, seed: int, number: int, stop: threading.Event) -> int:
    """Run DDL until the end, each statement as a transaction; return how many statements."""
    chosen = random.Random(f"{seed} ddl {number}")
    done = 0
    own = f"d{number}"
    with connect(dsn) as session:
        while not stop.is_set():
            table = chosen.randrange(TABLES)
            for statement in chosen.choice(
                [
                    (f"alter table t{table} add column {own} text", f"alter table t{table} drop column {own}"),
                    (f"alter table t{table} alter column w set default 'x'",),
                    (f"create table {own} (id int primary key)", f"drop table {own}"),
                    (
                        f"create schema {own} create table a (id int primary key, v text)",
                        f"insert into {own}.a values (1, 'x')",
                        f"drop schema {own} cascade",
                    ),
                    (
                        f"alter table parted detach partition part_{number}",
                        f"alter table parted attach partition part_{number} for values in ({number})",
                    ),
                ]
            ):
                session.execute(statement.encode())
                done += 1
            # No plan fits tables that change all the time.
            stop.wait(chosen.uniform(0, 0.2))
    return done


def file(number: int) -> str:
    """The rules of a round: each changes all tables."""
    exclude = ("w",) if number % 3 == 1 else ()
    actions = (Action.CREATE, Action.UPDATE, Action.DELETE) if number % 3 == 2 else DEFAULT
    rules = [Rule(f"public.t{table}", actions, exclude=exclude) for table in range(TABLES)]
    globs = [Rule(f"d{number}.*", DEFAULT, on_drop="record") for number in range(2)]
    return document.dump((*rules, Rule("public.parted", DEFAULT), *globs), (), Retention())


def stop_apply(conn: psycopg.Connection, process: subprocess.Popen[bytes], chosen: random.Random, number: int) -> None:
    """Stop an apply in one of three ways, once so many of its statements were seen."""
    most = chosen.randint(1, MOST_STATEMENTS)
    seen: set[tuple[Any, ...]] = set()
    pid = None
    while process.poll() is None and len(seen) < most:
        for row in conn.execute(
            "select pid, query, xact_start from pg_stat_activity where application_name = 'auditctl' "
            "and datname = current_database()"
        ):
            pid = row[0]
            seen.add(row)
    if number % 3 == 0:
        process.kill()
    elif number % 3 == 1:
        conn.execute("select pg_terminate_backend(%s)", [pid])
    else:
        process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=120)[1].decode()
    assert "error: unexpected" not in error, error
    assert process.returncode in (0, 5, 130, -signal.SIGKILL), error


def lost(changes: list[Change], recorded: Counter[Change]) -> list[Change]:
    """The changes without an event of a table of which an earlier one by the same session has its event."""
    done: set[str] = set()
    missing = []
    for change in changes:
        if recorded[change]:
            done.add(change[0])
        elif change[0] in done:
            missing.append(change)
    return missing


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_fails_beside_applies_that_are_stopped_and_each_change_of_a_done_table_has_its_event(
    db: str, conn: psycopg.Connection, tmp_path: Path, seed: int
) -> None:
    for number in range(TABLES):
        conn.execute(
            f"create table t{number} (id bigint generated always as identity primary key, v text, w text)".encode()
        )
    conn.execute("create table parted (id int) partition by list (id); create table part partition of parted default")
    for number in range(2):
        conn.execute(f"create table part_{number} partition of parted for values in ({number})".encode())
    command = [sys.executable, "-m", "auditctl", "--dsn", db, "apply", "audit.toml", "--yes", "--uncover"]
    stop, is_last, chosen = threading.Event(), threading.Event(), random.Random(seed)
    writers = [Writer(number) for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS + 2) as pool:
        written = [pool.submit(writer.run, db, seed, stop, is_last) for writer in writers]
        changed = [pool.submit(change_tables, db, seed, number, stop) for number in range(2)]
        try:
            for number in range(10):
                (tmp_path / "audit.toml").write_text(file(number))
                options = ["--batch", str(chosen.randint(1, 6)), "--lock-timeout", "60s"]
                process = subprocess.Popen(
                    [*command, *options], cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
                stop_apply(conn, process, chosen, number)
                require_registered(conn)
            apply(db, file(10), lock_timeout="60s", batch=5)
        finally:
            is_last.set()
            stop.set()
        for writing in written:
            writing.result(300)
        assert all(changing.result(300) > 0 for changing in changed)
    apply(db, file(10))
    assert pending(db, file(10)) == []
    require_registered(conn)
    recorded: Counter[Change] = Counter(conn.execute(EVENTS).fetchall())
    assert [change for change, number in recorded.items() if number > 1] == []
    assert [change for writer in writers for change in lost(writer.changes, recorded)] == []
    assert [change for writer in writers for change in writer.changes[writer.last :] if not recorded[change]] == []
    assert recorded.keys() <= {change for writer in writers for change in writer.changes}


def require_registered(conn: psycopg.Connection) -> None:
    """Assert that each table has the triggers that the guard knows, or none, once the stopped session has ended."""
    with conn.transaction():
        conn.execute("lock table auditctl.rule in share update exclusive mode")
        wrong = conn.execute("""
            select c.relname, k.actions, array_agg(t.tgname) filter (where t.tgname is not null)
              from pg_class as c
              left join auditctl.capture as k on k.relation = c.oid
              left join pg_trigger as t on t.tgrelid = c.oid and t.tgname like 'auditctl%'
             where c.relname like 't%' and c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
             group by c.relname, k.relation
            having count(t.tgname) <> coalesce(cardinality(k.actions), 0)
        """).fetchall()
    assert wrong == []

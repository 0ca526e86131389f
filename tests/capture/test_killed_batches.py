"""An apply in batches that is killed, wherever it is: each table is as before or done, and the next one finishes."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import apply, pending, triggers

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow

TABLES = 24
KILLS = 10

LOST = """
    select count(*) from t{0} as t
     where t.id >= (select min(e.target_id::bigint) from auditctl.event as e where e.target = 'public.t{0}')
       and not exists (select from auditctl.event as e where e.target = 'public.t{0}' and e.target_id = t.id::text)
"""
"""The rows of a table that were written after it was audited and have no event."""


def write(dsn: str, stop: threading.Event, numbers: list[int]) -> int:
    """Insert into tables in turn; return how many rows."""
    rows = 0
    with connect(dsn) as session:
        while not stop.is_set():
            session.execute(f"insert into t{numbers[rows % len(numbers)]} (v) values ('x')".encode())
            rows += 1
    return rows


def count(conn: psycopg.Connection) -> int:
    """How many tables are audited."""
    return conn.execute("select from auditctl.capture").rowcount


def require_whole(conn: psycopg.Connection) -> None:
    """Assert that each table has all its triggers and is registered, or neither."""
    with conn.transaction():  # once the session that the killed process left has ended
        conn.execute("lock table auditctl.rule in share update exclusive mode")
    found = triggers(conn)
    assert {state for _, _, state in found} <= {"A"}
    by_table = Counter(table for table, _, _ in found)
    assert set(by_table.values()) <= {4}
    captured = conn.execute("select target from auditctl.capture")
    assert {target for (target,) in captured} == set(by_table)


def test_whatever_a_killed_apply_leaves_is_whole_and_the_next_one_finishes(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    names = [f"public.t{number}" for number in range(TABLES)]
    for number in range(TABLES):
        conn.execute(f"create table t{number} (id bigint generated always as identity primary key, v text)".encode())
    (tmp_path / "audit.toml").write_text("".join(f'[[table]]\nname = "{name}"\n' for name in names))
    command = [sys.executable, "-m", "auditctl", "--dsn", db, "apply", "audit.toml", "--batch", "2"]
    stop, chosen = threading.Event(), random.Random(1)
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, db, stop, list(range(first, TABLES, 2))) for first in range(2)]
        try:
            for _ in range(KILLS):
                process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                before = count(conn)
                while process.poll() is None and count(conn) == before:
                    time.sleep(0.01)
                time.sleep(chosen.uniform(0, 0.3))  # into the batch after the first
                process.kill()
                process.wait()
                require_whole(conn)
            apply(db)
            assert pending(db, (tmp_path / "audit.toml").read_text()) == []
        finally:
            stop.set()
        assert all(writer.result(60) > 0 for writer in writers)
    assert [conn.execute(LOST.format(number).encode()).fetchone() for number in range(TABLES)] == [(0,)] * TABLES

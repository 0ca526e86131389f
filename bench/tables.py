"""Many tables: what it takes to apply rules to them, to compare them, and what writers and backends pay for it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply, table_status
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection, connect
from auditctl.demo.server import EmbeddedServer
from auditctl.doctor.examine import examine
from bench import measure, results, serving
from bench.markdown import grid

SIZES, QUICK_SIZES = (10, 500, 3000), (10, 200)
TENANT = 10
"""How many tables a schema has."""

WRITERS = 4
TOUCHED = 200
"""The most tables that a backend writes to, for its memory."""

COLUMNS = (
    "name text, email text, city text, note text, code varchar(20), amount numeric(12, 2), rate float8, "
    "created timestamptz, updated timestamptz, day date, active boolean, stock integer, position integer, token uuid, "
    "document jsonb"
)

ROWS = {
    "first_apply": "first apply",
    "apply_of_nothing": "apply of nothing",
    "enable_one": "enable of one more table",
    "tenant": "a new schema of ten tables: apply",
    "check": "check",
    "tables": "tables",
    "doctor": "doctor",
    "config": "page /config",
}
"""What is measured in seconds, and what the documentation calls it."""


@dataclass(slots=True)
class Watched:
    """What was seen beside some work.

    Attributes:
        longest: The longest write, in seconds.
        writes: How many writes there were.
        locks: The most locks that the work held.
    """

    longest: float = 0.0
    writes: int = 0
    locks: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return for each number of tables seconds, the longest wait of a writer, locks and bytes."""
    return {"columns": 16, "sizes": {str(n): _measure(server, n) for n in (QUICK_SIZES if quick else SIZES)}}


def _measure(server: EmbeddedServer, number: int) -> dict[str, Any]:
    name = f"bench_tables_{number}"
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"create database {name}".encode())
    dsn = server.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as conn:
        for tenant in range(number // TENANT):
            make_tenant(conn, tenant)
        plain = _bytes_of_backend(dsn, number)
    store.install(dsn)
    watched = Watched()
    found: dict[str, Any] = {}
    with connect(dsn) as conn:
        with beside(dsn, conn, number, watched):
            found["first_apply"] = _seconds(conn, lambda: apply.enable(conn, Rule("tenant_*.*", DEFAULT)))
        found |= _compare(conn)
        make_tenant(conn, number // TENANT)
        conn.execute(f"create table public.one_more (id bigint primary key, {COLUMNS})".encode())
        found["enable_one"] = _seconds(conn, lambda: apply.enable(conn, Rule("public.one_more", DEFAULT)))
        found["tenant"] = _seconds(conn, lambda: apply.apply(conn))
        found["apply_of_nothing"] = _seconds(conn, lambda: apply.apply(conn))
        if not apply.plan(conn).is_done:
            raise RuntimeError("the rules are not applied")
    found["kilobytes_per_table_and_backend"] = round((_bytes_of_backend(dsn, number) - plain) / 1000, 1)
    found |= {"longest_write": round(watched.longest, 3), "writes": watched.writes, "locks": watched.locks}
    with serving.served(server, dsn, "auditctl_admin") as (_, client):
        started = time.perf_counter()
        client.get("/config").raise_for_status()
        found["config"] = {"seconds": round(time.perf_counter() - started, 3)}
    return found


def _compare(conn: Connection) -> dict[str, Any]:
    return {
        "check": _seconds(conn, lambda: apply.plan(conn)),
        "tables": _seconds(conn, lambda: table_status.read(conn)),
        "doctor": _seconds(conn, lambda: examine(conn)),
    }


def make_tenant(conn: psycopg.Connection[Any], number: int) -> None:
    """Create a schema of ten tables."""
    tables = (f"create table t{i} (id bigint primary key, {COLUMNS})" for i in range(TENANT))
    conn.execute(f"create schema tenant_{number:04} {' '.join(tables)}".encode())


def _seconds(conn: Connection, work: Callable[[], object]) -> dict[str, float]:
    """Return how long it took, and how long the client and its backend were on a processor."""
    pid = conn.info.backend_pid
    busy, started = measure.processor_seconds(pid) + time.process_time(), time.perf_counter()
    work()
    passed = time.perf_counter() - started
    busy = measure.processor_seconds(pid) + time.process_time() - busy
    return {"seconds": round(passed, 3), "processor_seconds": round(busy, 3)}


@contextmanager
def beside(dsn: str, conn: Connection, number: int, watched: Watched) -> Iterator[None]:
    """Write to all tables in turn, and count the locks of a session, while the block runs."""
    done = threading.Event()
    threads = [threading.Thread(target=_write, args=(dsn, number, n, done, watched)) for n in range(WRITERS)]
    threads.append(threading.Thread(target=_count_locks, args=(dsn, conn.info.backend_pid, done, watched)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _write(dsn: str, number: int, writer: int, done: threading.Event, watched: Watched) -> None:
    chosen = random.Random(writer)
    row = writer + WRITERS * (time.time_ns() // 1000)  # rows that no earlier writer inserted
    with psycopg.connect(dsn, autocommit=True) as conn:
        while not done.is_set():
            place, row = chosen.randrange(number), row + WRITERS
            statement = f"insert into tenant_{place // TENANT:04}.t{place % TENANT} (id, name) values ({row}, 'x')"
            started = time.perf_counter()
            conn.execute(statement.encode(), prepare=False)
            took = time.perf_counter() - started
            with watched.lock:
                watched.longest, watched.writes = max(watched.longest, took), watched.writes + 1
            done.wait(0.005)


def _count_locks(dsn: str, pid: int, done: threading.Event, watched: Watched) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        while not done.wait(0.05):
            row = conn.execute("select count(*) from pg_locks where pid = %s", [pid]).fetchone()
            watched.locks = max(watched.locks, row[0] if row else 0)


def _bytes_of_backend(dsn: str, number: int) -> float:
    """Return how much memory of its own a table costs a backend that writes to it; 0 on other systems than Linux."""
    touched = min(number, TOUCHED)
    with psycopg.connect(dsn, autocommit=True) as conn:
        before = _private_bytes(conn.info.backend_pid)
        for place in range(touched):
            table = f"tenant_{place // TENANT:04}.t{place % TENANT}"
            for statement in (
                f"insert into {table} (id, name) values (-1, 'x')",
                f"update {table} set name = 'y' where id = -1",
                f"delete from {table} where id = -1",
            ):
                conn.execute(statement.encode(), prepare=False)
        return (_private_bytes(conn.info.backend_pid) - before) / touched


def _private_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def table() -> str:
    """Return the table for the documentation; empty if it was never measured."""
    sizes = results.read("tables").get("sizes", {})
    if not sizes:
        return ""
    rows = [[title, *(f"{found[name]['seconds']:.2f}" for found in sizes.values())] for name, title in ROWS.items()]
    others = {
        "longest_write": ("longest write beside the first apply", ".2f"),
        "locks": ("most locks of the first apply", ",.0f"),
        "kilobytes_per_table_and_backend": ("kilobytes a table and backend, over no audit", ".0f"),
    }
    rows += [
        [title, *(format(found[name], spec) for found in sizes.values())] for name, (title, spec) in others.items()
    ]
    return grid(["seconds, unless it says otherwise", *(f"{int(size):,} tables" for size in sizes)], rows)

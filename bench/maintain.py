"""Upkeep of a million events, and what writers notice of it: their rate before and meanwhile, and the longest write."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import Action
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from auditctl.retention import maintain
from bench.export import FILL

WRITERS = 4
SECONDS = 5.0

MOVE_BACK = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
    select
        timestamptz '2001-01-01 00:00+00' + i * interval '2 seconds', 'user' || i %% 500, 'application',
        case when i %% 100 = 0 then 'billing.invoice' else 'billing.customer' end, i::text, 'CREATE',
        jsonb_build_object('balance', i * 1.5, 'status', 'closed')
    from generate_series(1, %s) as i
"""
NOTICED = """
    alter table auditctl.retention disable trigger retention_guarded;
    update auditctl.retention set until = until - interval '8 days', since = since - interval '8 days';
    alter table auditctl.retention enable always trigger retention_guarded
"""


@dataclass(slots=True)
class Writing:
    """What writers did: when each write ended, and how long it took."""

    ends: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def between(self, start: float, end: float) -> dict[str, float]:
        """Return the rate and the longest write of a time."""
        chosen = [took for at, took in zip(self.ends, self.seconds, strict=True) if start <= at < end]
        return {
            "rate": round(len(chosen) / (end - start), 1),
            "median_ms": round(statistics.median(chosen) * 1000, 2),
            "longest_ms": round(max(chosen) * 1000, 1),
        }


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return seconds, the writers' rates before and meanwhile, and their longest write."""
    dsn, events = server.dsn(), 20_000 if quick else 1_000_000
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create table public.work (id bigint generated always as identity primary key, n integer)")
        with connect(dsn) as own:
            apply.enable(own, Rule("public.work", tuple(Action)[:1]))
        current = conn.execute("select format('drop table auditctl.event_%s', to_char(now(), 'YYYY_MM'))").fetchone()
        assert current is not None
        conn.execute(current[0])  # so that writers write to the DEFAULT partition
        conn.execute(FILL, [events])
        conn.execute("vacuum analyze auditctl.event_default")
        move = _measured(dsn, lambda: list(_steps(dsn)))
        conn.execute("select auditctl_internal.create_partition('2001-01-01')")
        conn.execute(MOVE_BACK, [events])
        conn.execute("vacuum analyze auditctl.event")
        conn.execute(
            "select auditctl.set_retention('billing.invoice', 'forever'), auditctl.set_retention('*', '10 years')"
        )
        conn.execute(NOTICED)
        expire = _measured(dsn, lambda: list(_steps(dsn)))
    return {"events": events, "writers": WRITERS, "move_out_of_default": move, "expire_with_1_percent_kept": expire}


def _steps(dsn: str) -> Iterator[maintain.FinishedStep]:
    with connect(dsn) as conn:
        yield from maintain.run(conn)


def _measured(dsn: str, work: Callable[[], list[maintain.FinishedStep]]) -> dict[str, Any]:
    with _writers(dsn) as writing:
        time.sleep(SECONDS)
        start = time.monotonic()
        done = [step for step in work() if step.is_whole]
        end = time.monotonic()
    before, meanwhile = writing.between(start - SECONDS, start), writing.between(start, end)
    return {
        "seconds": round(end - start, 2),
        "steps": [step.sentence for step in done],
        "before": before,
        "meanwhile": meanwhile,
        "rate_of_before": round(meanwhile["rate"] / before["rate"], 2),
    }


@contextmanager
def _writers(dsn: str) -> Iterator[Writing]:
    writing, done = Writing(), threading.Event()
    threads = [threading.Thread(target=_write, args=(dsn, writing, done)) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield writing
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _write(dsn: str, writing: Writing, done: threading.Event) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        while not done.is_set():
            start = time.monotonic()
            conn.execute("insert into public.work (n) values (1)")
            end = time.monotonic()
            writing.seconds.append(end - start)
            writing.ends.append(end)

"""What sealing and verifying take: time for each event, memory, storage, and what writers lose meanwhile."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from bench import measure, results, webbed
from bench.markdown import grid

EVENTS = (1_000_000, 10_000_000)
"""Two sizes, which show how time and memory grow."""

QUICK_EVENTS = (20_000, 100_000)
SPAN = timedelta(days=300)

CLIENTS = 8
SCALE, QUICK_SCALE = 20, 1
SECONDS, QUICK_SECONDS = 10, 2
ROUNDS, QUICK_ROUNDS = 9, 1

PGBENCH_TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")

STORED = """
    select sum(pg_total_relation_size(oid))::bigint
    from pg_class where oid in ('auditctl.block'::regclass, 'auditctl.node'::regclass, 'auditctl.checkpoint'::regclass)
"""

SESSIONS = """
    select count(*) from pg_stat_activity
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class _Log:
    """A log with a key, and the tool that seals and verifies it."""

    server: EmbeddedServer
    dsn: str
    folder: Path

    def run(self, *arguments: str | Path) -> dict[str, float]:
        """Run a command; return the seconds that passed, those of both processors, and the greatest memory."""
        before = self._served()
        done = measure.process(self.command(*arguments), self.folder / "output")
        served = self._served() - before
        return {"passed": done.seconds, "client": done.busy, "server": served, "peak": done.peak}

    def command(self, *arguments: str | Path) -> list[str | Path]:
        return [sys.executable, "-m", "auditctl", "--quiet", "--dsn", self.dsn, *arguments]

    def _served(self) -> float:
        """What the server's sessions took, once all have ended."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while conn.execute(SESSIONS).fetchone() != (0,):
                time.sleep(0.05)
        time.sleep(0.5)  # until the postmaster has waited for them
        return measure.server_seconds(self.server.pid)

    @property
    def key(self) -> Path:
        return self.folder / "seal.key"

    def make_key(self) -> None:
        measure.process(
            self.command("keygen", "--name", "bench.example/log", "--output", self.key), self.folder / "out"
        )


@contextmanager
def _log(server: EmbeddedServer, name: str) -> Iterator[_Log]:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"create database {name}".encode())
    with tempfile.TemporaryDirectory() as folder:
        log = _Log(server, server.dsn(name), Path(folder))
        log.make_key()
        yield log


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Seal logs of two sizes at once, then verify them; return events for each second, and memory."""
    return {"sizes": [_measure(server, events) for events in (QUICK_EVENTS if quick else EVENTS)]}


def _measure(server: EmbeddedServer, events: int) -> dict[str, Any]:
    with _log(server, f"events_{events}") as log:
        webbed.build(
            log.dsn, events, SPAN, transaction=webbed.REAL, report=lambda text: print(text, file=sys.stderr, flush=True)
        )
        sealed = log.run("seal", "--key", log.key)
        verified = log.run("verify", "--public-key", f"{log.key}.pub")
        with psycopg.connect(log.dsn, autocommit=True) as conn:
            (stored,) = conn.execute(STORED).fetchone() or (0,)
            (members,) = conn.execute("select sum(events)::bigint from auditctl.block").fetchone() or (0,)
    return {
        "events": members,
        "bytes_per_event": round(stored / members, 1),
        "seal": _rates(sealed, members),
        "verify": _rates(verified, members),
    }


def _rates(found: dict[str, float], events: int) -> dict[str, float]:
    """Events for each second of the clock and of either processor; memory in megabytes."""
    rates = {name: round(events / found[name]) for name in ("passed", "client", "server") if found[name]}
    return rates | {"peak_megabytes": round(found["peak"] / 1e6, 1)}


def run_commits(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure pgbench's own transactions with and without a seal each second, of one audited table and of all four."""
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if quick else (SECONDS, ROUNDS)
    program = server.bindir / "pgbench"
    if not program.exists():
        return {"skipped": f"PostgreSQL {server.version} came without pgbench"}
    scale = QUICK_SCALE if quick else SCALE
    found = {}
    for tables in (PGBENCH_TABLES[:1], PGBENCH_TABLES):
        with _log(server, f"commits_{len(tables)}") as log:
            subprocess.run([program, "-i", "-q", "-s", str(scale), log.dsn], check=True, capture_output=True)
            store.install(log.dsn)
            with connect(log.dsn) as conn:
                for table in tables:
                    apply.enable(conn, Rule(f"public.{table}", DEFAULT))
            found[str(len(tables))] = _commits(log, program, seconds, rounds)
    return {"clients": CLIENTS, "scale": scale, "seconds": seconds, "rounds": rounds, "audited_tables": found}


def _commits(log: _Log, program: Path, seconds: int, rounds: int) -> dict[str, Any]:
    def load() -> float:
        return measure.pgbench(program, log.dsn, ["-M", "prepared"], CLIENTS, seconds).rate

    def without() -> float:
        log.run("seal", "--key", log.key)
        return load()

    def sealing() -> float:
        log.run("seal", "--key", log.key)
        command = log.command("seal", "--key", log.key, "--every", "1s")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sealer:
            try:
                time.sleep(2)  # until it has begun
                return load()
            finally:
                sealer.terminate()

    found = measure.samples({"without": without, "sealing": sealing}, rounds)
    ratios = [one / other for one, other in zip(found["sealing"], found["without"], strict=True)]
    return {
        "transactions_per_second": {name: round(statistics.median(rates)) for name, rates in found.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }


def table() -> str:
    """Return what stands on the page; empty where it was never run."""
    measured, commits = results.read("evidence"), results.read("evidence-commits")
    if not measured or not commits:
        return ""
    rows = [
        [
            f"{name}, {size['events']:,} events",
            *(f"{size[name][which]:,}" for which in ("passed", "client", "server")),
            f"{size[name]['peak_megabytes']:.0f} MB",
        ]
        for size in measured["sizes"]
        for name in ("seal", "verify")
    ]
    head = ("events a second", "by the clock", "of the tool's processor", "of the server's", "memory of the tool")
    return (
        f"{grid(head, rows)}\n\nThe evidence takes {measured['sizes'][-1]['bytes_per_event']:.0f} bytes an event.\n\n"
        f"pgbench with {commits['clients']} clients and real commits, which keeps both processors busy, without and "
        f"with a seal each second (medians of {commits['rounds']} pairs of {commits['seconds']} s):\n\n"
        f"{_commit_grid(commits)}"
    )


def _commit_grid(commits: dict[str, Any]) -> str:
    rows = [
        [tables, *(f"{rate:,}" for rate in found["transactions_per_second"].values()), f"{found['ratio']:.1%}"]
        for tables, found in commits["audited_tables"].items()
    ]
    return grid(("events a transaction", "transactions a second", "with sealing", "ratio"), rows)

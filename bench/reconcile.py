"""What `auditctl baseline` and `auditctl reconcile` take, against reading the table and all its events once."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from bench import measure, results
from bench.markdown import grid
from bench.subject import NARROW

ROWS = (250_000, 1_000_000)
"""Two sizes, which show how the time grows."""

QUICK_ROWS = (5_000, 10_000)
ROUNDS, QUICK_ROUNDS = 3, 1

READ = f"copy {NARROW.name} to stdout; copy (select * from auditctl.event) to stdout"


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return seconds for each number of rows, half of which were updated once after the baseline."""
    sizes = QUICK_ROWS if quick else ROWS
    return {"rounds": QUICK_ROUNDS if quick else ROUNDS, "sizes": [_measure(server, rows, quick) for rows in sizes]}


def _measure(server: EmbeddedServer, rows: int, quick: bool) -> dict[str, Any]:
    name = f"rows_{rows}"
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"create database {name}".encode())
    dsn = server.dsn(name)
    store.install(dsn)
    tool: list[str | Path] = [sys.executable, "-m", "auditctl", "--quiet", "--dsn", dsn]
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(dsn, autocommit=True) as conn:
        output = Path(folder) / "output"
        conn.execute(NARROW.definition.encode())
        conn.execute(NARROW.bulk("insert", rows).encode())
        with connect(dsn) as opened:
            apply.enable(opened, Rule(f"public.{NARROW.name}", DEFAULT))
        baseline = measure.process([*tool, "baseline", NARROW.name], output)
        started = time.perf_counter()
        conn.execute(f"{NARROW.bulk('update', rows)} where id % 2 = 0".encode())
        print(f"updated in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        conn.execute("vacuum analyze")
        peaks = [0]

        def read() -> float:
            return measure.process([server.bindir / "psql", "-X", "-q", "-d", dsn, "-c", READ], output).seconds

        def compare() -> float:
            done = measure.process([*tool, "reconcile"], output)
            peaks.append(done.peak)
            return done.seconds

        seconds = measure.interleaved({"read": read, "reconcile": compare}, QUICK_ROUNDS if quick else ROUNDS)
    return {
        "rows": rows,
        "events": rows + rows // 2,
        "seconds": {"baseline": round(baseline.seconds, 2)} | {key: round(value, 2) for key, value in seconds.items()},
        "peak_megabytes": round(max(peaks) / 1e6, 1),
    }


def table() -> str:
    """Return what stands on the page; empty where it was never run."""
    measured = results.read("reconcile")
    if not measured:
        return ""
    rows = [
        [
            f"{size['rows']:,}",
            f"{size['events']:,}",
            *(f"{size['seconds'][name]:.1f}" for name in ("baseline", "read", "reconcile")),
            f"{size['seconds']['reconcile'] / size['seconds']['read']:.1f}",
            f"{size['peak_megabytes']:.0f} MB",
        ]
        for size in measured["sizes"]
    ]
    head = ("rows", "events", "baseline, s", "reading both, s", "reconcile, s", "ratio", "memory of the tool")
    return grid(head, rows)

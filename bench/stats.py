"""What `auditctl stats` takes: an exact pass over the log, and an estimate from a sample."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from auditctl import store
from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.export import FILL

EVENTS = 1_000_000
ROUNDS = 5
QUICK_EVENTS, QUICK_ROUNDS = 10_000, 1

COUNT = "select target, action, count(*) from auditctl.event group by target, action"


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return medians in seconds, and the greatest memory of the tool's process."""
    events, rounds = (QUICK_EVENTS, QUICK_ROUNDS) if quick else (EVENTS, ROUNDS)
    dsn = server.dsn()
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FILL, [events])
        conn.execute("vacuum analyze auditctl.event")
    tool: list[str | Path] = [sys.executable, "-m", "auditctl", "--dsn", dsn, "stats"]
    commands: dict[str, list[str | Path]] = {
        "bare_count": [server.bindir / "psql", "-X", "-q", "-d", dsn, "-c", COUNT],
        "stats": tool,
        "stats_estimate": [*tool, "--estimate"],
    }
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:

        def once(name: str) -> float:
            done = measure.process(commands[name], Path(folder) / name)
            peaks[name] = max(done.peak, peaks.get(name, 0))
            return done.seconds

        seconds = measure.interleaved({name: lambda name=name: once(name) for name in commands}, rounds)  # type: ignore[misc]
    return {
        "events": events,
        "rounds": rounds,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_megabytes": {name: round(value / 1e6, 1) for name, value in peaks.items()},
    }

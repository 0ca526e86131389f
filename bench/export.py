"""A million events exported to CSV, against a bare \\copy of the same columns, with the client's peak memory."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from auditctl import store
from auditctl.demo.server import EmbeddedServer
from bench import measure

EVENTS = 1_000_000
ROUNDS = 5

FILL = """
    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    select
        'user' || i %% 500, 'application', '203.0.113.7', 'billing.customer', (i %% 100000)::text, 'UPDATE',
        jsonb_build_object('balance', i * 1.25, 'status', 'active'),
        jsonb_build_object('balance', i * 1.5, 'status', 'closed'),
        '{"application_name": "web", "request_id": "8f14e45f"}'
    from generate_series(1, %s) as i
"""

COLUMNS = (
    "event_id, created_on, ip_address, user_name, target, target_id, action, details, old_values, new_values, "
    "db_user, actor_kind, xact_id, context"
)
BARE = f"\\copy (select {COLUMNS} from auditctl.activity order by created_on, event_id) to stdout csv header"
RAW = BARE.replace(" details,", "")


def run(server: EmbeddedServer) -> dict[str, Any]:
    """Measure; return medians in seconds and bytes, and the ratios."""
    dsn = server.dsn()
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FILL, [EVENTS])
        conn.execute("vacuum analyze auditctl.event")
    psql: list[str | Path] = [server.bindir / "psql", "-X", "-q", "-d", dsn]
    tool: list[str | Path] = [sys.executable, "-m", "auditctl", "--dsn", dsn, "export"]
    commands: dict[str, list[str | Path]] = {
        "bare_copy": [*psql, "-c", BARE],
        "bare_copy_without_details": [*psql, "-c", RAW],
        "export": tool,
        "export_raw": [*tool, "--raw"],
        "export_jsonl": [*tool, "--format", "jsonl"],
    }
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:

        def once(name: str) -> float:
            done = measure.process(commands[name], Path(folder) / name)
            peaks[name] = max(done.peak, peaks.get(name, 0))
            return done.seconds

        seconds = measure.interleaved({name: lambda name=name: once(name) for name in commands}, ROUNDS)  # type: ignore[misc]
    return {
        "events": EVENTS,
        "rounds": ROUNDS,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_megabytes": {name: round(value / 1e6, 1) for name, value in peaks.items()},
        "export_over_bare_copy": round(seconds["export"] / seconds["bare_copy"], 3),
        "export_over_bare_copy_without_details": round(seconds["export"] / seconds["bare_copy_without_details"], 3),
    }

"""Transactions per second with real commits, by pgbench."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import Bed, beds
from bench.contenders import ALL, NO_AUDIT
from bench.subject import NARROW

ROWS = 5_000
CLIENTS = (1, 2, 8)
THREADS = 2

NAMING = """\\if :named = 0
{session}
\\set named 1
\\endif
"""
"""What each client's session runs first, once: pgbench keeps variables from one transaction to the next."""

TRANSACTION = f"""\\set row random(1, {ROWS})
{NARROW.one("update", ":row")};
"""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure transactions that update two columns of one row at random; the server must wait for its disk."""
    seconds, rounds = 1, 1 if quick else 5
    program = server.bindir / "pgbench"
    if not program.exists():
        return {"skipped": f"PostgreSQL {server.version} came without pgbench"}
    with tempfile.TemporaryDirectory() as folder, beds(server, ALL, [NARROW]) as made:
        runs = {name: partial(_once, program, bed, Path(folder) / name, seconds) for name, bed in made.items()}
        samples = measure.samples(runs, rounds)
    rates = {
        str(clients): _figures({name: [rate[clients] for rate in found] for name, found in samples.items()})
        for clients in CLIENTS
    }
    return {"seconds": seconds, "rounds": rounds, "rows": ROWS, "transactions_per_second": rates}


def _figures(samples: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Sum up one number of clients, by contender."""
    bare = statistics.median(samples[NO_AUDIT.name])
    return {
        name: {
            "rate": round(statistics.median(rates)),
            "of_no_audit": round(statistics.median(rates) / bare, 2),
            "least": round(min(rates)),
            "greatest": round(max(rates)),
        }
        for name, rates in samples.items()
    }


def _once(program: Path, bed: Bed, script: Path, seconds: int) -> dict[int, float]:
    """Return transactions per second by number of clients."""
    session = "".join(f"{statement};\n" for statement in bed.contender.session)
    script.write_text((NAMING.format(session=session) if session else "") + TRANSACTION, "utf-8")
    found = {}
    for clients in CLIENTS:
        bed.fill(NARROW, ROWS)
        options: list[str | Path] = ["-M", "prepared", "-D", "named=0", "-f", script]
        done = measure.pgbench(program, bed.writer_dsn, options, clients, seconds)
        bed.require(done.transactions)
        bed.empty()
        found[clients] = done.rate
    return found

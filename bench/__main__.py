"""Runs the benchmarks, each against a server of its own, and writes what they found into docs/performance.md.

python -m bench                     everything
python -m bench export capture      some of it; `capture-bulk` is a part of `capture`
python -m bench capture --quick     with little of everything, which shows that it works and writes no file
python -m bench table               rewrite the tables of docs/performance.md from bench/results
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import (
    archive,
    evidence,
    export,
    guard,
    importing,
    integrations,
    maintain,
    reading,
    reconcile,
    results,
    serving,
    stats,
    storage,
    table,
    tables,
    transactions,
    upgrade,
    web,
)
from bench.capture import PARTS, Part

BENCHMARKS: Mapping[str, Part] = {
    **{f"capture-{name}": part for name, part in PARTS.items()},
    "export": lambda server, quick: export.run(server),  # noqa: ARG005
    "serving": serving.run,
    "stats": stats.run,
    "reconcile": reconcile.run,
    "evidence": evidence.run,
    "evidence-commits": evidence.run_commits,
    "archive": archive.run,
    "storage": storage.run,
    "reading": reading.run,
    "importing": importing.run,
    "maintain": maintain.run,
    "web": web.run,
    "transactions": transactions.run,
    "tables": tables.run,
    "upgrade": upgrade.run,
    "guard": guard.run,
    "integrations": integrations.run,
}

SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "2GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
REAL_COMMITS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def main() -> None:
    """Run what the command line names, or all; write bench/results/NAME.json."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the log costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"table, capture, {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="little of everything; prints, and writes no file")
    parser.add_argument("--bindir", type=Path, metavar="FOLDER", help="the server's programs; the system's by default")
    options = parser.parse_args()
    chosen: list[str] = []
    for wanted in options.names or BENCHMARKS:
        found = [known for known in BENCHMARKS if known == wanted or known.startswith(f"{wanted}-")]
        if not found and wanted != "table":
            parser.error(f"there is no benchmark {wanted}")
        chosen += found
    for name in dict.fromkeys(chosen):
        _measure(name, quick=options.quick, bindir=options.bindir)
    if not options.quick:
        table.rewrite()


def _measure(name: str, *, quick: bool, bindir: Path | None = None) -> None:
    print(f"{name} ...", flush=True)
    settings = {**SETTINGS, **(REAL_COMMITS if name.endswith("-commits") else {})}
    started = time.monotonic()
    with EmbeddedServer(bindir, settings=settings) as server:
        found: dict[str, Any] = BENCHMARKS[name](server, quick)
        result = {"server": server.version, "processors": os.cpu_count(), "settings": settings, **found}
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    if quick:
        print(json.dumps(found, indent=2))
    else:
        results.write(name, result)


if __name__ == "__main__":
    main()

"""Runs the benchmarks against a server of its own: `make bench`, or `python -m bench export capture`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from auditctl.demo.server import EmbeddedServer
from bench import capture, export

BENCHMARKS = {"export": export.run, "capture": capture.run}
RESULTS = Path(__file__).parent / "results"
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "fsync": "off", "autovacuum": "off"}


def main() -> None:
    """Run the benchmarks named on the command line, or all; write bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or list(BENCHMARKS):
        print(f"{name} ...", flush=True)
        with EmbeddedServer(settings=SETTINGS) as server:
            result = BENCHMARKS[name](server)
        text = json.dumps({"server": server.version, **result}, indent=2)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()

"""One statement for each row."""

from __future__ import annotations

from functools import partial
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import beds
from bench.capture import figures
from bench.capture.laps import lap
from bench.contenders import ALL
from bench.subject import NARROW


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure loops on the server, in one transaction each."""
    rows, rounds = (500, 3) if quick else (2_000, 11)
    with beds(server, ALL, [NARROW]) as made:
        found = measure.samples(
            {name: partial(lap, bed, NARROW, rows, in_loop=True) for name, bed in made.items()}, rounds
        )
    return {"rows": rows, "rounds": rounds, "microseconds_per_row": figures.by_workload(found)}

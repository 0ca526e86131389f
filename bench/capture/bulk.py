"""One statement for many rows."""

from __future__ import annotations

from functools import partial
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import beds
from bench.capture import figures
from bench.capture.laps import lap
from bench.contenders import ALL, AUDITCTL_SUPERUSER
from bench.subject import NARROW

WARM = 1_000
"""Rows of the laps before the measured ones: enough to compile and plan everything."""


CONTENDERS = [contender for contender in ALL if contender != AUDITCTL_SUPERUSER]
"""A superuser's events differ by who is looked up, which single rows show."""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure bulk statements."""
    rows, rounds = (5_000, 3) if quick else (100_000, 5)
    with beds(server, CONTENDERS, [NARROW]) as made:
        for bed in made.values():
            lap(bed, NARROW, WARM, in_loop=False)
        found = measure.samples(
            {name: partial(lap, bed, NARROW, rows, in_loop=False) for name, bed in made.items()}, rounds, warm_up=0
        )
    return {"rows": rows, "rounds": rounds, "microseconds_per_row": figures.by_workload(found)}

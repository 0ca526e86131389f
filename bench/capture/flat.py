"""Whether a row of a large update costs what a row of a small one does."""

from __future__ import annotations

from functools import partial
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import Bed, beds
from bench.capture import figures
from bench.contenders import AUDITCTL, NO_AUDIT
from bench.measure import Cost
from bench.subject import NARROW

ROUNDS = {1_000: 9, 10_000: 7, 100_000: 5, 1_000_000: 1}
"""Rows of one statement, and how often it is measured: a million rows are an average by themselves."""

QUICK = {1_000: 3, 10_000: 1}
BEFORE = (100, 1)
"""Rows of the one update that a session ran before: a plan made for one row must not be kept for a million."""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure updates, each in a session of its own."""
    sizes = QUICK if quick else ROUNDS

    def once(bed: Bed, rows: int) -> dict[str, Cost]:
        found = {}
        for before in BEFORE:
            bed.renew_writer()
            bed.fill(NARROW, rows)
            bed.run(f"{NARROW.bulk('update', rows)} where id <= {before}", before)
            found[f"after_{before}"] = bed.run(NARROW.bulk("update", rows), rows)
            bed.require(rows + before)
            bed.empty()
        return found

    results = {}
    with beds(server, [NO_AUDIT, AUDITCTL], [NARROW]) as made:
        for rows, rounds in sizes.items():
            runs = {name: partial(once, bed, rows) for name, bed in made.items()}
            found = measure.samples(runs, rounds, warm_up=1 if rounds > 1 else 0)
            results[str(rows)] = figures.by_workload(found)
    return {"rounds": {str(rows): rounds for rows, rounds in sizes.items()}, "microseconds_per_row": results}

"""Two changed columns of a wide table, against two of a narrow one."""

from __future__ import annotations

from functools import partial
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import Bed, beds
from bench.capture import figures
from bench.contenders import ALL, AUDITCTL_SUPERUSER, FLOOR_PLAIN
from bench.measure import Cost
from bench.subject import NARROW, WIDE

SUBJECTS = (NARROW, WIDE)
CONTENDERS = [contender for contender in ALL if contender not in (AUDITCTL_SUPERUSER, FLOOR_PLAIN)]


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure loops of updates on both tables, one right after the other."""
    rows, rounds = (200, 3) if quick else (500, 9)

    def once(bed: Bed) -> dict[str, Cost]:
        found = {}
        for subject in SUBJECTS:
            bed.fill(subject, rows)
            found[subject.name] = bed.run(subject.loop("update", rows), rows)
        bed.require(rows * len(SUBJECTS))
        bed.empty()
        return found

    with beds(server, CONTENDERS, SUBJECTS) as made:
        samples = measure.samples({name: partial(once, bed) for name, bed in made.items()}, rounds)
    columns = {subject.name: subject.width for subject in SUBJECTS}
    return {
        "rows": rows,
        "rounds": rounds,
        "columns": columns,
        "microseconds_per_row": figures.by_workload(samples),
    }

"""A lap: rows are inserted, updated and deleted, each of it timed, and then the log is counted."""

from __future__ import annotations

from bench.bed import Bed
from bench.measure import Cost
from bench.subject import STATEMENTS, Subject


def lap(bed: Bed, subject: Subject, rows: int, *, in_loop: bool) -> dict[str, Cost]:
    """Return microseconds per row for each statement, in a loop of single rows or as one statement for all."""
    figures = {}
    for statement in STATEMENTS:
        command = subject.loop(statement, rows) if in_loop else subject.bulk(statement, rows)
        figures[statement] = bed.run(command, rows)
        bed.settle(subject)
    bed.require(rows * len(STATEMENTS))
    bed.empty()
    return figures

"""What a session keeps for each table that it wrote to, and what that costs its TRUNCATE."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.bed import Bed, beds
from bench.capture import figures
from bench.capture.laps import lap
from bench.contenders import AUDITCTL, GENERIC, NO_AUDIT, THIN
from bench.contenders.contender import APPLICATION
from bench.measure import Cost
from bench.subject import STATEMENTS, Subject

CONTENDERS = (NO_AUDIT, GENERIC, AUDITCTL, THIN)
COLUMNS = 16
EXECUTIONS = 10
"""Rows of each statement: after five, PostgreSQL keeps a plan for all values."""

FIRST = 2
"""Tables that a session writes to before it is looked at, so that what all tables share does not count."""

TRUNCATED = 9
MAY_LOOK = f"""
    grant select on pg_backend_memory_contexts to {APPLICATION};
    grant execute on function pg_get_backend_memory_contexts() to {APPLICATION}
"""
CONTEXTS = """
    select sum(total_bytes)::bigint, count(*) filter (where name = 'CachedPlan') from pg_backend_memory_contexts
"""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Write to many tables in one session, then truncate some of them; and measure rows of one table."""
    tables, rows, rounds = (20, 200, 2) if quick else (500, 2_000, 9)
    subjects = [Subject(f"t{number}", COLUMNS) for number in range(1, tables + 1)]
    with beds(server, CONTENDERS, subjects) as made:
        kept = {name: _kept(bed) for name, bed in made.items()}
        laps = {name: partial(_laps, bed, rows) for name, bed in made.items()}
        found = measure.samples(laps, rounds)
    return {
        "tables": tables,
        "columns": COLUMNS,
        "rows": rows,
        "rounds": rounds,
        "kept": kept,
        "microseconds_per_row": figures.by_workload(found),
    }


def _kept(bed: Bed) -> dict[str, float]:
    """Return bytes and plans of a table, and the processor's milliseconds of a TRUNCATE after all were written to."""
    bed.admin.execute(MAY_LOOK.encode())
    bed.renew_writer()
    _write(bed, bed.subjects[:FIRST])
    bytes_before, plans_before = _contexts(bed)
    _write(bed, bed.subjects[FIRST:])
    bytes_after, plans_after = _contexts(bed)
    tables = len(bed.subjects) - FIRST
    truncates = [bed.run(f"truncate {subject.name}", 1).busy / 1e3 for subject in bed.subjects[:TRUNCATED]]
    bed.renew_writer()
    bed.empty()
    return {
        "megabytes_per_table": round((bytes_after - bytes_before) / tables / 1e6, 3),
        "plans_per_table": round((plans_after - plans_before) / tables, 1),
        "truncate_milliseconds": round(statistics.median(truncates), 2),
    }


def _write(bed: Bed, subjects: tuple[Subject, ...]) -> None:
    for subject in subjects:
        for statement in STATEMENTS:
            bed.run(subject.loop(statement, EXECUTIONS), EXECUTIONS)


def _contexts(bed: Bed) -> tuple[int, int]:
    row = bed.writer.execute(CONTEXTS.encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _laps(bed: Bed, rows: int) -> dict[str, Cost]:
    """Measure single and bulk statements on one table."""
    found: dict[str, Cost] = {}
    for kind, in_loop in (("single", True), ("bulk", False)):
        costs = lap(bed, bed.subjects[0], rows, in_loop=in_loop)
        found |= {f"{kind} {statement}": cost for statement, cost in costs.items()}
    return found

"""The targets for the cost of capture, compared with the measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench import results
from bench.contenders import AUDIT_ROW, AUDITCTL
from bench.subject import STATEMENTS

OVER_FLOOR = 1.5
OVER_ROW = {"insert": 1.0, "update": 0.5, "delete": 1.0}
BYTES_PER_UPDATE = 450
WIDE_OVER_NARROW = 3.0
SMALL_OVER_LARGE = 1.25
"""The maximum ratio between costs of a row that count as flat."""

Row = tuple[str, str, float, float]
"""The target, in what unit, what was measured, and the limit."""


def clean(figures: Mapping[str, float], name: str) -> float:
    """Return a figure of the processor's time, or of the clock if the system does not report it."""
    return figures.get(f"processor_{name}", figures[name])


def table() -> str:
    """Return the targets as a table; a benchmark that was never run is left out."""
    rows = [row for part in (_speed, _wide, _flat, _size) for row in part()]
    if not rows:
        return ""
    lines = "".join(_line(*row) for row in rows)
    return f"The targets of auditctl:\n\n| target | at most | measured | met |\n|---|---|---|---|\n{lines}"


def _line(what: str, unit: str, measured: float, limit: float) -> str:
    shown = f"{measured:.0f}{unit}" if unit else f"{measured:.2f}"
    return f"| {what} | {limit:g}{unit} | {shown} | {'yes' if measured <= limit else '**no**'} |\n"


def _speed() -> Iterator[Row]:
    for kind in ("single", "bulk"):
        measured = results.read(f"capture-{kind}")
        for statement in STATEMENTS if measured else ():
            figures = measured["microseconds_per_row"][statement]
            own, row = figures[AUDITCTL.name], figures[AUDIT_ROW.name]
            yield f"{kind} {statement}, overhead over the floor's", "", clean(own, "over_floor"), OVER_FLOOR
            over_row = clean(own, "overhead") / clean(row, "overhead")
            yield f"{kind} {statement}, overhead over PostgreSQL-Audit's, row", "", over_row, OVER_ROW[statement]


def _wide() -> Iterator[Row]:
    measured = results.read("capture-wide")
    if measured:
        narrow, wide = (measured["microseconds_per_row"][name][AUDITCTL.name] for name in ("narrow", "wide"))
        for figure in ("cost", "overhead"):
            over = clean(wide, figure) / clean(narrow, figure)
            yield f"update of a wide table, {figure} over the narrow one's", "", over, WIDE_OVER_NARROW


def _flat() -> Iterator[Row]:
    measured = results.read("capture-flat")
    if measured:
        sizes: dict[str, Any] = measured["microseconds_per_row"]
        costs = [clean(figures[AUDITCTL.name], "cost") for orders in sizes.values() for figures in orders.values()]
        span = f"{int(min(sizes, key=int)):,} to {int(max(sizes, key=int)):,} rows"
        yield f"row of an update of {span}, most expensive over cheapest", "", max(costs) / min(costs), SMALL_OVER_LARGE


def _size() -> Iterator[Row]:
    measured = results.read("capture-size")
    if measured:
        figures = measured["bytes_per_event"]["update"]
        yield "size of an update of two columns", " bytes", figures[AUDITCTL.name], BYTES_PER_UPDATE

"""Counts archived events, as auditctl.log.stats counts those of the log: by target, month and action.

The size of a month's files is divided among its events in proportion to the length of their values. Engines count, but
for the few events of which they cannot tell whether filters select them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from auditctl.actions import Action
from auditctl.archive.archive import Month
from auditctl.archive.part_errors import naming
from auditctl.archive.search import Search
from auditctl.archive.texts import time_text
from auditctl.clock import Clock
from auditctl.log import archive_predicates, archive_value_predicates
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.filters import Filters
from auditctl.log.stats.count import ReportProgress, shares
from auditctl.log.stats.model import DIMENSIONS, ArchiveStorage, Group, grouped

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Table

_FIXED = 64
"""About how many bytes an event has without its values."""

_VALUES = ("old_values", "new_values", "context", "details")
_BASELINE = archive_value_predicates.action((Action.BASELINE,))


@dataclass(frozen=True, slots=True)
class _Count:
    """Events of one target, month and action that filters select, or not."""

    target: str
    month: str
    action: str
    is_selected: bool
    events: int
    weight: int
    oldest: int
    newest: int


def count_events(
    search: Search, filters: Filters, report: ReportProgress | None = None
) -> tuple[tuple[Group, ...], ArchiveStorage]:
    """Count the archived events that satisfy the filters, which are resolved; months are those of their clock.

    Args:
        search: The archive.
        filters: Which events.
        report: Called after each month.

    Returns:
        The events by target, month and action, of all databases; and what the archive holds.

    Raises:
        ArchiveError: A file is missing, was altered, or cannot be read.
    """
    predicate = archive_predicates.conjunction(filters.archive_predicates())
    months = search.archive.months
    sizes = [sum(part.part.bytes for part in month.parts) for month in months]
    groups: list[Group] = []
    done = 0
    for month, size in zip(months, sizes, strict=True):
        groups += _groups(search, month, size, predicate, filters.clock)
        done += size
        if report is not None:
            report(done, sum(sizes))
    storage = ArchiveStorage(sum(sizes), sum(len(month.parts) for month in months), len(months))
    return tuple(grouped(groups, DIMENSIONS)), storage


def _groups(search: Search, month: Month, size: int, predicate: ArchivePredicate, clock: Clock) -> Iterator[Group]:
    counts = list(_counts(search, month, predicate, clock)) if month.parts else []
    for count, share in zip(counts, shares(size, [one.weight for one in counts]), strict=True):
        if count.is_selected:
            oldest, newest = time_text(count.oldest), time_text(count.newest)
            label = search.labels.get(month.manifest.key.database, {}).get(count.target)
            action = Action(count.action)
            yield Group(count.target, count.month, action, count.events, share, oldest, newest, label)


def _counts(search: Search, month: Month, predicate: ArchivePredicate, clock: Clock) -> Iterator[_Count]:
    """Yield what the engine counts, and then one by one the events of which it cannot tell."""
    table = search.table(month.parts)
    is_unsure = _unsure(table, predicate) | _unsure(table, _BASELINE)
    marked = table.mutate(
        is_selected=predicate.expression(table).fill_null(False),
        is_baseline=_BASELINE.expression(table).fill_null(False),
        is_unsure=is_unsure,
        month_place=_place(table, month, clock),
        weight=sum((table[name].length().fill_null(0) for name in _VALUES), _FIXED),
    )
    shown = _shown_months(month)
    sure = marked.filter(~marked.is_unsure)
    counted = sure.group_by(["target", "action", "is_baseline", "is_selected", "month_place"]).aggregate(
        events=sure.count(), weight=sure.weight.sum(), oldest=sure.occurred_at.min(), newest=sure.occurred_at.max()
    )
    with naming(month.parts):
        for row in _rows(search, counted):
            action = "BASELINE" if row["is_baseline"] else row["action"]
            yield _Count(
                row["target"], shown[row["month_place"]], action, row["is_selected"], row["events"],
                int(row["weight"]), row["oldest"], row["newest"],
            )  # fmt: skip
        names = dict.fromkeys((*predicate.columns, *_BASELINE.columns, "target", "action", "occurred_at", "event_id"))
        unsure = marked.filter(marked.is_unsure)[[*names, "is_selected", "is_baseline", "month_place", "weight"]]
        for row in _rows(search, unsure):
            is_selected = row["is_selected"] and (predicate.accepts is None or predicate.accepts(row))
            is_baseline = row["is_baseline"] and _BASELINE.accepts is not None and _BASELINE.accepts(row)
            yield _Count(
                row["target"], shown[row["month_place"]], "BASELINE" if is_baseline else row["action"], is_selected, 1,
                int(row["weight"]), row["occurred_at"], row["occurred_at"],
            )  # fmt: skip


def _unsure(table: Table, predicate: ArchivePredicate) -> BooleanValue:
    """Return what is true of the events of which only Python can tell whether a predicate selects them."""
    if predicate.accepts is None:
        return archive_predicates.nothing(table)
    may_be = predicate.expression(table).fill_null(False)
    return may_be if predicate.certain is None else may_be & ~predicate.certain(table).fill_null(False)


def _place(table: Table, month: Month, clock: Clock) -> Any:
    """Return where an event is by a clock: -1 before the month of the file, 1 after it, else 0."""
    import ibis

    first, end = (clock.midnight(day) for day in _bounds(month))
    return ibis.cases((table.occurred_at < first, -1), (table.occurred_at >= end, 1), else_=0)


def _bounds(month: Month) -> tuple[date, date]:
    first = date.fromisoformat(f"{month.manifest.key.month}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


def _shown_months(month: Month) -> dict[int, str]:
    first, end = _bounds(month)
    return {-1: f"{first - timedelta(days=1):%Y-%m}", 0: month.manifest.key.month, 1: f"{end:%Y-%m}"}


def _rows(search: Search, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of an expression; times in microseconds since 1970."""
    for batch in search.engine.batches(table):
        names = batch.schema.names
        columns = [
            (column.cast("int64") if str(column.type).startswith("timestamp") else column).to_pylist()
            for column in batch.columns
        ]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))

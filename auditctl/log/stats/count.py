"""Counts the log: events and bytes by target, month and action, its growth, and its size on disk.

Events are counted in one pass over each partition. A partition's size on disk, with indexes and TOAST, is divided among
its events in proportion to their bytes in the table, so that the sums are the sizes that PostgreSQL reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.sql import SQL

from auditctl import resources
from auditctl.actions import Action
from auditctl.database import Connection, read_transaction
from auditctl.log import hour_windows, target_names, week
from auditctl.log.filters import Filters
from auditctl.log.stats.model import DIMENSIONS, Group, Growth, Statistics, Storage, grouped

SAMPLED_PAGES = 2000
"""About how many pages of a partition an estimate reads."""

RECENT = timedelta(days=30)
"""The longest time from which growth is computed."""

ReportProgress = Callable[[int, int], None]
"""Takes the bytes that have been counted, and all bytes."""


@dataclass(frozen=True, slots=True)
class _Partition:
    """A row of queries/log_partition.sql."""

    oid: int
    name: str
    is_default: bool
    bytes: int
    index_bytes: int
    pages: int


@dataclass(frozen=True, slots=True)
class _GroupRow:
    """A row of queries/partition_statistics.sql; times are empty where no event is selected."""

    target: str
    month: str
    action: str
    events: int
    weight: int
    oldest: str | None
    newest: str | None
    recent_events: int
    recent_weight: int
    other_events: int
    other_weight: int


@dataclass(frozen=True, slots=True)
class _Count:
    """The events of one partition."""

    groups: tuple[Group, ...] = ()
    events: int = 0
    recent_events: int = 0
    recent_bytes: int = 0


def count_events(
    conn: Connection, filters: Filters, *, estimate: bool = False, report: ReportProgress | None = None
) -> Statistics:
    """Count the events that satisfy the filters since, until, target, action, and those for hours of the week.

    Months and hours are those of the filters' clock.

    Args:
        conn: The connection.
        filters: Which events; names not yet looked up.
        estimate: Whether to count in a sample of each large partition's pages only.
        report: Called after each partition.

    Raises:
        UsageError: The log knows no such table.
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    filters = filters.resolve(conn)
    labels = {target.name: target.label for target in target_names.read(conn)}
    with read_transaction(conn):
        return count_partitions(conn, filters, labels, estimate=estimate, report=report)


def count_partitions(
    conn: Connection,
    filters: Filters,
    labels: Mapping[str, str | None],
    *,
    estimate: bool = False,
    report: ReportProgress | None = None,
) -> Statistics:
    """Count as `count_events` does, within a transaction that reads the log.

    Args:
        conn: The connection.
        filters: Which events; names are looked up.
        labels: The labels of targets.
        estimate: Whether to count in a sample of each large partition's pages only.
        report: Called after each partition.

    Raises:
        DatabaseError: The connection is lost.
    """
    values, changes = filters.values, week.offsets(filters.clock)
    counts: list[tuple[_Partition, _Count]] = []
    (now,) = conn.execute("select pg_catalog.statement_timestamp()").fetchone() or (datetime.now(UTC),)
    since, until = (values[name][0].at(now) if name in values else None for name in ("since", "until"))
    growth = _window(since, until, now)
    scope = {
        "since": since, "until": until, "recent": growth.since, "targets": _texts(values.get("target")),
        "actions": _texts(values.get("action")), "hours": _hours(filters), "offsets": list(changes.seconds),
        "edges": list(changes.edges),
    }  # fmt: skip
    partitions = _partitions(conn)
    total, done = sum(partition.bytes for partition in partitions), 0
    for partition in partitions:
        counts.append((partition, _count(conn, partition, scope, estimate=estimate)))
        done += partition.bytes
        if report is not None:
            report(done, total)
    merged = grouped((group for _, count in counts for group in count.groups), DIMENSIONS)
    groups = tuple(replace(group, label=labels.get(group.target)) for group in merged)
    return Statistics(groups, _storage(counts), _grown(growth, counts, groups), estimate)


def _partitions(conn: Connection) -> list[_Partition]:
    with conn.cursor(row_factory=class_row(_Partition)) as cursor:
        return cursor.execute(resources.sql_text("queries/log_partition.sql").encode()).fetchall()


def _hours(filters: Filters) -> list[int] | None:
    """Return the hours of the week that all filters select; None for all."""
    hours = hour_windows.common_hours(filters.predicates())
    return None if hours is None else sorted(hours.hours)


def _texts(values: tuple[Any, ...] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _window(since: datetime | None, until: datetime | None, now: datetime) -> Growth:
    end = now if until is None else min(until, now)
    start = max(end, datetime.min.replace(tzinfo=UTC) + RECENT) - RECENT
    return Growth(start if since is None else max(since, start), end, 0, 0)


def _moment(text: str) -> datetime | None:
    """Return a time; None for one that Python cannot represent, such as the year 20000."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _count(conn: Connection, partition: _Partition, scope: dict[str, Any], *, estimate: bool) -> _Count:
    percent = min(100.0, 100.0 * SAMPLED_PAGES / partition.pages) if estimate and partition.pages else 100.0
    query = SQL(resources.sql_text("queries/partition_statistics.sql"))
    with conn.cursor(row_factory=class_row(_GroupRow)) as cursor:
        rows = cursor.execute(query, {**scope, "partition": partition.oid, "percent": percent}).fetchall()
    weight = sum(row.weight + row.other_weight for row in rows)
    if not weight:
        return _Count()

    def scaled(events: int) -> int:
        return round(events * 100.0 / percent)

    parts = shares(partition.bytes, [part for row in rows for part in (row.weight, row.other_weight)])
    groups = tuple(
        Group(row.target, row.month, Action(row.action), scaled(row.events), share, row.oldest or "", row.newest or "")
        for row, share in zip(rows, parts[::2], strict=True)
        if row.events
    )
    return _Count(
        groups,
        events=scaled(sum(row.events + row.other_events for row in rows)),
        recent_events=scaled(sum(row.recent_events for row in rows)),
        recent_bytes=partition.bytes * sum(row.recent_weight for row in rows) // weight,
    )


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a total in proportion to positive weights, into whole numbers whose sum is the total."""
    return list(_divide(total, weights, sum(weights)))


def _divide(total: int, weights: Sequence[int], whole: int) -> Iterator[int]:
    weight_so_far = total_so_far = 0
    for weight in weights:
        weight_so_far += weight
        end = total * weight_so_far // whole
        yield end - total_so_far
        total_so_far = end


def _storage(counts: Sequence[tuple[_Partition, _Count]]) -> Storage:
    empty = [partition for partition, count in counts if not count.events]
    return Storage(
        bytes=sum(partition.bytes for partition, _ in counts),
        index_bytes=sum(partition.index_bytes for partition, _ in counts),
        empty_bytes=sum(partition.bytes for partition in empty),
        partitions=len(counts),
        empty_partitions=len(empty),
        default_events=sum(count.events for partition, count in counts if partition.is_default),
    )


def _grown(window: Growth, counts: Sequence[tuple[_Partition, _Count]], groups: Sequence[Group]) -> Growth:
    """Fill in the growth of a window, which begins with the first event if that is later."""
    first = _moment(min((group.oldest for group in groups), default=""))
    start = window.since if first is None else max(window.since, first)
    return replace(
        window,
        since=min(start, window.until),
        events=sum(count.recent_events for _, count in counts),
        bytes=sum(count.recent_bytes for _, count in counts),
    )

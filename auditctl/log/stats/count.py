"""How much the log holds: events and bytes by target, month and action, its growth, and what it takes on disk.

Events are counted in one pass over each partition. What a partition takes on disk, with indexes and TOAST, is shared
among its events in proportion to their bytes in the table, so that the sums are what PostgreSQL says of the partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.sql import SQL

from auditctl import resources
from auditctl.actions import Action
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names
from auditctl.log.filters import Filters
from auditctl.log.stats.model import DIMENSIONS, Group, Growth, Statistics, Storage, grouped

SAMPLED_PAGES = 2000
"""How many pages of a partition an estimate reads, about."""

RECENT = timedelta(days=30)
"""The longest time that growth is taken from."""

Report = Callable[[int, int], None]
"""Takes the bytes that were gone through, and all there are."""


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
class _Count:
    """What one partition holds."""

    groups: tuple[Group, ...] = ()
    events: int = 0
    recent_events: int = 0
    recent_bytes: int = 0


def read(conn: Connection, filters: Filters, *, estimate: bool = False, report: Report | None = None) -> Statistics:
    """Count the events that satisfy the filters since, until, target and action.

    Args:
        conn: The connection.
        filters: Which events; names not yet looked up.
        estimate: Whether to count in a sample of each large partition's pages only.
        report: Told after each partition.

    Raises:
        UsageError: The log knows no such table.
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    wanted = filters.resolve(conn).values
    labels = {target.name: target.label for target in target_names.read(conn)}
    counts: list[tuple[_Partition, _Count]] = []
    with read_transaction(conn):
        (now,) = conn.execute("select pg_catalog.statement_timestamp()").fetchone() or (datetime.now(UTC),)
        since, until = (wanted[name][0].at(now) if name in wanted else None for name in ("since", "until"))
        growth = _window(since, until, now)
        scope = {
            "since": since, "until": until, "recent": growth.since, "targets": _texts(wanted.get("target")),
            "actions": _texts(wanted.get("action")),
        }  # fmt: skip
        partitions = [_Partition(*row) for row in conn.execute(resources.sql_text("queries/log_partition.sql"))]
        everything, done = sum(partition.bytes for partition in partitions), 0
        for partition in partitions:
            counts.append((partition, _count(conn, partition, scope, estimate=estimate)))
            done += partition.bytes
            if report is not None:
                report(done, everything)
    found = grouped((group for _, count in counts for group in count.groups), DIMENSIONS)
    groups = tuple(replace(group, label=labels.get(group.target)) for group in found)
    return Statistics(groups, _storage(counts), _grown(growth, counts, groups), estimate)


def _texts(values: tuple[Any, ...] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _window(since: datetime | None, until: datetime | None, now: datetime) -> Growth:
    end = now if until is None else min(until, now)
    start = max(end, datetime.min.replace(tzinfo=UTC) + RECENT) - RECENT
    return Growth(start if since is None else max(since, start), end, 0, 0)


def _moment(text: str) -> datetime | None:
    """Return a time; None for one that Python has no number for, such as the year 20000."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _count(conn: Connection, partition: _Partition, scope: dict[str, Any], *, estimate: bool) -> _Count:
    percent = min(100.0, 100.0 * SAMPLED_PAGES / partition.pages) if estimate and partition.pages else 100.0
    query = SQL(resources.sql_text("queries/partition_statistics.sql"))
    rows = conn.execute(query, {**scope, "partition": partition.oid, "percent": percent}).fetchall()
    weight = sum(row[4] + row[10] for row in rows)
    if not weight:
        return _Count()

    def scaled(events: int) -> int:
        return round(events * 100.0 / percent)

    shares = _shares(partition.bytes, [part for row in rows for part in (row[4], row[10])])
    groups = tuple(
        Group(target, month, Action(action), scaled(events), share, oldest, newest)
        for (target, month, action, events, _, oldest, newest, *_), share in zip(rows, shares[::2], strict=True)
        if events
    )
    recent_weight = sum(row[8] for row in rows)
    return _Count(
        groups,
        events=scaled(sum(row[3] + row[9] for row in rows)),
        recent_events=scaled(sum(row[7] for row in rows)),
        recent_bytes=partition.bytes * recent_weight // weight,
    )


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """Part a total in proportion to weights; the parts are whole and their sum is the total."""
    return list(_parted(total, weights, sum(weights)))


def _parted(total: int, weights: Sequence[int], whole: int) -> Iterator[int]:
    passed = given = 0
    for weight in weights:
        passed += weight
        upto = total * passed // whole
        yield upto - given
        given = upto


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
    """Fill the window, which begins with the first event where that is later."""
    first = _moment(min((group.oldest for group in groups), default=""))
    start = window.since if first is None else max(window.since, first)
    return replace(
        window,
        since=min(start, window.until),
        events=sum(count.recent_events for _, count in counts),
        bytes=sum(count.recent_bytes for _, count in counts),
    )

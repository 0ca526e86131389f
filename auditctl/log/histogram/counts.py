"""Counts the selected events for a chart: each of them where that takes no second, else those in a sample of the log.

Source: auditctl.event, by queries/histogram.sql.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.errors import QueryCanceled
from psycopg.rows import class_row
from psycopg.sql import SQL, Composable, Literal

from auditctl import database, resources
from auditctl.actions import Action
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log import hour_windows, predicates, time_predicates, week, window_search
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Order, Selection

MAX_FETCHED = 100
"""Up to this many events are fetched and counted here, which is exact wherever they are in the log."""

MAX_EXACT = 100_000
"""Up to this many events are counted exactly, unless they take longer than `EXACT_SECONDS` to find."""

EXACT_SECONDS = 0.7
"""How long to count exactly before a sample is taken instead."""

MAX_SCANNED = 100_000
"""About how many events a sample has, of all that are in the selected time."""

_EVENTS_PER_BLOCK = 30
"""Assumed where a sample has no event of the selection."""

_SEED = 1
"""The same blocks each time, so that a chart does not flicker."""

_NO_SAMPLE = SQL("")

_COLUMNS = SQL("{}, auditctl.shown_action(action, context), target_name, actor_kind, actor").format(
    SQL(window_search.MICROSECONDS)
)


@dataclass(frozen=True, slots=True)
class NewestEvents:
    """The newest events of a selection, fetched before anything is counted.

    Attributes:
        rows: At most `MAX_FETCHED` + 1: time in microseconds since 1970, action, target, kind of actor, actor.
        oldest: When the oldest event of the selection was captured; None without events.
        newest: When the newest was; None without events.
    """

    rows: tuple[tuple[Any, ...], ...]
    oldest: datetime | None
    newest: datetime | None

    @property
    def is_all(self) -> bool:
        """Whether these are all events of the selection."""
        return len(self.rows) <= MAX_FETCHED


@dataclass(frozen=True, slots=True)
class Times:
    """The times by which events are counted.

    Attributes:
        starts: Where each bucket begins, in order; the last has no end.
        clock: The clock of the hours of the week.
    """

    starts: Sequence[datetime]
    clock: Clock


@dataclass(slots=True)
class Counts:
    """Numbers of events.

    Attributes:
        buckets: By the number of the bucket, from 1, and action.
        targets: By target.
        users: By kind of actor, and actor.
        hours: By the number of the hour of the week, from 0.
        is_estimate: Whether these are estimates.
        spread: The variance of an estimate, for each event that it estimates; see `margin`.
    """

    buckets: Counter[tuple[int, Action]] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    users: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    is_estimate: bool = False
    spread: float = 0.0

    @property
    def kinds(self) -> Counter[str]:
        """The numbers by kind of actor."""
        kinds: Counter[str] = Counter()
        for (kind, _), events in self.users.items():
            kinds[kind] += events
        return kinds

    @property
    def events(self) -> int:
        """The number of all events."""
        return sum(self.buckets.values())


@dataclass(frozen=True, slots=True)
class _CountRow:
    """A row of queries/histogram.sql."""

    bucket: int | None
    action: str | None
    target: str | None
    actor_kind: str | None
    actor: str | None
    hour: int | None
    events: int


def fetch_newest(conn: Connection, conditions: tuple[Predicate, ...]) -> NewestEvents:
    """Fetch the newest events, and the time of the oldest; must run inside `read_transaction`, as `count_events`."""
    rows = tuple(window_search.rows(conn, Selection(conditions, limit=MAX_FETCHED + 1), _COLUMNS))
    if not rows:
        return NewestEvents((), None, None)
    oldest = rows[-1]
    if len(rows) > MAX_FETCHED:
        (oldest,) = window_search.rows(conn, Selection(conditions, Order.ASC, limit=1), _COLUMNS)
    return NewestEvents(rows, week.moment(oldest[0]), week.moment(rows[0][0]))


def count_events(conn: Connection, conditions: tuple[Predicate, ...], newest: NewestEvents, times: Times) -> Counts:
    """Count the events that satisfy all conditions."""
    if newest.is_all:
        return _count_rows(newest.rows, times)
    window_search.prepare(conn)
    hours = hour_windows.common_hours(conditions)
    if hours and newest.oldest and newest.newest:
        relation = hour_windows.few(conn, hours, newest.oldest, newest.newest)
        if relation is not None:
            return _count_query(conn, relation, conditions, times)
    possible = window_search.probe_summary(conn, Selection(conditions)) or ()
    share = min(1.0, MAX_SCANNED / max(_partition_events(conn, [some for some in possible if some.is_time]), 1.0))
    if share == 1.0:
        return _count_query(conn, _source(), predicates.prefer_summary(possible), times)
    exact = _count_exactly(conn, predicates.prefer_summary(possible), times) if possible else None
    return exact or _count_sample(conn, conditions, times, share)


def margin(count: int, spread: float) -> int:
    """Return how far an estimate may be from the number that is there, 19 times in 20.

    Args:
        count: The estimate, at least 1.
        spread: The variance for each event that is estimated.
    """
    return math.ceil(1.96 * math.sqrt(count * spread))


def _count_exactly(conn: Connection, conditions: Sequence[Predicate], times: Times) -> Counts | None:
    """Count each event; None if there are more than `MAX_EXACT`, or it takes too long."""
    limited = SQL("(select * from {} as activity where {} limit {})").format(
        _source(), predicates.conjunction(conditions), Literal(MAX_EXACT + 1)
    )
    began = time.monotonic()
    try:
        with database.errors_translated(), conn.transaction(force_rollback=True):  # so that the time limit ends here
            conn.execute("select set_config('statement_timeout', %s, true)", [f"{EXACT_SECONDS * 1000:.0f}ms"])
            counts = _count_query(conn, limited, (), times)
    except DatabaseError as error:
        if error.sqlstate != QueryCanceled.sqlstate or time.monotonic() - began < EXACT_SECONDS:
            raise  # such as by somebody who no longer wants the answer
        return None
    return counts if counts.events <= MAX_EXACT else None


def _count_sample(conn: Connection, conditions: Sequence[Predicate], times: Times, share: float) -> Counts:
    """Estimate the counts from a sample of the log's blocks."""
    sample = SQL("tablesample system ({}) repeatable ({})").format(Literal(share * 100), Literal(_SEED))
    blocks: list[int] = []
    counts = _count_query(conn, _source(sample), conditions, times, blocks)
    # Blocks are drawn, not events: events of a block are there together or not at all (cluster sampling).
    together = sum(size * size for size in blocks) / sum(blocks) if blocks else _EVENTS_PER_BLOCK
    for numbers in (counts.buckets, counts.targets, counts.users, counts.hours):
        for key, events in numbers.items():
            numbers[key] = round(events / share)  # type: ignore[index]
    counts.is_estimate, counts.spread = True, together * (1 - share) / share
    return counts


def _count_rows(rows: Iterable[tuple[Any, ...]], times: Times) -> Counts:
    counts = Counts()
    for microseconds, action, target, kind, actor in rows:
        moment = week.moment(microseconds)
        counts.buckets[bisect_right(times.starts, moment), Action(action)] += 1
        counts.hours[week.hour_of_week(moment, times.clock)] += 1
        counts.targets[target] += 1
        counts.users[kind, actor] += 1
    return counts


def _count_query(
    conn: Connection,
    source: Composable,
    conditions: Sequence[Predicate],
    times: Times,
    blocks: list[int] | None = None,
) -> Counts:
    """Count in the log or in a part of it; append to `blocks`, if there are any, the number of events in each."""
    query = SQL(resources.sql_text("queries/histogram.sql")).format(
        edges=SQL("array[{}]::timestamptz[]").format(SQL(", ").join(map(Literal, times.starts))),
        hour=time_predicates.hour_of_week(times.clock),
        source=source,
        condition=predicates.conjunction(conditions),
        blocks=SQL("" if blocks is None else ", (activity.partition_oid, activity.block_number)"),
    )
    counts = Counts()
    with conn.cursor(row_factory=class_row(_CountRow)) as cursor:
        for row in cursor.execute(query):
            if row.target is not None:
                counts.targets[row.target] = row.events
            elif row.actor_kind is not None:
                counts.users[row.actor_kind, row.actor] = row.events
            elif row.hour is not None:
                counts.hours[row.hour] = row.events
            elif row.bucket is not None and row.action is not None:
                counts.buckets[row.bucket, Action(row.action)] = row.events
            elif blocks is not None:
                blocks.append(row.events)
    return counts


def _source(sample: Composable = _NO_SAMPLE) -> Composable:
    return SQL(resources.sql_text("queries/histogram_source.sql")).format(sample=sample)


def _partitions(conn: Connection, conditions: Sequence[Predicate]) -> set[str]:
    """Return the names of the partitions that the planner would read."""
    query = SQL("explain (format json) select from {} as activity where {}").format(
        _source(), predicates.conjunction(conditions)
    )
    (plans,) = conn.execute(query).fetchone() or ([],)
    nodes = [node for plan in plans for node in _nodes(plan["Plan"])]
    return {node["Relation Name"] for node in nodes if "Relation Name" in node}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _partition_events(conn: Connection, times: Sequence[Predicate]) -> float:
    """Return about how many events are in the partitions that a range of time touches (queries/partition_size.sql)."""
    partitions = _partitions(conn, times)
    query = resources.sql_text("queries/partition_size.sql")
    row = conn.execute(query, {"partitions": sorted(partitions)}).fetchone()
    return 0.0 if row is None else float(row[0])

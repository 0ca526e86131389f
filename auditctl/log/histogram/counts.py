"""Counts the selected events for a chart: each of them where they are few, else those in a sample of the log.

Source: auditctl.event, by queries/histogram.sql.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.actions import Action
from auditctl.database import Connection
from auditctl.log import predicates, window_search
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Order, Selection

MAX_FETCHED = 100
"""Up to this many events are fetched and counted here, which is exact wherever they are in the log."""

MAX_SCANNED = 100_000
"""Approximate upper bound of the events that are scanned before sampling starts."""

_SEED = 1
"""The same blocks each time, so that a chart does not flicker."""

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


@dataclass(slots=True)
class Counts:
    """Numbers of events.

    Attributes:
        buckets: By the number of the bucket, from 1, and action.
        targets: By target.
        users: By kind of actor, and actor.
        is_estimate: Whether these are estimates.
    """

    buckets: Counter[tuple[int, Action]] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    users: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    is_estimate: bool = False

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
    events: int


def fetch_newest(conn: Connection, conditions: tuple[Predicate, ...]) -> NewestEvents:
    """Fetch the newest events, and the time of the oldest; must run inside `read_transaction`, as `count_events`."""
    rows = tuple(window_search.rows(conn, Selection(conditions, limit=MAX_FETCHED + 1), _COLUMNS))
    if not rows:
        return NewestEvents((), None, None)
    oldest = rows[-1]
    if len(rows) > MAX_FETCHED:
        (oldest,) = window_search.rows(conn, Selection(conditions, Order.ASC, limit=1), _COLUMNS)
    return NewestEvents(rows, window_search.moment(oldest[0]), window_search.moment(rows[0][0]))


def count_events(
    conn: Connection, conditions: tuple[Predicate, ...], newest: NewestEvents, starts: Sequence[datetime]
) -> Counts:
    """Count the events that satisfy all conditions, by the buckets that begin at these times; the last has no end."""
    if newest.is_all:
        return _count_rows(newest.rows, starts)
    window_search.prepare(conn)
    possible = window_search.probe_summary(conn, Selection(conditions)) or ()
    expected, _ = _plan(conn, [some for some in possible if some.is_indexed or some.is_time])
    share = min(1.0, MAX_SCANNED / max(_partition_events(conn, [some for some in possible if some.is_time]), 1.0))
    if expected <= MAX_SCANNED or share == 1.0:
        return _count_query(conn, predicates.prefer_summary(possible), starts, 1.0)
    return _count_query(conn, conditions, starts, share)


def _count_rows(rows: Iterable[tuple[Any, ...]], starts: Sequence[datetime]) -> Counts:
    counts = Counts()
    for microseconds, action, target, kind, actor in rows:
        counts.buckets[bisect_right(starts, window_search.moment(microseconds)), Action(action)] += 1
        counts.targets[target] += 1
        counts.users[kind, actor] += 1
    return counts


def _count_query(conn: Connection, conditions: Sequence[Predicate], starts: Sequence[datetime], share: float) -> Counts:
    """Count in the log, or in a sample of its blocks if the share is less than 1."""
    sample: Composable = SQL("")
    if share < 1.0:
        sample = SQL("tablesample system ({}) repeatable ({})").format(Literal(share * 100), Literal(_SEED))
    query = SQL(resources.sql_text("queries/histogram.sql")).format(
        edges=SQL("array[{}]::timestamptz[]").format(SQL(", ").join(map(Literal, starts))),
        source=_source(sample),
        condition=predicates.conjunction(conditions),
    )
    counts = Counts(is_estimate=share < 1.0)
    with conn.cursor(row_factory=class_row(_CountRow)) as cursor:
        for row in cursor.execute(query):
            events = round(row.events / share)
            if row.target is not None:
                counts.targets[row.target] = events
            elif row.actor_kind is not None:
                counts.users[row.actor_kind, row.actor] = events
            elif row.bucket is not None and row.action is not None:
                counts.buckets[row.bucket, Action(row.action)] = events
    return counts


def _source(sample: Composable) -> Composable:
    return SQL(resources.sql_text("queries/histogram_source.sql")).format(sample=sample)


def _plan(conn: Connection, conditions: Sequence[Predicate]) -> tuple[float, set[str]]:
    """Return how many events the planner expects, and the names of the partitions it would read."""
    query = SQL("explain (format json) select from {} as activity where {}").format(
        _source(SQL("")), predicates.conjunction(conditions)
    )
    (plans,) = conn.execute(query).fetchone() or ([],)
    nodes = [node for plan in plans for node in _nodes(plan["Plan"])]
    return float(nodes[0]["Plan Rows"]), {node["Relation Name"] for node in nodes if "Relation Name" in node}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _partition_events(conn: Connection, times: Sequence[Predicate]) -> float:
    """Return about how many events are in the partitions that a range of time touches (queries/partition_size.sql)."""
    _, partitions = _plan(conn, times)
    query = resources.sql_text("queries/partition_size.sql")
    row = conn.execute(query, {"partitions": sorted(partitions)}).fetchone()
    return 0.0 if row is None else float(row[0])

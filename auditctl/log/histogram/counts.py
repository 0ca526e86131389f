"""Counts the events that filters select, for a chart: each where they are few, else those in a sample of the log.

Sources: auditctl.event, by queries/overview.sql.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.actions import Action
from auditctl.database import Connection
from auditctl.log import ways, window_search
from auditctl.log.selection import Order, Selection

FEW = 100
"""So many events are fetched rather than counted: that is exact wherever they are."""

READ = 100_000
"""About so many events are read at most."""

_SEED = 1
"""The same blocks each time, so that a picture does not flicker."""

_EVENT = SQL("{}, action::text, target_name, actor_kind::text, actor").format(SQL(window_search.MICROSECONDS))


@dataclass(frozen=True, slots=True)
class Found:
    """What is known before anything is counted.

    Attributes:
        rows: The newest events, one more than a few at most: time, action, target, kind of actor, actor.
        oldest: When the first was captured; None without any.
        newest: When the last was captured; None without any.
    """

    rows: tuple[tuple[Any, ...], ...]
    oldest: datetime | None
    newest: datetime | None

    @property
    def is_all(self) -> bool:
        """Whether these are all there are."""
        return len(self.rows) <= FEW


@dataclass(slots=True)
class Counts:
    """How many events there are.

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
        """How many in all."""
        return sum(self.buckets.values())


def find(conn: Connection, condition: Composable) -> Found:
    """Look for the newest events and the oldest; in a transaction for reading, as all of these."""
    rows = tuple(window_search.rows(conn, Selection(condition, limit=FEW + 1), _EVENT))
    if not rows:
        return Found((), None, None)
    oldest = rows[-1]
    if len(rows) > FEW:
        (oldest,) = window_search.rows(conn, Selection(condition, Order.ASC, limit=1), _EVENT)
    return Found(rows, window_search.moment(oldest[0]), window_search.moment(rows[0][0]))


def count(conn: Connection, condition: Composable, found: Found, starts: Sequence[datetime]) -> Counts:
    """Count all that a condition selects, by the buckets that begin at these times and reach to the end of its time."""
    if found.is_all:
        return _tallied(found.rows, starts)
    window_search.prepare(conn)
    parts = window_search.present(conn, Selection(condition)) or []
    led = ways.Condition([part for part in parts if part.is_indexed or part.is_time])
    rows, _ = _planned(conn, led)
    total = _size(conn, ways.Condition([part for part in parts if part.is_time]))
    share = min(1.0, READ / max(total, 1.0))
    if rows <= READ or share == 1.0:
        return _grouped(conn, ways.best(parts), starts, 1.0)
    return _grouped(conn, condition, starts, share)


def _tallied(rows: Iterable[tuple[Any, ...]], starts: Sequence[datetime]) -> Counts:
    counts = Counts()
    for microseconds, action, target, kind, actor in rows:
        counts.buckets[bisect_right(starts, window_search.moment(microseconds)), Action(action)] += 1
        counts.targets[target] += 1
        counts.users[kind, actor] += 1
    return counts


def _grouped(conn: Connection, condition: Composable, starts: Sequence[datetime], share: float) -> Counts:
    sample: Composable = SQL("")
    if share < 1.0:
        sample = SQL("tablesample system ({}) repeatable ({})").format(Literal(share * 100), Literal(_SEED))
    query = SQL(resources.sql_text("queries/overview.sql")).format(
        edges=SQL("array[{}]::timestamptz[]").format(SQL(", ").join(map(Literal, starts))),
        source=_source(sample),
        condition=condition,
    )
    counts = Counts(is_estimate=share < 1.0)
    for place, action, target, kind, actor, events in conn.execute(query):
        number = round(events / share)
        if target is not None:
            counts.targets[target] = number
        elif kind is not None:
            counts.users[kind, actor] = number
        else:
            counts.buckets[place, Action(action)] = number
    return counts


def _source(sample: Composable) -> Composable:
    return SQL(resources.sql_text("queries/overview_source.sql")).format(sample=sample)


def _planned(conn: Connection, condition: Composable) -> tuple[float, set[str]]:
    """Return how many events the planner expects, and the names of the partitions it would read."""
    query = SQL("explain (format json) select from {} as activity where {}").format(_source(SQL("")), condition)
    (plans,) = conn.execute(query).fetchone() or ([],)
    nodes = [node for plan in plans for node in _nodes(plan["Plan"])]
    return float(nodes[0]["Plan Rows"]), {node["Relation Name"] for node in nodes if "Relation Name" in node}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _size(conn: Connection, times: Composable) -> float:
    """Return about how many events are in the partitions that a range of time touches."""
    _, partitions = _planned(conn, times)
    query = resources.sql_text("queries/partition_size.sql")
    row = conn.execute(query, {"partitions": sorted(partitions)}).fetchone()
    return 0.0 if row is None else float(row[0])

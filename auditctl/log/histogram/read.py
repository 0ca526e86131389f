"""Reads the histogram of the selected events: how many when, of which action, about which targets and by which users.

Decides the range of time and the top lists. Draws nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from auditctl.actions import Action
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names
from auditctl.log.filters import Filters
from auditctl.log.histogram import intervals
from auditctl.log.histogram.counts import NewestEvents, count_events, fetch_newest
from auditctl.log.histogram.intervals import MAX_BARS, Interval
from auditctl.names import SYSTEM_USER

Key = TypeVar("Key")

TOP = 8
"""How many targets and users are listed."""

_MICROSECOND = timedelta(microseconds=1)
_LONG = timedelta(days=31 * MAX_BARS)
"""A longer range is cut to where events are."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of the chart.

    Attributes:
        start: Where it begins; it ends where the next one does, or at the end of the range.
        counts: The number of events by action, without actions that have none.
    """

    start: datetime
    counts: Mapping[Action, int]


@dataclass(frozen=True, slots=True)
class TargetCount:
    """The number of events of a target: its label or else its name, and the name that events carry."""

    label: str
    name: str
    events: int


@dataclass(frozen=True, slots=True)
class UserCount:
    """The number of events of a user.

    Attributes:
        name: The user; `System` for the system.
        kind: `application`, `database` or `system`: an application's user and a login of the same name are two.
        events: The number.
    """

    name: str
    kind: str
    events: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """What the charts show.

    Attributes:
        since: Where the range begins, in UTC.
        until: Where it ends, in UTC; the end is not part of it.
        interval: The length of a bar.
        buckets: The bars, in order and without gaps; empty if the range is.
        targets: Those with the most events, most first.
        users: Those with the most events, most first.
        events: The number of all events.
        is_estimate: Whether the counts are estimates.
        spread: The variance of an estimate, for each event that it estimates; see `counts.margin`.
        kinds: The number of events by kind of user, most first.
    """

    since: datetime
    until: datetime
    interval: Interval
    buckets: tuple[Bucket, ...]
    targets: tuple[TargetCount, ...]
    users: tuple[UserCount, ...]
    events: int
    is_estimate: bool
    spread: float = 0.0
    kinds: tuple[tuple[str, int], ...] = ()


def read_histogram(conn: Connection, filters: Filters, *, now: datetime | None = None) -> Histogram:
    """Return the histogram of the events that the filters select, within a second whatever the size of the log.

    The range is that of the filters. Where they leave it open, it begins with the oldest event and ends after the
    newest, or now if that is later and the filters have a start. A range of more than five years is cut to where
    events are.

    Args:
        conn: The connection.
        filters: With names looked up.
        now: The time at which durations such as `24h` are evaluated; None for the clock's.

    Raises:
        DatabaseError: The login may not read the log.
    """
    now = now or datetime.now(UTC)
    labels = {target.name: target.label for target in target_names.read(conn)}
    conditions = filters.predicates()
    with read_transaction(conn):
        newest = fetch_newest(conn, conditions)
        since, until = _range(filters, newest, now)
        interval = intervals.choose(since, until)
        starts = intervals.starts(since, until, interval, filters.clock)
        counts = count_events(conn, conditions, newest, starts)
    return Histogram(
        since,
        until,
        interval,
        _buckets(starts, counts.buckets),
        tuple(TargetCount(labels.get(name) or name, name, events) for name, events in _top(counts.targets)),
        tuple(UserCount(_user(kind, actor), kind, events) for (kind, actor), events in _top(counts.users)),
        counts.events,
        counts.is_estimate,
        counts.spread,
        tuple(_top(counts.kinds)),
    )


def _range(filters: Filters, events: NewestEvents, now: datetime) -> tuple[datetime, datetime]:
    given = {name: filters.values[name][0].at(now) for name in ("since", "until") if name in filters.values}
    since, until = given.get("since"), given.get("until")
    if until is None:
        ends = [] if events.newest is None else [events.newest + _MICROSECOND]
        until = max([*ends, *([now] if since or not ends else [])])
    since = min(since or events.oldest or until, until)
    if events.oldest and events.newest and until - since > _LONG:
        since, until = max(since, events.oldest), min(until, events.newest + _MICROSECOND)
    return since.astimezone(UTC), until.astimezone(UTC)


def _buckets(starts: tuple[datetime, ...], counts: Mapping[tuple[int, Action], int]) -> tuple[Bucket, ...]:
    by_bucket: list[dict[Action, int]] = [{} for _ in starts]
    for (number, action), events in sorted(counts.items()):
        if events:
            by_bucket[min(max(number, 1), len(starts)) - 1][action] = events
    return tuple(Bucket(start, actions) for start, actions in zip(starts, by_bucket, strict=True))


def _top(counts: Counter[Key]) -> list[tuple[Key, int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return list(islice((item for item in ranked if item[1]), TOP))


def _user(kind: str, actor: str | None) -> str:
    return SYSTEM_USER if actor is None or kind == "system" else actor

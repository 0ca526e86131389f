"""Reads the histogram of the selected events: how many when, of which action, about which targets and by which users.

Decides the range of time and the top lists. Draws nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import TypeVar

from auditctl.actions import Action
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names
from auditctl.log.filters import Filters
from auditctl.log.histogram import before, intervals
from auditctl.log.histogram.counts import Counts, NewestEvents, Times, count_events, fetch_newest
from auditctl.log.histogram.intervals import MAX_BARS, Interval
from auditctl.log.times import At, Month
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
    """The number of events of a target: its label or else its name, and the name that events carry.

    Attributes:
        label: Its label, or else its name.
        name: The name that events carry.
        events: The number.
        before: That of the period before; zero where that was not counted.
    """

    label: str
    name: str
    events: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class UserCount:
    """The number of events of a user.

    Attributes:
        name: The user; `System` for the system.
        kind: `application`, `database` or `system`: an application's user and a login of the same name are two.
        events: The number.
        before: That of the period before; zero where that was not counted.
    """

    name: str
    kind: str
    events: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class Before:
    """The period before, counted with the same filters.

    Attributes:
        since: Where it begins, in UTC.
        until: Where it ends, in UTC.
        buckets: The number of events that corresponds to each bar.
        events: The number of all events, also of those that correspond to no bar: on days that the other month lacks.
        spread: The variance of an estimate, for each event that it estimates; zero for exact counts.
        targets: Those with events in the period before and none in the other, most first.
        users: Likewise.
    """

    since: datetime
    until: datetime
    buckets: tuple[int, ...]
    events: int
    spread: float
    targets: tuple[TargetCount, ...]
    users: tuple[UserCount, ...]


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
        before: The period before; None where it was not counted.
        hours: The number of events by hour of the week as the clock shows it, 0 for the first of Monday to 167.
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
    hours: Mapping[int, int] = field(default_factory=dict)
    before: Before | None = None


def read_histogram(
    conn: Connection, filters: Filters, *, compare: bool = False, now: datetime | None = None
) -> Histogram:
    """Return the histogram of the events that the filters select, within a second whatever the size of the log.

    The range is that of the filters. Where they leave it open, it begins with the oldest event and ends after the
    newest, or now if that is later and the filters have a start. A range of more than five years is cut to where
    events are.

    Args:
        conn: The connection.
        filters: With names looked up.
        compare: Whether to count the period before, too, if the filters have a start within five years of the end.
        now: The time at which durations such as `24h` are evaluated; None for the clock's.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    now = now or datetime.now(UTC)
    labels = {target.name: target.label for target in target_names.read(conn)}
    conditions = filters.predicates()
    with read_transaction(conn):
        newest = fetch_newest(conn, conditions)
        since, until = _range(filters, newest, now)
        interval = intervals.choose(since, until)
        starts = intervals.starts(since, until, interval, filters.clock)
        counts = count_events(conn, conditions, newest, Times(starts, filters.clock))
        is_whole = "since" in filters.values and filters.values["since"][0].at(now) == since < until
        earlier = _count_before(conn, filters, (since, until), now, interval, starts) if compare and is_whole else None
    return Histogram(
        since,
        until,
        interval,
        _buckets(starts, counts.buckets),
        _targets(counts.targets, earlier[1].targets if earlier else Counter(), labels),
        _users(counts.users, earlier[1].users if earlier else Counter()),
        counts.events,
        counts.is_estimate,
        counts.spread,
        tuple(_top(counts.kinds)),
        counts.hours,
        _before(*earlier, counts, labels, len(starts)) if earlier else None,
    )


def _count_before(
    conn: Connection,
    filters: Filters,
    period: tuple[datetime, datetime],
    now: datetime,
    interval: Interval,
    starts: tuple[datetime, ...],
) -> tuple[tuple[datetime, datetime], Counts] | None:
    """Return the period before another and its counts, by bars that correspond; None before the calendar.

    Of a period that is not over, it is the part that corresponds to what has passed.
    """
    is_month = isinstance(filters.values["since"][0], Month)
    step = before.step(*period, filters.clock, is_month=is_month)
    try:
        since, until = step.back(period[0]), step.back(min(period[1], now) if period[0] < now else period[1])
        edges = [step.back(start) for start in starts]
    except (OverflowError, ValueError):
        return None
    end = interval.after(edges[-1], filters.clock)
    edges += [end] if end else []
    values = {**filters.values, "since": (At(since),), "until": (At(until),)}
    conditions = replace(filters, values=values).predicates()
    times = Times(list(accumulate(edges, max)), filters.clock)
    return (since, until), count_events(conn, conditions, fetch_newest(conn, conditions), times)


def _before(
    period: tuple[datetime, datetime], counts: Counts, later: Counts, labels: Mapping[str, str | None], bars: int
) -> Before:
    by_bucket: Counter[int] = Counter()
    for (number, _), events in counts.buckets.items():
        by_bucket[max(number, 1)] += events
    targets = _targets(_missing(counts.targets, later.targets), Counter(), labels)
    users = _users(_missing(counts.users, later.users), Counter())
    return Before(
        *period,
        tuple(by_bucket[number] for number in range(1, bars + 1)),
        counts.events,
        counts.spread,
        tuple(replace(target, events=0, before=target.events) for target in targets),
        tuple(replace(user, events=0, before=user.events) for user in users),
    )


def _missing(counts: Counter[Key], later: Counter[Key]) -> Counter[Key]:
    return Counter({key: events for key, events in counts.items() if not later[key]})


def _targets(counts: Counter[str], earlier: Counter[str], labels: Mapping[str, str | None]) -> tuple[TargetCount, ...]:
    return tuple(TargetCount(labels.get(name) or name, name, events, earlier[name]) for name, events in _top(counts))


def _users(counts: Counter[tuple[str, str | None]], earlier: Counter[tuple[str, str | None]]) -> tuple[UserCount, ...]:
    return tuple(
        UserCount(_user(kind, actor), kind, events, earlier[kind, actor]) for (kind, actor), events in _top(counts)
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

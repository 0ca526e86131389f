"""What a chart shows of the events that filters select: how many when, of which action, about what, and by whom.

Decides when it counts every event and when it estimates from a sample. Draws nothing.
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
from auditctl.log.histogram import counts as histogram_counts
from auditctl.log.histogram import intervals
from auditctl.log.histogram.counts import Found
from auditctl.log.histogram.intervals import Step
from auditctl.names import SYSTEM_USER

Key = TypeVar("Key")

TOP = 8
"""How many targets and users are named."""

_MOMENT = timedelta(microseconds=1)
_LONG = timedelta(days=31 * intervals.MOST)
"""From here on a range is cut to where events are."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of the chart.

    Attributes:
        start: Where it begins; it ends where the next one does, or at the end of the range.
        counts: How many events, by action; without the actions that have none.
    """

    start: datetime
    counts: Mapping[Action, int]


@dataclass(frozen=True, slots=True)
class TargetCount:
    """How many events a target has: its label, or the name where it has none, and the name that events carry."""

    label: str
    name: str
    events: int


@dataclass(frozen=True, slots=True)
class UserCount:
    """How many events somebody made.

    Attributes:
        name: Who; `System` for the system.
        kind: `application`, `database` or `system`: an application's user and a login of the same name are two.
        events: How many.
    """

    name: str
    kind: str
    events: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What a chart shows.

    Attributes:
        since: Where the range begins, in UTC.
        until: Where it ends; nothing is counted at it or behind it.
        step: How long a bar is.
        buckets: All of the range, in order, also those without events; none where no range is given and nothing found.
        targets: Those with the most events, most first.
        users: Those with the most events, most first.
        events: How many events there are.
        is_estimate: Whether the counts are estimated.
    """

    since: datetime
    until: datetime
    step: Step
    buckets: tuple[Bucket, ...]
    targets: tuple[TargetCount, ...]
    users: tuple[UserCount, ...]
    events: int
    is_estimate: bool


def read(conn: Connection, filters: Filters, *, now: datetime | None = None) -> Overview:
    """Return the overview of what the filters select, within a second whatever the size of the log.

    The range is that of the filters. Where they leave it open, it begins with the oldest event and ends behind the
    newest, or now if that is later and they say since when. A range of more than five years is cut to where events are.

    Args:
        conn: The connection.
        filters: As resolved.
        now: The time that durations such as `24h` are compared at; None for the clock's.

    Raises:
        DatabaseError: The login may not read the log.
    """
    now = now or datetime.now(UTC)
    labels = {target.name: target.label for target in target_names.read(conn)}
    with read_transaction(conn):
        found = histogram_counts.find(conn, filters.condition())
        since, until = _range(filters, found, now)
        step = intervals.choose(since, until)
        starts = intervals.starts(since, until, step)
        counts = histogram_counts.count(conn, filters.condition(), found, starts)
    return Overview(
        since,
        until,
        step,
        _buckets(starts, counts.buckets),
        tuple(TargetCount(labels.get(name) or name, name, events) for name, events in _top(counts.targets)),
        tuple(UserCount(_name(kind, actor), kind, events) for (kind, actor), events in _top(counts.users)),
        counts.events,
        counts.is_estimate,
    )


def _range(filters: Filters, found: Found, now: datetime) -> tuple[datetime, datetime]:
    given = {name: filters.values[name][0].at(now) for name in ("since", "until") if name in filters.values}
    since, until = given.get("since"), given.get("until")
    if until is None:
        ends = [] if found.newest is None else [found.newest + _MOMENT]
        until = max([*ends, *([now] if since or not ends else [])])
    since = min(since or found.oldest or until, until)
    if found.oldest and found.newest and until - since > _LONG:
        since, until = max(since, found.oldest), min(until, found.newest + _MOMENT)
    return since.astimezone(UTC), until.astimezone(UTC)


def _buckets(starts: tuple[datetime, ...], counts: Mapping[tuple[int, Action], int]) -> tuple[Bucket, ...]:
    placed: list[dict[Action, int]] = [{} for _ in starts]
    for (place, action), events in sorted(counts.items()):
        if events:
            placed[min(max(place, 1), len(starts)) - 1][action] = events
    return tuple(Bucket(start, held) for start, held in zip(starts, placed, strict=True))


def _top(counts: Counter[Key]) -> list[tuple[Key, int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return list(islice((item for item in ranked if item[1]), TOP))


def _name(kind: str, actor: str | None) -> str:
    return SYSTEM_USER if actor is None or kind == "system" else actor

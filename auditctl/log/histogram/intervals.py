"""Divides a range of time into the intervals of a bar chart, at round times in UTC. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_BARS = 60
"""About how many bars fit."""

_MONDAY = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """The length of a bar: a span, or whole months.

    Attributes:
        name: Such as `15 minutes`.
        span: The length; zero for months.
        months: The number of months; zero for a span.
    """

    name: str
    span: timedelta = timedelta()
    months: int = 0

    def floor(self, moment: datetime) -> datetime:
        """Return the edge at or before a time."""
        moment = moment.astimezone(UTC)
        if self.months:
            month = (moment.year - 1) * 12 + moment.month - 1
            return _month(month - month % self.months)
        return moment - (moment - _MONDAY) % self.span

    def after(self, edge: datetime) -> datetime | None:
        """Return the edge after an edge; None at the end of time."""
        try:
            if self.months:
                return _month((edge.year - 1) * 12 + edge.month - 1 + self.months)
            return edge + self.span
        except (OverflowError, ValueError):
            return None


INTERVALS = (
    Interval("1 minute", timedelta(minutes=1)),
    Interval("5 minutes", timedelta(minutes=5)),
    Interval("15 minutes", timedelta(minutes=15)),
    Interval("1 hour", timedelta(hours=1)),
    Interval("6 hours", timedelta(hours=6)),
    Interval("1 day", timedelta(days=1)),
    Interval("1 week", timedelta(weeks=1)),
    Interval("1 month", months=1),
    Interval("1 year", months=12),
    Interval("10 years", months=120),
    Interval("100 years", months=1200),
    Interval("1000 years", months=12000),
)
"""From short to long. Weeks begin on Mondays."""


def choose(since: datetime, until: datetime) -> Interval:
    """Return the shortest interval that divides the range into about sixty bars or fewer."""
    for interval in INTERVALS:
        if (until - since) <= MAX_BARS * (interval.span or timedelta(days=30.4 * interval.months)):
            return interval
    return INTERVALS[-1]


def starts(since: datetime, until: datetime, interval: Interval) -> tuple[datetime, ...]:
    """Return where each bar of the range [since, until) begins, in order; empty for an empty range."""
    edges = []
    edge: datetime | None = interval.floor(since)
    while edge is not None and edge < until:
        edges.append(edge)
        edge = interval.after(edge)
    return tuple(edges)


def _month(count: int) -> datetime:
    return datetime(count // 12 + 1, count % 12 + 1, 1, tzinfo=UTC)

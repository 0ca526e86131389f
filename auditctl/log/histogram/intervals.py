"""Divides a range of time into the intervals of a bar chart, at round times of a clock. Pure.

A day on which clocks change has 23 or 25 hours, and an hour that they show twice is two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from auditctl import clock
from auditctl.clock import Clock, add_months

MAX_BARS = 60
"""About how many bars fit."""

_MONDAY = datetime(1, 1, 1)  # noqa: DTZ001 - as a clock shows it
_HOUR = timedelta(hours=1)


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

    def floor(self, moment: datetime, zone: Clock = clock.UTC) -> datetime:
        """Return the edge at or before a time, in UTC."""
        moment = moment.astimezone(UTC)
        shown = zone.local(moment).replace(tzinfo=None)
        try:
            if self.months:
                return zone.midnight(_month(shown, -((shown.year * 12 + shown.month - 13) % self.months)))
            since = (shown - _MONDAY) % self.span
            return moment - since if self.span <= _HOUR else zone.first(shown - since)
        except (OverflowError, ValueError):  # the calendar's first day
            return moment

    def after(self, edge: datetime, zone: Clock = clock.UTC) -> datetime | None:
        """Return the edge after an edge, in UTC; None at the end of time."""
        try:
            if self.months:
                return zone.midnight(_month(zone.local(edge), self.months))
            if self.span <= _HOUR:
                return self.floor(edge + self.span, zone)
            later = zone.first(zone.local(edge).replace(tzinfo=None) + self.span)
        except (OverflowError, ValueError):
            return None
        return later if later > edge else edge + self.span  # a calendar that repeats a day


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


def starts(since: datetime, until: datetime, interval: Interval, zone: Clock = clock.UTC) -> tuple[datetime, ...]:
    """Return where each bar of the range [since, until) begins, in UTC and in order; empty for an empty range."""
    edges = []
    edge: datetime | None = interval.floor(since, zone)
    while edge is not None and edge < until:
        edges.append(edge)
        edge = interval.after(edge, zone)
    return tuple(edges)


def _month(day: date, months: int) -> date:
    """Return the first day of the month that is so many after that of a day."""
    return add_months(date(day.year, day.month, 1), months)

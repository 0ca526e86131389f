"""How a range of time is cut into the bars of a chart: at edges that a clock in UTC shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOST = 60
"""About so many bars fit."""

_MONDAY = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """How long a bar is: a span, or whole months.

    Attributes:
        name: As people say it, such as `15 minutes`.
        span: How long; zero for months.
        months: How many months; zero for a span.
    """

    name: str
    span: timedelta = timedelta()
    months: int = 0

    def floor(self, moment: datetime) -> datetime:
        """Return the edge at or before a moment."""
        moment = moment.astimezone(UTC)
        if self.months:
            month = (moment.year - 1) * 12 + moment.month - 1
            return _month(month - month % self.months)
        return moment - (moment - _MONDAY) % self.span

    def after(self, edge: datetime) -> datetime | None:
        """Return the edge behind an edge; None at the end of time."""
        try:
            if self.months:
                return _month((edge.year - 1) * 12 + edge.month - 1 + self.months)
            return edge + self.span
        except (OverflowError, ValueError):
            return None


STEPS = (
    Step("1 minute", timedelta(minutes=1)),
    Step("5 minutes", timedelta(minutes=5)),
    Step("15 minutes", timedelta(minutes=15)),
    Step("1 hour", timedelta(hours=1)),
    Step("6 hours", timedelta(hours=6)),
    Step("1 day", timedelta(days=1)),
    Step("1 week", timedelta(weeks=1)),
    Step("1 month", months=1),
    Step("1 year", months=12),
    Step("10 years", months=120),
    Step("100 years", months=1200),
    Step("1000 years", months=12000),
)
"""From short to long. Weeks begin on Mondays."""


def choose(since: datetime, until: datetime) -> Step:
    """Return the shortest step of which about sixty fill the range."""
    for step in STEPS:
        if (until - since) <= MOST * (step.span or timedelta(days=30.4 * step.months)):
            return step
    return STEPS[-1]


def starts(since: datetime, until: datetime, step: Step) -> tuple[datetime, ...]:
    """Return where each bar of the range [since, until) begins, in order; none for an empty range."""
    found = []
    edge: datetime | None = step.floor(since)
    while edge is not None and edge < until:
        found.append(edge)
        edge = step.after(edge)
    return tuple(found)


def _month(count: int) -> datetime:
    return datetime(count // 12 + 1, count % 12 + 1, 1, tzinfo=UTC)

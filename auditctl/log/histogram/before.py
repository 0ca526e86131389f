"""Decides which period is before another, and how times of one correspond to those of the other. Pure.

The period before is as long as the other and ends where that begins. Months are compared with months: the period before
October is September, and that before the first ten days of October is the first ten of September. Before one day is
the day before, also on the first of a month; of a day that is not over, it is the same part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from auditctl import clock
from auditctl.clock import Clock, add_months

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """How far back a period is: by months or days of a clock, or by a span of time.

    Attributes:
        months: A number of months; zero for the others.
        days: A number of days; zero for the others.
        span: A span; zero for the others.
        clock: The clock of months and days.
    """

    months: int = 0
    days: int = 0
    span: timedelta = timedelta()
    clock: Clock = clock.UTC

    def back(self, moment: datetime) -> datetime:
        """Return the time that corresponds to another, in UTC; for a day that its month lacks, the end of that month.

        Raises:
            OverflowError: It is out of range.
            ValueError: Likewise.
        """
        if self.span:
            return moment.astimezone(UTC) - self.span
        local = self.clock.local(moment).replace(tzinfo=None)
        if self.days:
            return self.clock.first(local - self.days * _DAY)
        first = add_months(local.date().replace(day=1), -self.months)
        day = first + (local.day - 1) * _DAY
        if day.month != first.month:
            return self.clock.midnight(add_months(first, 1))
        return self.clock.first(datetime.combine(day, local.time(), None))


def step(since: datetime, until: datetime, zone: Clock, *, is_month: bool = False) -> Step:
    """Return how far the period before [since, until) is back, by a clock.

    Args:
        since: Where the period begins.
        until: Where it ends.
        zone: The clock.
        is_month: Whether it was named as a month, which on its first day is as long as that day.
    """
    if not zone.begins_day(since):
        return Step(span=until - since)
    first, last = zone.local(since).date(), zone.local(until).date()
    is_whole, days = zone.begins_day(until), (last - first).days
    is_day = days == 0 or (is_whole and days == 1)
    if first.day == 1 and (is_month or not is_day):
        months = _months(last) - _months(first)
        if (is_whole and last.day == 1) or (months == 0):
            return Step(months=max(months, 1), clock=zone)
    if is_whole or is_day:
        return Step(days=max(days, 1), clock=zone)
    return Step(span=until - since)


def _months(day: date) -> int:
    return day.year * 12 + day.month

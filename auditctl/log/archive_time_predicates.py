"""Translates times, and hours of the week, into conditions on archived events."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditctl.clock import Clock
from auditctl.log import week
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.time_predicates import common
from auditctl.log.times import Time
from auditctl.log.week import EPOCH_HOUR, HOUR, HOURS_OF_WEEK, SECOND, Offsets, WeekHours

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, IntegerValue, Table, TimestampValue

_FIRST_YEAR = 2010
"""Events of earlier years, and of years to come, are looked at one by one: of a condition with all changes of a clock,
the engine would take seconds to make a plan."""


def since(values: Sequence[Time]) -> ArchivePredicate:
    """Captured at that time or later; a time before now is that before this call."""
    moment = values[0].at(datetime.now(UTC))
    return ArchivePredicate(lambda events: events.occurred_at >= moment, since=moment)


def until(values: Sequence[Time]) -> ArchivePredicate:
    """Captured before that time; a time before now is that before this call."""
    moment = values[0].at(datetime.now(UTC))
    return ArchivePredicate(lambda events: events.occurred_at < moment, until=moment)


def during(values: Sequence[WeekHours]) -> ArchivePredicate:
    """Captured in one of those hours of the week."""
    return _in_hours(frozenset[int]().union(*(value.hours for value in values)), values[0].clock)


def outside(values: Sequence[WeekHours]) -> ArchivePredicate:
    """Captured in an hour of the week that all of the values have: each is what is outside of some hours."""
    return _in_hours(common(values), values[0].clock)


def _in_hours(hours: frozenset[int], zone: Clock) -> ArchivePredicate:
    changes = week.offsets(zone)
    first, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (_FIRST_YEAR, datetime.now(UTC).year + 2))
    low, high = (bisect_right(changes.edges, moment) for moment in (first, end))

    def is_usual(events: Table) -> BooleanValue:
        return (events.occurred_at >= first) & (events.occurred_at < end)

    def expression(events: Table) -> BooleanValue:
        hour = (events.occurred_us + _shift(events.occurred_at, changes, low, high)) // HOUR % HOURS_OF_WEEK
        return ~is_usual(events) | hour.isin(sorted(hours))

    return ArchivePredicate(
        expression,
        certain=is_usual,
        accepts=lambda event: week.hour_at(event["occurred_at"], zone) in hours,
        columns=("occurred_at",),
    )


def _shift(moment: TimestampValue, changes: Offsets, low: int, high: int) -> IntegerValue | int:
    """Return how many microseconds to add, found by halves among the changes from one to another."""
    if low == high:
        return changes.seconds[low] * SECOND + EPOCH_HOUR * HOUR
    middle = (low + high) // 2
    before, after = _shift(moment, changes, low, middle), _shift(moment, changes, middle + 1, high)
    return (moment < changes.edges[middle]).ifelse(before, after)

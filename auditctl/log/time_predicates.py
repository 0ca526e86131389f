"""Translates times, and hours of the week, into SQL over view auditctl.activity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl import clock
from auditctl.clock import Clock
from auditctl.log import week
from auditctl.log.predicates import Predicate
from auditctl.log.times import Ago, At, Month, Time
from auditctl.log.week import EPOCH_HOUR, HOURS_OF_WEEK, WeekHours

FINITE: LiteralString = (
    "greatest(least(created_on, timestamptz '9998-01-01 00:00+00'), timestamptz '0002-01-01 00:00+00')"
)
"""When an event was captured; that of an event outside of these years is at their ends."""

_MANY_WEEKS = 200_000 * HOURS_OF_WEEK * 3600
"""Seconds that make any time positive, so that a division rounds down."""


def since(values: Sequence[Time]) -> Predicate:
    """Captured at that time or later."""
    return Predicate(SQL("created_on >= {}").format(_time(values[0])), is_time=True)


def until(values: Sequence[Time]) -> Predicate:
    """Captured before that time."""
    return Predicate(SQL("created_on < {}").format(_time(values[0])), is_time=True)


def during(values: Sequence[WeekHours]) -> Predicate:
    """Captured in one of those hours of the week."""
    return _in_hours(frozenset[int]().union(*(value.hours for value in values)), values[0].clock)


def outside(values: Sequence[WeekHours]) -> Predicate:
    """Captured in an hour of the week that all of the values have: each is what is outside of some hours."""
    return _in_hours(common(values), values[0].clock)


def common(values: Iterable[WeekHours]) -> frozenset[int]:
    """Return the numbers of the hours that all values have."""
    return frozenset(range(HOURS_OF_WEEK)).intersection(*(value.hours for value in values))


def hour_of_week(zone: Clock) -> Composable:
    """Return the SQL for the number of the hour of the week that a clock shows at created_on, 0 to 167."""
    changes = week.offsets(zone)
    seconds = [offset + EPOCH_HOUR * 3600 + _MANY_WEEKS for offset in changes.seconds]
    shift: Composable = Literal(seconds[0])
    if changes.edges:
        shift = SQL("({}::bigint[])[pg_catalog.width_bucket(created_on, {}::timestamptz[]) + 1]").format(
            Literal(seconds), Literal(list(changes.edges))
        )
    second = SQL("pg_catalog.floor(pg_catalog.date_part('epoch', {}))::bigint + {}").format(SQL(FINITE), shift)
    return SQL("pg_catalog.mod(({}) / 3600, {})::integer").format(second, Literal(HOURS_OF_WEEK))


def _in_hours(hours: frozenset[int], zone: Clock) -> Predicate:
    sql = SQL("{} = any ({}::integer[])").format(hour_of_week(zone), Literal(sorted(hours)))
    return Predicate(sql, hours=WeekHours(hours, zone))


def _time(value: Time) -> Composable:
    if isinstance(value, At):
        return Literal(value.moment)
    # Stable, so that the index is used and partitions are pruned as the query starts.
    if isinstance(value, Ago):
        seconds = Literal(int(value.duration.total_seconds()))
        return SQL("pg_catalog.statement_timestamp() - pg_catalog.make_interval(secs => {})").format(seconds)
    if value.clock != clock.UTC:
        # The server may know other zones, and takes the second of two midnights.
        return Literal(value.at(datetime.now(UTC)))
    unit, count = ("month", value.months) if isinstance(value, Month) else ("day", value.days)
    return SQL(
        "pg_catalog.timezone('UTC', pg_catalog.date_trunc({}, pg_catalog.timezone('UTC', "
        "pg_catalog.statement_timestamp())) - pg_catalog.make_interval({} => {}))"
    ).format(Literal(unit), SQL(unit + "s"), Literal(count))

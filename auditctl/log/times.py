"""Parses the times of the filters since and until: dates, times, days, months, and durations before now.

Dates, days and times without an offset are those of a named zone. Where none is named, dates and days are those in UTC,
as the log shows them, and a time without an offset is in the zone of this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from auditctl import clock, durations
from auditctl.clock import Clock, add_months
from auditctl.errors import UsageError
from auditctl.text import in_quotes

HINT = (
    "Write a date (2026-11-23), a time (2026-11-23T20:38:00Z, or 20:38), today, yesterday, this-month, last-month, or "
    "how long ago: 30m, 1h30m, 7d, 2w."
)

_DAYS = {"today": 0, "yesterday": 1}
_MONTHS = {"this-month": 0, "last-month": 1}
_CLOCK_PART = re.compile(r"[T: ]")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_OFFSET = re.compile(r"[T ].*(Z|[+-][0-9:.]+)$", re.ASCII | re.IGNORECASE)
_MAX_AGO = timedelta(days=36525)


@dataclass(frozen=True, slots=True)
class Ago:
    """A duration before the time of the query.

    Attributes:
        duration: Zero to a hundred years.
    """

    duration: timedelta

    def at(self, now: datetime) -> datetime:
        """Return the time, given that of the query."""
        return now - self.duration


@dataclass(frozen=True, slots=True)
class Day:
    """The midnight that began the day of the query, or one before.

    Attributes:
        days: How many days before.
        clock: Whose midnight.
    """

    days: int
    clock: Clock = clock.UTC

    def at(self, now: datetime) -> datetime:
        """Return the time, in UTC, given that of the query."""
        return self.clock.midnight(self.clock.local(now).date() - timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class Month:
    """The midnight that began the month of the query, or one before.

    Attributes:
        months: How many months before.
        clock: Whose midnight.
    """

    months: int
    clock: Clock = clock.UTC

    def at(self, now: datetime) -> datetime:
        """Return the time, in UTC, given that of the query."""
        today = self.clock.local(now).date()
        return self.clock.midnight(add_months(today.replace(day=1), -self.months))


@dataclass(frozen=True, slots=True)
class At:
    """A time in the years 1 to 9999, in UTC."""

    moment: datetime

    def at(self, now: datetime) -> datetime:  # noqa: ARG002 - the same signature as that of Ago
        """Return the time."""
        return self.moment


Time = Ago | Day | Month | At


def is_relative(value: object) -> bool:
    """Return whether a filter's value is a time that moves on with the clock."""
    return isinstance(value, Ago | Day | Month)


def parse(text: str, zone: Clock | None = None) -> Time:
    """Parse ISO 8601, a time of today, a date (its midnight), a day, a month, or a duration such as `1h30m` before now.

    Args:
        text: The text.
        zone: The clock of dates, days and times without an offset; None for that of UTC, and this machine's for times.

    Raises:
        UsageError: The text is none of these, out of range, or a time that the clock skipped or showed twice.
    """
    days = zone or clock.UTC
    if text in _DAYS:
        return Day(_DAYS[text], days)
    if text in _MONTHS:
        return Month(_MONTHS[text], days)
    if (ago := _duration(text)) is not None:
        return Ago(ago)
    try:
        if _DATE.fullmatch(text):
            return At(days.midnight(date.fromisoformat(text)))
        moment = datetime.fromisoformat(f"{_today(zone)}T{text}" if _CLOCK.fullmatch(text) else text)
        if not _CLOCK_PART.search(text):
            raise UsageError(f"{in_quotes(text)} has no time of day", hint=f"For {days.name} write {moment.date()}.")
        return At(zone.moment(moment) if zone and moment.tzinfo is None else moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{in_quotes(text)} is not a valid time", hint=HINT) from error


def normalize(text: str, zone: Clock | None = None) -> str:
    """Return the text of a time that means the same on every machine: a time without an offset gets one.

    Raises:
        UsageError: As `parse`.
    """
    value = parse(text, zone)
    is_local = isinstance(value, At) and _CLOCK_PART.search(text) and not _OFFSET.search(text)
    return (zone or clock.UTC).iso(value.moment) if is_local and isinstance(value, At) else text


def _today(zone: Clock | None) -> date:
    now = datetime.now(UTC)
    return (zone.local(now) if zone else now.astimezone()).date()


def _duration(text: str) -> timedelta | None:
    try:
        duration = durations.parse_span(text)
    except OverflowError:
        duration = timedelta.max
    if duration is not None and duration > _MAX_AGO:
        raise UsageError(f"{text} ago is more than a hundred years", hint="Write a date, such as 2026-11-23.")
    return duration

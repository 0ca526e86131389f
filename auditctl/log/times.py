"""Parses the times of the filters since and until: dates, times with an offset, and durations before now. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from auditctl import durations
from auditctl.errors import UsageError
from auditctl.text import in_quotes, iso_utc

HINT = "Write a date (2026-11-23), a time with offset (2026-11-23T20:38:00Z), or how long ago: 30m, 24h, 7d, 2w."

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
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
class At:
    """A time in the years 1 to 9999, in UTC."""

    moment: datetime

    def at(self, now: datetime) -> datetime:  # noqa: ARG002 - the same signature as that of Ago
        """Return the time."""
        return self.moment


def parse(text: str) -> Ago | At:
    """Parse ISO 8601 with an offset, a date (its midnight in UTC), or a duration such as `24h` before now.

    Raises:
        UsageError: The text is none of these, or out of range.
    """
    if ago := durations.parse(text, _UNITS):
        return Ago(_duration(text, *ago))
    try:
        if _DATE.fullmatch(text):
            return At(datetime.combine(date.fromisoformat(text), time(), UTC))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise UsageError(
                f"the time {in_quotes(text)} has no offset", hint=f"For UTC write {_suggested(text, moment)}."
            )
        return At(moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{in_quotes(text)} is not a valid time", hint=HINT) from error


def _suggested(text: str, moment: datetime) -> str:
    """Return what means in UTC what a time without an offset may mean: a date, where it says no more."""
    is_date = moment.time() == time() and "T" not in text and ":" not in text and " " not in text
    return moment.date().isoformat() if is_date else iso_utc(moment.replace(tzinfo=UTC))


def _duration(text: str, amount: int, unit: str) -> timedelta:
    try:
        duration = timedelta(**{_UNITS[unit]: amount})
    except OverflowError:
        duration = timedelta.max
    if duration > _MAX_AGO:
        raise UsageError(f"{text} ago is more than a hundred years", hint="Write a date, such as 2026-11-23.")
    return duration

"""Parses texts for hours of the week: weekdays such as `mon-fri,sun`, hours such as `22-6`, and both together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from auditctl import clock
from auditctl.clock import Clock
from auditctl.errors import UsageError
from auditctl.log.week import HOURS_OF_DAY, HOURS_OF_WEEK, WeekHours
from auditctl.text import did_you_mean, in_quotes

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NUMBERS = {name: number for names in (WEEKDAYS, LONG_WEEKDAYS) for number, name in enumerate(names)}
_HOUR = re.compile(r"(?P<hour>[0-9]{1,2})(:00)?", re.ASCII)
_DASH = re.compile(r"\s*[-\u2013]\s*")
_SEPARATOR = re.compile(r"\s*([-\u2013,])\s*")
_WEEKDAY_HINT = "Write mon, tue, wed, thu, fri, sat or sun, several as sat,sun and a range as mon-fri."
_HOUR_HINT = "Write the hour that a clock shows, 0 to 23, or from when until before when: 22-6 is 22:00 to 05:59."


def weekdays(text: str, zone: Clock | None = None) -> WeekHours:
    """Parse weekdays in English, short or long, in any case: `mon`, `Saturday,sun`, `mon-fri`, or `fri-mon` as well.

    Args:
        text: The text. A range has its last day, too.
        zone: The clock; None for that of UTC.

    Raises:
        UsageError: The text is none of these.
    """
    return _hours(product(_weekdays(text), range(HOURS_OF_DAY)), zone)


def hours(text: str, zone: Clock | None = None) -> WeekHours:
    """Parse hours of the day: `9` for 09:00 to 09:59, `9-17` for 09:00 to 16:59, `22-6` beyond midnight, or a list.

    Args:
        text: The text. A range ends before its second hour; 24 is the midnight that ends the day.
        zone: The clock; None for that of UTC.

    Raises:
        UsageError: The text is none of these, or a range is empty.
    """
    return _hours(product(range(len(WEEKDAYS)), _hours_of_day(text)), zone)


def outside(text: str, zone: Clock | None = None) -> WeekHours:
    """Parse WEEKDAYS HOURS, such as `mon-fri 8-18`, into all other hours of the week.

    Args:
        text: The text: weekdays, then hours, both as above.
        zone: The clock; None for that of UTC.

    Raises:
        UsageError: The text is none of these, or leaves no hour.
    """
    days, blank, rest = _SEPARATOR.sub(r"\1", text.strip()).partition(" ")
    if not blank:
        raise UsageError(f"{in_quotes(text)} is not WEEKDAYS HOURS", hint="Write both: mon-fri 8-18")
    named = _hours(product(_weekdays(days), _hours_of_day(rest)), zone)
    if len(named.hours) == HOURS_OF_WEEK:
        raise UsageError(f"{in_quotes(text)} leaves no hour of the week", hint="Write fewer hours: mon-fri 8-18")
    return WeekHours(frozenset(range(HOURS_OF_WEEK)) - named.hours, named.clock)


def normalize(text: str, zone: Clock | None = None) -> str:  # noqa: ARG001 - as `times.normalize`
    """Return the text in lower case: it means the same on every machine."""
    return text.lower()


def _hours(pairs: Iterable[tuple[int, int]], zone: Clock | None) -> WeekHours:
    return WeekHours(frozenset(day * HOURS_OF_DAY + hour for day, hour in pairs), zone or clock.UTC)


def _weekdays(text: str) -> set[int]:
    found: set[int] = set()
    for first, last in _bounds(text, _weekday):
        length = (first if last is None else last) - first
        found.update((first + count) % len(WEEKDAYS) for count in range(length % len(WEEKDAYS) + 1))
    return found


def _hours_of_day(text: str) -> set[int]:
    found: set[int] = set()
    for first, last in _bounds(text, _hour):
        length = (first + 1 if last is None else last) - first
        if first == HOURS_OF_DAY or length == 0:
            raise UsageError(f"{in_quotes(text)} has no hour between its ends", hint=_HOUR_HINT)
        found.update((first + count) % HOURS_OF_DAY for count in range(length % HOURS_OF_DAY or HOURS_OF_DAY))
    return found


def _bounds(text: str, parse: Callable[[str], int]) -> Iterator[tuple[int, int | None]]:
    """Yield the first and last of each range of a list; the last is None for a single value."""
    for part in text.split(","):
        first, dash, last = _DASH.sub("-", part.strip()).partition("-")
        yield parse(first), parse(last) if dash else None


def _weekday(text: str) -> int:
    number = _NUMBERS.get(text.lower())
    if number is None:
        hint = did_you_mean(text.lower(), tuple(_NUMBERS)) or _WEEKDAY_HINT
        raise UsageError(f"{in_quotes(text)} is not a weekday", hint=hint)
    return number


def _hour(text: str) -> int:
    found = _HOUR.fullmatch(text)
    if found is None or int(found["hour"]) > HOURS_OF_DAY:
        raise UsageError(f"{in_quotes(text)} is not an hour of the day", hint=_HOUR_HINT)
    return int(found["hour"])

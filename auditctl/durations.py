"""Parses durations as people write them: a number and a unit, such as `7d`, `400 days` or `500ms`.

There is one grammar; each caller says which units it allows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container
from datetime import timedelta

from auditctl.errors import UsageError
from auditctl.text import in_quotes

FOREVER = "forever"
"""The duration without an end."""

_DURATION = re.compile(r"([0-9]+)\s*([a-z]*)", re.ASCII)
_SPAN = re.compile(r"(?:([0-9]+\s*w)\s*)?(?:([0-9]+\s*d)\s*)?(?:([0-9]+\s*h)\s*)?([0-9]+\s*m)?", re.ASCII)
_SPAN_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_DIGITS = 12
_KEEP_HINT = "Write days, weeks, months or years, such as 400 days, or forever."
_LONGEST_NUMBER = 999_999
_LONGEST_DAYS = 5000 * 365.25  # PostgreSQL counts back to 4713 BC
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}
_KEEP_UNITS = {*_DAYS, *(f"{unit}s" for unit in _DAYS)}


def parse(text: str, units: Container[str]) -> tuple[int, str] | None:
    """Return a duration's number and unit; None where the text is not a duration in one of the units.

    Args:
        text: The text. Only the first twelve digits of a number count, which is more than any caller allows.
        units: The units as they are written, `""` among them where a number may stand alone.
    """
    match = _DURATION.fullmatch(text)
    if match is None or match[2] not in units:
        return None
    return int(match[1].lstrip("0")[:_DIGITS] or "0"), match[2]


def parse_span(text: str) -> timedelta | None:
    """Return a duration of weeks, days, hours and minutes, in that order, such as `1h30m`; None for any other text.

    Raises:
        OverflowError: It is longer than can be counted.
    """
    match = _SPAN.fullmatch(text) if text else None
    if match is None:
        return None
    pairs = [pair for part in match.groups() if part and (pair := parse(part, _SPAN_UNITS))]
    return timedelta(**{_SPAN_UNITS[unit]: amount for amount, unit in pairs})


def parse_keep(text: str) -> str | None:
    """Return how long to keep events as the store has it, such as `400 days`; None for `forever`.

    Raises:
        UsageError: It is not such a duration, shorter than a day, or longer than PostgreSQL can count.
    """
    # As auditctl.set_retention reads it, which takes neither `ſ` for s nor a no-break space for a blank.
    words = text.strip(" \t\r\n")
    words = words.lower() if words.isascii() else ""
    if words == FOREVER:
        return None
    duration = parse(words, _KEEP_UNITS)
    if duration is None:
        raise UsageError(f"{in_quotes(text)} is not a time to keep events", hint=_KEEP_HINT)
    number, unit = duration[0], duration[1].removesuffix("s")
    if number == 0:
        raise UsageError(f"{in_quotes(text)} would keep nothing; the shortest time is 1 day", hint=_KEEP_HINT)
    if number > _LONGEST_NUMBER or number * _DAYS[unit] > _LONGEST_DAYS:
        raise UsageError(f"{in_quotes(text)} is longer than can be counted", hint="To keep everything, write forever.")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def days(keep: str | None) -> float:
    """Return about how many days a duration of the store lasts; infinite for None, which is forever."""
    if keep is None:
        return math.inf
    number, unit = keep.split(" ")
    return int(number) * _DAYS[unit.removesuffix("s")]


def format_keep(keep: str | None) -> str:
    """Return a stored duration as text; None means for ever."""
    return FOREVER if keep is None else keep

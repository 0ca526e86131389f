"""How long to keep something, as people write it: `400 days`, `7 years`, `forever`."""

from __future__ import annotations

import math
import re

from auditctl.errors import UsageError

FOREVER = "forever"
"""What stands for no end."""

_TIME = re.compile(r"([0-9]+) (day|week|month|year)(s?)", re.IGNORECASE)
_HINT = "Write days, weeks, months or years, such as 400 days, or forever."
_DIGITS = 6
_LONGEST = 5000 * 365.25  # PostgreSQL counts back to 4713 BC
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}


def parse(text: str) -> str | None:
    """Return the time as the store has it, such as `400 days`; None for ever.

    Raises:
        UsageError: It is no such time, or less than a day.
    """
    words = text.strip()
    if words.lower() == FOREVER:
        return None
    match = _TIME.fullmatch(words)
    if match is None:
        raise UsageError(f"{text!r} is no time to keep events", hint=_HINT)
    number = match[1].lstrip("0")
    if not number:
        raise UsageError(f"{text!r} would keep nothing; the shortest time is 1 day", hint=_HINT)
    if len(number) > _DIGITS:
        raise UsageError(f"{text!r} is longer than can be counted", hint="To keep everything, write forever.")
    unit = match[2].lower()
    if int(number) * _DAYS[unit] > _LONGEST:
        raise UsageError(f"{text!r} is longer than can be counted", hint="To keep everything, write forever.")
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def days(keep: str | None) -> float:
    """Return about how many days a time as the store has it lasts; infinite for ever."""
    if keep is None:
        return math.inf
    number, unit = keep.split(" ")
    return int(number) * _DAYS[unit.removesuffix("s")]


def shown(keep: str | None) -> str:
    """Return the time as people read it."""
    return FOREVER if keep is None else keep

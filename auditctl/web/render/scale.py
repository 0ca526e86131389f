"""The scales of a picture: round counts along its height, and the labels of time below it.

Nothing here knows a zone but UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from auditctl.text import iso_utc

MOST_TICKS = 7
_LEVELS = 4
_SHORT = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_EDGE = 5.0
"""How near to an end of the scale a label has no place to both sides."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below the plot.

    Attributes:
        place: Where, from 0 to 100.
        text: A time, a day, a month or a year in UTC.
        anchor: `start`, `middle` or `end`: what of the label stands there.
        is_minor: Whether it is left out where there is little room.
    """

    place: float
    text: str
    anchor: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class _Stride:
    """A distance between labels.

    Attributes:
        key: What a time falls into; a label stands where that changes.
        text: The label.
    """

    key: Callable[[datetime], int]
    text: Callable[[datetime], str]


def _seconds(stride: int) -> _Stride:
    return _Stride(lambda moment: int(moment.timestamp()) // stride, _clock)


def _days(stride: int) -> _Stride:
    # Days are counted from a Monday.
    return _Stride(lambda moment: (moment.toordinal() - 1) // stride, _day)


def _months(stride: int) -> _Stride:
    text = "%b %Y" if stride % 12 else "%Y"
    return _Stride(lambda moment: (moment.year * 12 + moment.month - 1) // stride, lambda moment: moment.strftime(text))


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M") if moment.hour or moment.minute else _day(moment)


def _day(moment: datetime) -> str:
    return f"{moment:%b} {moment.day}"


_STRIDES = (
    *(_seconds(60 * minutes) for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(_days(days) for days in (1, 2, 7, 14)),
    *(_months(months) for months in (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 12000)),
)


def level_of(most: int) -> tuple[int, int]:
    """Return how many events lie between two levels, and how many such steps there are: enough for the most."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            step = unit * factor
            if most <= step * _LEVELS:
                return step, max(-(-most // step), 1)
        unit *= 10


def short(count: int) -> str:
    """Return a round count in few characters, such as 1.5k."""
    for size, letter in _SHORT:
        if count >= size:
            return f"{count / size:.4g}{letter}"
    return str(count)


def ticks(starts: Sequence[datetime]) -> tuple[Tick, ...]:
    """Return the labels of intervals that start then: the closest round times of which there are not too many."""
    gap = starts[1] - starts[0] if len(starts) > 1 else timedelta(0)
    for stride in _STRIDES:
        keys = [stride.key(_before(starts[0], gap)), *map(stride.key, starts)] if starts else []
        chosen = [place for place in range(len(starts)) if keys[place] != keys[place + 1]]
        if len(chosen) <= MOST_TICKS:
            chosen = chosen or [0] * bool(starts)
            return tuple(
                _tick((place + 0.5) * 100 / len(starts), stride.text(starts[place]), is_minor=bool(number % 2))
                for number, place in enumerate(chosen)
            )
    raise AssertionError("the last stride is longer than the calendar")


def interval(since: datetime, until: datetime) -> str:
    """Return an interval in words, in UTC, with its date said once where that is one; whole days by their names."""
    first = f"{_day(since)}, {since.year}"
    if since < until and since.time() == until.time() == time():
        final = until - timedelta(days=1)
        return f"{first}{'' if final == since else f' – {_day(final)}, {final.year}'} UTC"
    last = "" if since.date() == until.date() else f"{_day(until)}, {until.year}, "
    return f"{first}, {_precise(since)} – {last}{_precise(until)} UTC"


def iso(moment: datetime) -> str:
    """Return the time as the filters since and until take it, in UTC."""
    return iso_utc(moment)


def _precise(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S" if moment.second or moment.microsecond else "%H:%M")


def _before(moment: datetime, gap: timedelta) -> datetime:
    try:
        return moment - (gap or timedelta(microseconds=1))
    except OverflowError:
        return moment


def _tick(place: float, text: str, *, is_minor: bool) -> Tick:
    anchor = "start" if place < _EDGE else "end" if place > 100 - _EDGE else "middle"
    return Tick(place, text, anchor, is_minor)

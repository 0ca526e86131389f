"""Chooses the scales of a bar chart: round counts on the vertical axis, time labels on the horizontal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditctl import clock
from auditctl.clock import Clock, day_text

MAX_TICKS = 7
_LEVELS = 4
_SHORT = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_EDGE = 5.0
"""Distance from an end of the axis within which a label cannot be centered."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below the plot.

    Attributes:
        left: Horizontal position, 0 to 100.
        text: A time, day, month or year.
        anchor: Which point of the label is there: `start`, `middle` or `end`.
        is_minor: Whether it is hidden on narrow screens.
    """

    left: float
    text: str
    anchor: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class _Stride:
    """A distance between labels.

    Attributes:
        key: The number of the period that a local time is in; each change of it may have a label.
        text: The label.
    """

    key: Callable[[datetime], int]
    text: Callable[[datetime], str]


def _seconds(stride: int) -> _Stride:
    # Hours are counted from a midnight, as clocks show them.
    return _Stride(
        lambda moment: (moment.toordinal() * 86400 + moment.hour * 3600 + moment.minute * 60) // stride, _clock
    )


def _days(stride: int) -> _Stride:
    # Days are counted from a Monday.
    return _Stride(lambda moment: (moment.toordinal() - 1) // stride, _day)


def _months(stride: int) -> _Stride:
    text = "%b %Y" if stride % 12 else "%Y"
    return _Stride(lambda moment: (moment.year * 12 + moment.month - 1) // stride, lambda moment: moment.strftime(text))


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M") if moment.hour or moment.minute else _day(moment)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


_STRIDES = (
    *(_seconds(60 * minutes) for minutes in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(_days(days) for days in (1, 2, 7, 14)),
    *(_months(months) for months in (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 12000)),
)


def level_of(greatest: int) -> tuple[int, int]:
    """Return the number of events between two levels, and the number of levels up to the greatest count."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            step = unit * factor
            if greatest <= step * _LEVELS:
                return step, max(-(-greatest // step), 1)
        unit *= 10


def short(count: int) -> str:
    """Return a round count as a short text, such as 1.5k."""
    for size, letter in _SHORT:
        if count >= size:
            return f"{count / size:.4g}{letter}"
    return str(count)


def brief(count: int) -> str:
    """Return a count in at most four characters, such as 1.2k or 120k."""
    for size, letter in _SHORT:
        if count >= size:
            return f"{count // size}{letter}" if count >= 10 * size else f"{count * 10 // size / 10:g}{letter}"
    return str(count)


def ticks(starts: Sequence[datetime], zone: Clock = clock.UTC) -> tuple[Tick, ...]:
    """Return the labels of intervals with these starts, in UTC: at most `MAX_TICKS` round times of a clock."""
    gap = starts[1] - starts[0] if len(starts) > 1 else timedelta(0)
    before = zone.local(_before(starts[0], gap)) if starts else None
    starts = [zone.local(start) for start in starts]
    for stride in _STRIDES:
        keys = [stride.key(before), *map(stride.key, starts)] if before else []
        chosen = [place for place in range(len(starts)) if keys[place] != keys[place + 1]]
        if len(chosen) <= MAX_TICKS:
            chosen = chosen or [0] * bool(starts)
            return tuple(
                _tick((place + 0.5) * 100 / len(starts), stride.text(starts[place]), is_minor=bool(number % 2))
                for number, place in enumerate(chosen)
            )
    raise AssertionError("the last stride is longer than the calendar")


def interval(since: datetime, until: datetime, zone: Clock = clock.UTC) -> str:
    """Return an interval by a clock as text: dates for whole days, and a common date only once."""
    first, end = zone.local(since), zone.local(until)
    day, last_day = first.date(), (end - timedelta(days=1)).date() if end.date() > first.date() else end.date()
    if since < until and zone.begins_day(since) and zone.begins_day(until):
        return f"{day_text(day)}{'' if last_day == day else f' – {day_text(last_day)}'} {zone.name}"
    last = "" if day == end.date() else f"{day_text(end)}, "
    before, after = zone.zone_at(since), zone.zone_at(until)
    return (
        f"{day_text(day)}, {_precise(first)}{'' if before == after else ' ' + before} – {last}{_precise(end)} {after}"
    )


def edge(moment: datetime, zone: Clock) -> str:
    """Return an edge of a bar by a clock as text, such as `14 Oct 2026, 16:00 CEST`."""
    local = zone.local(moment)
    return f"{day_text(local)}, {_precise(local)} {zone.zone_at(moment)}"


def _precise(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S" if moment.second or moment.microsecond else "%H:%M")


def _before(moment: datetime, gap: timedelta) -> datetime:
    try:
        return moment - (gap or timedelta(microseconds=1))
    except OverflowError:
        return moment


def _tick(left: float, text: str, *, is_minor: bool) -> Tick:
    anchor = "start" if left < _EDGE else "end" if left > 100 - _EDGE else "middle"
    return Tick(left, text, anchor, is_minor)

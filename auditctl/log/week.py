"""The hours of the week by a clock: which of them texts such as `mon-fri` and `22-6` mean, and when they are. Pure.

A zone's offsets come from its rules on this machine, as those of all times that it shows do: the database may know
other zones, or other rules. An hour that clocks show twice is two hours with one name, and one that they skip is none.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from auditctl import clock
from auditctl.clock import Clock

HOURS_OF_DAY = 24
HOURS_OF_WEEK = 168

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, HOUR = 10**6, 3600 * 10**6
"""In microseconds."""

EPOCH_HOUR = 3 * HOURS_OF_DAY
"""The hour of the week at which 1970 began, on a Thursday."""

_LAST_CHANGE = datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=6)
"""No zone has changed its offset twice in so short a time since 1970."""


@dataclass(frozen=True, slots=True)
class WeekHours:
    """Some hours of every week, as a clock shows them.

    Attributes:
        hours: Their numbers, 0 for the first hour of Monday to 167 for the last of Sunday.
        clock: The clock.
    """

    hours: frozenset[int]
    clock: Clock = clock.UTC

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The first hour of each run of hours and the hour after its last, in order; a run ends with the week."""
        starts = [hour for hour in sorted(self.hours) if hour - 1 not in self.hours]
        ends = [hour + 1 for hour in sorted(self.hours) if hour + 1 not in self.hours]
        return tuple(zip(starts, ends, strict=True))

    def spans(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return when these hours are in a range of time, in order; ranges and answers are [from, to).

        Args:
            start: Where the range begins, in microseconds since 1970.
            end: Where it ends.
        """
        spans: list[tuple[int, int]] = []
        for first, last in self._all_spans(start, end):
            if spans and spans[-1][1] == first:
                first, _ = spans.pop()
            spans.append((first, last))
        return spans

    def _all_spans(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        changes = offsets(self.clock)
        edges = [start, *(edge for edge in map(microseconds, changes.edges) if start < edge < end), end]
        for since, until in pairwise(edges):
            shift = changes.at(since) * SECOND + EPOCH_HOUR * HOUR
            for week in range((since + shift) // HOUR // HOURS_OF_WEEK, (until + shift) // HOUR // HOURS_OF_WEEK + 1):
                for first, last in self.runs:
                    span = (week * HOURS_OF_WEEK + first) * HOUR - shift, (week * HOURS_OF_WEEK + last) * HOUR - shift
                    if max(span[0], since) < min(span[1], until):
                        yield max(span[0], since), min(span[1], until)


@dataclass(frozen=True, slots=True)
class Offsets:
    """How far a clock is ahead of UTC, from 1970 to 2100; before and after these years as at their ends.

    Attributes:
        edges: When the offset changes, in UTC and in order.
        seconds: The offsets: that before the first edge, and that from each edge on.
    """

    edges: tuple[datetime, ...]
    seconds: tuple[int, ...]

    def at(self, place: int) -> int:
        """Return the offset at a time in microseconds since 1970, in seconds."""
        return self.seconds[bisect_right(self.edges, place, key=microseconds)]


@functools.lru_cache(maxsize=16)
def offsets(zone: Clock) -> Offsets:
    """Return the offsets of a clock."""
    edges, seconds = [], [_offset(zone, EPOCH)]
    moment = EPOCH
    while moment < _LAST_CHANGE:
        later = moment + _STEP
        if _offset(zone, later) != seconds[-1]:
            edges.append(_change(zone, moment, later))
            seconds.append(_offset(zone, later))
        moment = later
    return Offsets(tuple(edges), tuple(seconds))


def hour_of_week(moment: datetime, zone: Clock) -> int:
    """Return the number of the hour of the week that a clock shows at an aware time, 0 to 167."""
    return hour_at(microseconds(moment), zone)


def hour_at(place: int, zone: Clock) -> int:
    """Return the number of the hour of the week at a time in microseconds since 1970, of any year.

    A time outside of the years 2 to 9997 counts as at their ends, as in the database.
    """
    place = min(max(place, _FIRST_PLACE), _LAST_PLACE)
    return ((place + offsets(zone).at(place) * SECOND) // HOUR + EPOCH_HOUR) % HOURS_OF_WEEK


def _change(zone: Clock, before: datetime, after: datetime) -> datetime:
    """Return the second in a range of time in which the offset changes."""
    low, high = 0, int((after - before).total_seconds())
    first = _offset(zone, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == first:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _offset(zone: Clock, moment: datetime) -> int:
    return int((zone.local(moment).utcoffset() or timedelta()).total_seconds())


def moment(place: int) -> datetime:
    """Return the time that is so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=place)


def microseconds(moment: datetime) -> int:
    """Return how many microseconds after 1970 an aware time is."""
    return (moment - EPOCH) // timedelta(microseconds=1)


_FIRST_PLACE, _LAST_PLACE = (microseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (2, 9998))

"""Lays out a heat map of the hours of a week from counts: cells, levels of colour and their legend.

Uses no HTML, database or clock.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from auditctl.log.week import HOURS_OF_DAY
from auditctl.log.week_text import LONG_WEEKDAYS, WEEKDAYS
from auditctl.web.render.scale import brief

LEVELS = 5
"""How many levels of colour there are; cells without events have none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour of a weekday.

    Attributes:
        hour: 0 to 23.
        count: Number of events.
        level: 1 to `LEVELS`; 0 without events.
        text: The count in up to four characters; empty without events.
    """

    hour: int
    count: int
    level: int
    text: str

    @property
    def span(self) -> str:
        """From when until when it is."""
        return f"{self.hour:02}:00\N{EN DASH}{self.hour + 1:02}:00"


@dataclass(frozen=True, slots=True)
class Day:
    """A weekday.

    Attributes:
        weekday: Its name as the filter has it.
        name: Its name for people.
        cells: One for each hour.
    """

    weekday: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A level of colour, and the counts that have it: `first` to `last`."""

    level: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The hours of a week.

    Attributes:
        days: From Monday.
        steps: The levels, from few events to many.
    """

    days: tuple[Day, ...]
    steps: tuple[Step, ...]


def draw(counts: Mapping[int, int]) -> HeatMap:
    """Return the heat map of counts by the hour of the week, 0 for the first of Monday to 167."""
    limits = _limits(max(counts.values(), default=0))
    lowest = LEVELS + 1 - len(limits)
    firsts = [1, *(limit + 1 for limit in limits)]
    return HeatMap(
        tuple(
            Day(
                weekday,
                name.capitalize(),
                tuple(
                    _cell(hour, counts.get(number * HOURS_OF_DAY + hour, 0), limits, lowest)
                    for hour in range(HOURS_OF_DAY)
                ),
            )
            for number, (weekday, name) in enumerate(zip(WEEKDAYS, LONG_WEEKDAYS, strict=True))
        ),
        tuple(Step(lowest + place, firsts[place], limit) for place, limit in enumerate(limits)),
    )


def _limits(greatest: int) -> list[int]:
    """Return the greatest count of each level, in order, in equal ratios, so that few events are seen beside many."""
    return sorted({*(math.ceil(greatest ** (level / LEVELS)) for level in range(1, LEVELS)), greatest} - {0})


def _cell(hour: int, count: int, limits: list[int], lowest: int) -> Cell:
    return Cell(hour, count, lowest + bisect_left(limits, count) if count else 0, brief(count) if count else "")

"""Turns what the log counted into the geometry of a picture: where every bar, level and label stands.

Lengths and places are percentages of the plot, so that one drawing fits every width; the template draws, a style sheet
colors. Nothing here knows HTML, the database or the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditctl.actions import Action
from auditctl.web.render.scale import Tick, interval, level_of, short, ticks

LEAST = 1.8
"""The height of the smallest part of a bar that is not nothing."""
WIDEST = 8.0
"""The width of the widest bar; a single one would fill the plot."""
_FILLED = 0.8
"""How much of its place a bar fills."""


@dataclass(frozen=True, slots=True)
class Part:
    """The events of one action within a bar.

    Attributes:
        action: The action.
        count: How many; at least one.
        top, height: Where it stands in the plot, 0 being the upper edge.
    """

    action: Action
    count: int
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The events of one interval.

    Attributes:
        since, until: The interval, without its end.
        count: How many events there are.
        place, extent: Where its place starts, and how wide that is; places stand side by side without a gap.
        left, width: The bar itself, within its place.
        parts: From the bottom up; empty without events.
    """

    since: datetime
    until: datetime
    count: int
    place: float
    extent: float
    left: float
    width: float
    parts: tuple[Part, ...]

    @property
    def interval(self) -> str:
        """The interval in words."""
        return interval(self.since, self.until)


@dataclass(frozen=True, slots=True)
class Level:
    """A line across the plot.

    Attributes:
        top: Where, 0 being the upper edge.
        text: The count it stands for.
    """

    top: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars.

    Attributes:
        bars: By time.
        levels: From the highest, which is the upper edge, to zero, at equal distances.
        ticks: Labels of time, from left to right.
        legend: The actions there are, and how many events of each.
    """

    bars: tuple[Bar, ...]
    levels: tuple[Level, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[tuple[Action, int], ...]


@dataclass(frozen=True, slots=True)
class Meter:
    """A horizontal bar.

    Attributes:
        count: What it stands for.
        width: 0 to 100.
    """

    count: int
    width: float


def draw(buckets: Sequence[tuple[datetime, Mapping[Action, int]]], since: datetime, until: datetime) -> Chart:
    """Return the chart of counted intervals.

    Args:
        buckets: Where each starts, in UTC and in order, and its counts; each ends where the next one starts.
        since: Where the first starts that is meant, within the first interval.
        until: Where the last one ends.
    """
    starts = [start for start, _ in buckets]
    # The range may start within the first interval and end within the last.
    edges = [since, *starts[1:], until] if starts else []
    counts = [{action: some for action in Action if (some := counted.get(action, 0)) > 0} for _, counted in buckets]
    step, levels = level_of(max((sum(some.values()) for some in counts), default=0))
    bars = tuple(
        _bar(edges[place : place + 2], some, place, len(buckets), step * levels) for place, some in enumerate(counts)
    )
    return Chart(
        bars,
        tuple(Level(100 * (1 - level / levels), short(step * level)) for level in range(levels, -1, -1)),
        ticks(starts),
        tuple((action, total) for action in Action if (total := sum(some.get(action, 0) for some in counts))),
    )


def meters(counts: Iterable[int]) -> tuple[Meter, ...]:
    """Return a bar for each count, the longest of which is full."""
    every = tuple(counts)
    most = max(every, default=0)
    return tuple(Meter(count, max(100 * count / most, 1.0) if count else 0.0) for count in every)


def _bar(edges: Sequence[datetime], counts: Mapping[Action, int], place: int, of: int, full: int) -> Bar:
    extent = 100 / of
    width = min(extent * _FILLED, WIDEST)
    left = place * extent + (extent - width) / 2
    since, until = edges
    return Bar(since, until, sum(counts.values()), place * extent, extent, left, width, _stacked(counts, full))


def _stacked(counts: Mapping[Action, int], full: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    top = 100.0
    for action, height in heights(counts, full).items():
        top -= height
        parts.append(Part(action, counts[action], max(top, 0.0), height))
    return tuple(parts)


def heights(counts: Mapping[Action, int], full: int) -> dict[Action, float]:
    """Return the heights of a bar's parts: proportional, but none so small that it is not seen.

    Args:
        counts: At least one of each.
        full: The count that fills the plot.
    """
    total = sum(counts.values())
    whole = max(100 * total / full, LEAST * len(counts))
    small: dict[Action, float] = {}
    while True:
        rest = {action: count for action, count in counts.items() if action not in small}
        left, shared = whole - LEAST * len(small), sum(rest.values())
        tiny = [action for action, count in rest.items() if left * count / shared < LEAST]
        if not tiny:
            return {action: small.get(action) or left * counts[action] / shared for action in counts}
        small.update(dict.fromkeys(tiny, LEAST))

"""Computes the geometry of a bar chart from counts: bars, levels and labels.

All lengths and positions are percentages of the plot, so that it fits every width. The template draws and the style
sheet colors it. Uses no HTML, database or clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from auditctl import clock
from auditctl.actions import Action
from auditctl.clock import Clock
from auditctl.web.render.scale import Tick, level_of, short, ticks

MIN_HEIGHT = 1.8
"""Height of the smallest segment, so that it is visible."""

MAX_WIDTH = 8.0
"""Width of the widest bar; without it a single bar would fill the plot."""

_FILLED = 0.8
"""Fraction of its slot that a bar fills."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The events of one action in a bar.

    Attributes:
        action: The action.
        count: Number of events, at least 1.
        top, height: Vertical position; 0 is the upper edge of the plot.
    """

    action: Action
    count: int
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The events of one interval.

    Attributes:
        since, until: The interval; `until` is excluded.
        count: Number of events.
        slot_left, slot_width: Horizontal position of its slot; slots have no gaps.
        left, width: Horizontal position of the bar, within its slot.
        segments: From the bottom up; empty without events.
        before: Number of events of the period before; None where it was not counted.
        ghost_height: Height of the bar that shows them.
    """

    since: datetime
    until: datetime
    count: int
    slot_left: float
    slot_width: float
    left: float
    width: float
    segments: tuple[Segment, ...]
    before: int | None = None
    ghost_height: float = 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line of the plot.

    Attributes:
        top: Vertical position; 0 is the upper edge.
        text: Its count.
    """

    top: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars.

    Attributes:
        bars: In order of time.
        levels: From the upper edge down to zero, at equal distances.
        ticks: Time labels, from left to right.
        legend: Each action with events, and their number.
    """

    bars: tuple[Bar, ...]
    levels: tuple[Level, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[tuple[Action, int], ...]


@dataclass(frozen=True, slots=True)
class Meter:
    """A horizontal bar.

    Attributes:
        count: Its number.
        width: 0 to 100.
    """

    count: int
    width: float


def draw(
    buckets: Sequence[tuple[datetime, Mapping[Action, int]]],
    since: datetime,
    until: datetime,
    zone: Clock = clock.UTC,
    before: Sequence[int] = (),
) -> Chart:
    """Return the chart of counts by interval.

    Args:
        buckets: The start of each interval, in UTC and in order, and its counts; each ends where the next starts.
        since: Start of the first bar, within the first interval.
        until: End of the last bar.
        zone: The clock of the labels.
        before: The number of events of the period before, for each interval; empty to show none.
    """
    starts = [start for start, _ in buckets]
    # The range may start within the first interval and end within the last.
    edges = [since, *starts[1:], until] if starts else []
    counts = [
        {action: count for action in Action if (count := by_action.get(action, 0)) > 0} for _, by_action in buckets
    ]
    step, levels = level_of(max((*(sum(bar.values()) for bar in counts), *before), default=0))
    bars = tuple(
        _bar(edges[index : index + 2], bar, index, len(buckets), step * levels) for index, bar in enumerate(counts)
    )
    if before:
        bars = tuple(
            replace(bar, before=events, ghost_height=max(100 * events / (step * levels), MIN_HEIGHT if events else 0.0))
            for bar, events in zip(bars, before, strict=True)
        )
    return Chart(
        bars,
        tuple(Level(100 * (1 - level / levels), short(step * level)) for level in range(levels, -1, -1)),
        ticks(starts, zone),
        tuple((action, total) for action in Action if (total := sum(bar.get(action, 0) for bar in counts))),
    )


def meters(counts: Iterable[int]) -> tuple[Meter, ...]:
    """Return a bar for each count; the greatest has full width."""
    numbers = tuple(counts)
    greatest = max(numbers, default=0)
    return tuple(Meter(count, max(100 * count / greatest, 1.0) if count else 0.0) for count in numbers)


def _bar(edges: Sequence[datetime], counts: Mapping[Action, int], index: int, of: int, full: int) -> Bar:
    slot = 100 / of
    width = min(slot * _FILLED, MAX_WIDTH)
    left = index * slot + (slot - width) / 2
    since, until = edges
    return Bar(since, until, sum(counts.values()), index * slot, slot, left, width, _segments(counts, full))


def _segments(counts: Mapping[Action, int], full: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    top = 100.0
    for action, height in heights(counts, full).items():
        top -= height
        segments.append(Segment(action, counts[action], max(top, 0.0), height))
    return tuple(segments)


def heights(counts: Mapping[Action, int], full: int) -> dict[Action, float]:
    """Return the heights of a bar's segments: proportional to their counts, but at least `MIN_HEIGHT`.

    Args:
        counts: Numbers of events by action, each at least 1.
        full: The count that fills the plot.
    """
    total = sum(counts.values())
    whole = max(100 * total / full, MIN_HEIGHT * len(counts))
    small: dict[Action, float] = {}
    while True:
        rest = {action: count for action, count in counts.items() if action not in small}
        height, total_rest = whole - MIN_HEIGHT * len(small), sum(rest.values())
        tiny = [action for action, count in rest.items() if height * count / total_rest < MIN_HEIGHT]
        if not tiny:
            return {action: small.get(action) or height * counts[action] / total_rest for action in counts}
        small.update(dict.fromkeys(tiny, MIN_HEIGHT))

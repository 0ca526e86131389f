"""What the charts of the filtered log show, and where their bars, cells and names lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditctl.clock import Clock
from auditctl.log.archived_months import ArchivedMonths
from auditctl.log.histogram import counts
from auditctl.log.histogram.read import Before
from auditctl.text import plural
from auditctl.web.render import changes
from auditctl.web.render.bars import Bar, Chart, Meter
from auditctl.web.render.changes import Change
from auditctl.web.render.filter_chips import TIMES, Narrowing
from auditctl.web.render.heat import Cell, Day, HeatMap
from auditctl.web.render.scale import edge, interval
from auditctl.web.render.templates import number
from auditctl.web.request import Parameters

COMPARE = "compare"
"""The parameter that also counts the period before."""


@dataclass(frozen=True, slots=True)
class Top:
    """A target or a user with many events.

    Attributes:
        name: The name to show.
        title: The unique name.
        meter: Its number of events, and the bar.
        narrowed: The parameters that show these events alone.
        change: The difference from the period before; None where that was not counted.
    """

    name: str
    title: str
    meter: Meter
    narrowed: Parameters
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Pictures:
    """The charts.

    Attributes:
        events: Number of events.
        spread: The variance of estimates, for each event that they estimate; None for exact counts.
        since, until: The covered interval.
        chart: The events over time.
        unit: The interval of a bar, such as `hour` or `15 minutes`.
        heat: The events by hour of the week.
        targets, users, kinds: Those with the most events, most first; kinds are those of users.
        gone_targets, gone_users: Those that only the period before has, most first.
        before: The period before; None where it was not counted.
        narrowing: The filters.
        shared: Parameters of every link.
        clock: By which bars begin and times are shown.
        archived: The months that are not counted, as they are in an archive alone.
    """

    events: int
    spread: float | None
    since: datetime
    until: datetime
    chart: Chart
    unit: str
    heat: HeatMap
    targets: tuple[Top, ...]
    users: tuple[Top, ...]
    kinds: tuple[Top, ...]
    gone_targets: tuple[Top, ...]
    gone_users: tuple[Top, ...]
    before: Before | None
    narrowing: Narrowing
    shared: Parameters
    clock: Clock
    archived: ArchivedMonths

    @property
    def range(self) -> str:
        """The covered interval as text."""
        return interval(self.since, self.until, self.clock)

    def is_archived(self, bar: Bar) -> bool:
        """Return whether a bar lacks events that are in an archive alone."""
        return self.archived.has_some(bar.since, bar.until)

    def interval(self, bar: Bar) -> str:
        """Return a bar's interval as text."""
        return interval(bar.since, bar.until, self.clock)

    def about(self, count: int) -> str:
        """Return a count as text; an estimate with its margin, and only the digits that this leaves."""
        return about(count, self.spread or 0.0)

    def describe(self, bar: Bar) -> str:
        """Return a bar's interval and counts as text."""
        if self.spread is None:
            count = plural(bar.count, "event")
        else:
            about = self.about(bar.count)
            count = f"{about} {'event' if about == '1' else 'events'}" if bar.count else "no events in the sample"
        segments = ", ".join(f"{self.about(segment.count)} {segment.action}" for segment in bar.segments)
        earlier = f" · before: {self.about_before(bar.before)}" if bar.before is not None else ""
        lacking = " · those in the archive are not counted" if self.is_archived(bar) else ""
        return f"{self.interval(bar)} · {count}{': ' if segments else ''}{segments}{earlier}{lacking}"

    def about_before(self, count: int) -> str:
        """Return a count of the period before as text, as `about` does."""
        return about(count, self.before.spread if self.before else 0.0)

    @property
    def range_before(self) -> str:
        """The period before as text."""
        return interval(self.before.since, self.before.until, self.clock) if self.before else ""

    @property
    def change(self) -> Change | None:
        """The difference of all events from those of the period before; None where it was not counted."""
        return compare(self.events, self.before.events, self.spread, self.before) if self.before else None

    @property
    def undrawn(self) -> int:
        """How many events of the period before correspond to no bar."""
        return self.before.events - sum(self.before.buckets) if self.before else 0

    def in_hour(self, day: Day, cell: Cell) -> Parameters:
        """Return the parameters that show the events of an hour of a weekday."""
        return {**self.narrowing.having(weekday=day.weekday, hour=str(cell.hour)), **self.shared}

    def on_day(self, day: Day) -> Parameters:
        """Return the parameters that show the events of a weekday."""
        return {**self.narrowing.having(weekday=day.weekday), **self.shared}

    def at_hour(self, hour: int) -> Parameters:
        """Return the parameters that show the events of an hour of all days."""
        return {**self.narrowing.having(hour=str(hour)), **self.shared}

    @property
    def comparing(self) -> Parameters:
        """The parameters of the same view with the period before."""
        return {**self.narrowing.texts, **self.shared, COMPARE: ("1",)}

    @property
    def alone(self) -> Parameters:
        """The parameters of the same view without the period before."""
        return {**self.narrowing.texts, **{name: some for name, some in self.shared.items() if name != COMPARE}}

    def edges(self, bar: Bar) -> tuple[str, str]:
        """Return the interval of a bar as values of the filters `since` and `until`."""
        return self.clock.iso(bar.since), self.clock.iso(bar.until)

    def shown_edges(self, bar: Bar) -> tuple[str, str]:
        """Return the interval of a bar as people read it."""
        return edge(bar.since, self.clock), edge(bar.until, self.clock)

    def narrowed(self, bar: Bar) -> Parameters:
        """Return the parameters that show a bar's events."""
        since, until = self.edges(bar)
        return {**self.narrowing.having(since=since, until=until), **self.shared}

    @property
    def anytime(self) -> Parameters:
        """The parameters without the interval, to which a script adds another one."""
        texts = {name: some for name, some in self.narrowing.texts.items() if name not in TIMES}
        return {**texts, **self.shared}


@dataclass(frozen=True, slots=True)
class NoPictures:
    """Why there are no charts.

    Attributes:
        message: What happened.
        hint: What to do; empty if unknown.
    """

    message: str
    hint: str


def about(count: int, spread: float) -> str:
    """Return a count as text; an estimate, which has a spread, with its margin, and only the digits that it leaves."""
    if not spread:
        return number(count)
    if not count:
        return "none in the sample"
    margin = counts.margin(count, spread)
    unit = 10 ** (len(str(margin)) - 1)
    margin = -(-margin // unit) * unit
    near = round(count / unit) * unit
    return f"≈ {number(near)} ± {number(margin)}" if margin < near else f"fewer than {number(near + margin + unit)}"


def compare(events: int, earlier: int, spread: float | None, before: Before | None) -> Change | None:
    """Return the difference of a number of events from that of the period before; None where it was not counted."""
    return changes.compare(events, earlier, (spread or 0.0, before.spread)) if before else None

"""`/overview`: charts of the filtered log: events over time, top targets and top users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.display import format_user
from auditctl.errors import AuditctlError
from auditctl.log import lookups
from auditctl.log.filter_text import text_of
from auditctl.log.filter_values import exact_user
from auditctl.log.histogram import counts
from auditctl.log.histogram.read import Histogram, read_histogram
from auditctl.text import in_quotes, plural
from auditctl.web.error_pages import hint_for, status_of
from auditctl.web.errors import BadRequest
from auditctl.web.lookup import look
from auditctl.web.render import bars, event_columns
from auditctl.web.render.bars import Bar, Chart, Meter
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.render.scale import edge, interval
from auditctl.web.render.templates import number
from auditctl.web.request import Parameters, Visit

GROUP = "group"
"""The parameter of a log that shows transactions in place of events."""

TRANSACTION = "transaction"

PARAMETERS = FILTER_NAMES | {"limit", GROUP, event_columns.PARAMETER}


@dataclass(frozen=True, slots=True)
class Top:
    """A target or a user with many events.

    Attributes:
        name: The name to show.
        title: The unique name.
        meter: Its number of events, and the bar.
        narrowed: The parameters that show these events alone.
    """

    name: str
    title: str
    meter: Meter
    narrowed: Parameters


@dataclass(frozen=True, slots=True)
class Pictures:
    """The charts.

    Attributes:
        events: Number of events.
        spread: The variance of estimates, for each event that they estimate; None for exact counts.
        since, until: The covered interval.
        chart: The events over time.
        unit: The interval of a bar, such as `hour` or `15 minutes`.
        targets, users, kinds: Those with the most events, most first; kinds are those of users.
        narrowing: The filters.
        shared: Parameters of every link.
        clock: By which bars begin and times are shown.
    """

    events: int
    spread: float | None
    since: datetime
    until: datetime
    chart: Chart
    unit: str
    targets: tuple[Top, ...]
    users: tuple[Top, ...]
    kinds: tuple[Top, ...]
    narrowing: Narrowing
    shared: Parameters
    clock: Clock

    @property
    def range(self) -> str:
        """The covered interval as text."""
        return interval(self.since, self.until, self.clock)

    def interval(self, bar: Bar) -> str:
        """Return a bar's interval as text."""
        return interval(bar.since, bar.until, self.clock)

    def about(self, count: int) -> str:
        """Return a count as text; an estimate with its margin, and only the digits that this leaves."""
        if self.spread is None:
            return number(count)
        if not count:
            return "none in the sample"
        margin = counts.margin(count, self.spread)
        unit = 10 ** (len(str(margin)) - 1)
        margin = -(-margin // unit) * unit
        near = round(count / unit) * unit
        return f"≈ {number(near)} ± {number(margin)}" if margin < near else f"fewer than {number(near + margin + unit)}"

    def describe(self, bar: Bar) -> str:
        """Return a bar's interval and counts as text."""
        if self.spread is None:
            count = plural(bar.count, "event")
        else:
            about = self.about(bar.count)
            count = f"{about} {'event' if about == '1' else 'events'}" if bar.count else "no events in the sample"
        segments = ", ".join(f"{self.about(segment.count)} {segment.action}" for segment in bar.segments)
        return f"{self.interval(bar)} · {count}{': ' if segments else ''}{segments}"

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
        return {**self.narrowing.period(), **self.shared}


@dataclass(frozen=True, slots=True)
class NoPictures:
    """Why there are no charts.

    Attributes:
        message: What happened.
        hint: What to do; empty if unknown.
    """

    message: str
    hint: str


def overview(visit: Visit) -> Response:
    """Show the charts, as a page or as a part of the log's page."""
    narrowing = Narrowing.of(visit.parameters)
    with visit.connection() as conn:
        look(visit, conn, lookups.of_search(narrowing.parsed().resolve(conn)))
        pictures = draw(conn, narrowing, shared_parameters(visit))
    template = "pictures_part.html" if visit.is_fragment else "overview.html"
    return visit.page(template, pictures=pictures, narrowing=narrowing)


def draw_if_possible(conn: Connection, narrowing: Narrowing, shared: Parameters) -> Pictures | NoPictures:
    """Return the charts, or why there are none, so that the page still shows the events."""
    try:
        return draw(conn, narrowing, shared)
    except AuditctlError as error:
        return NoPictures(str(error), hint_for(error, status_of(error)))


def draw(conn: Connection, narrowing: Narrowing, shared: Parameters) -> Pictures:
    """Count the events and draw the charts.

    Args:
        conn: The visitor's connection.
        narrowing: The filters.
        shared: Parameters of every link.

    Raises:
        UsageError: A filter is not valid.
        DatabaseError: The login may not read the log, the connection is lost, or it takes too long.
    """
    filters = narrowing.parsed().resolve(conn)
    histogram = read_histogram(conn, filters)
    since, until = _covered(histogram, narrowing, filters.clock)
    return Pictures(
        histogram.events,
        histogram.spread if histogram.is_estimate else None,
        since,
        until,
        bars.draw([(bucket.start, bucket.counts) for bucket in histogram.buckets], since, until, filters.clock),
        histogram.interval.name.removeprefix("1 "),
        _targets(histogram, narrowing, shared),
        _users(histogram, narrowing, shared),
        _kinds(histogram, narrowing, shared),
        narrowing,
        shared,
        filters.clock,
    )


def shared_parameters(visit: Visit) -> Parameters:
    """Return the parameters that every link of the log has.

    Raises:
        UsageError: The columns are not valid.
    """
    own = {name: visit.parameters[name] for name in ("limit", GROUP) if name in visit.parameters}
    return {**own, **event_columns.as_parameter(event_columns.chosen(visit.parameters))}


def is_grouped(visit: Visit) -> bool:
    """Return whether the log shows transactions in place of events.

    Raises:
        BadRequest: It is to be grouped by something else.
    """
    by = visit.one(visit.parameters, GROUP, "")
    if by not in ("", TRANSACTION):
        raise BadRequest(f"The log can be grouped by {TRANSACTION}, not by {in_quotes(by)}.")
    return bool(by)


def _covered(histogram: Histogram, narrowing: Narrowing, zone: Clock) -> tuple[datetime, datetime]:
    """Return the covered interval: that of the filters, or else of all buckets."""
    if not histogram.buckets:
        return histogram.since, histogram.until
    first, last = histogram.buckets[0].start, histogram.buckets[-1].start
    since = max(histogram.since, first) if "since" in narrowing.texts else first
    until = histogram.until if "until" in narrowing.texts else histogram.interval.after(last, zone) or histogram.until
    return since, until


def _targets(histogram: Histogram, narrowing: Narrowing, shared: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(target.label, target.name, meter, {**narrowing.having(target=text_of(target.name)), **shared})
        for target, meter in zip(histogram.targets, bars.meters(one.events for one in histogram.targets), strict=True)
    )


def _users(histogram: Histogram, narrowing: Narrowing, shared: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(
            format_user(user.name, user.kind),
            user.name,
            meter,
            {**narrowing.having(user=exact_user(user.name, user.kind)), **shared},
        )
        for user, meter in zip(histogram.users, bars.meters(one.events for one in histogram.users), strict=True)
    )


def _kinds(histogram: Histogram, narrowing: Narrowing, shared: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(kind, kind, meter, {**narrowing.having(kind=kind), **shared})
        for (kind, _), meter in zip(histogram.kinds, bars.meters(events for _, events in histogram.kinds), strict=True)
    )

"""`/overview`: pictures of the log, narrowed as the log is: events over time, and who and what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from auditctl.database import Connection
from auditctl.display import shown_user
from auditctl.errors import AuditctlError
from auditctl.log.histogram import read as counted
from auditctl.log.histogram.read import Overview, UserCount
from auditctl.names import SYSTEM_USER
from auditctl.text import plural
from auditctl.web.error_pages import explained, status_of
from auditctl.web.render import bars
from auditctl.web.render.bars import Bar, Chart, Meter
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.render.scale import interval, iso
from auditctl.web.render.templates import number
from auditctl.web.request import Parameters, Visit

PARAMETERS = FILTER_NAMES | {"limit"}

_CERTAIN_DIGITS = 2
"""How many digits of an estimate say something."""


@dataclass(frozen=True, slots=True)
class Top:
    """A target or a user with many events.

    Attributes:
        name: What people call it.
        title: What tells it from others of that name.
        meter: How many events, and how long a bar that makes.
        narrowed: The parameters of the view of these events alone.
    """

    name: str
    title: str
    meter: Meter
    narrowed: Parameters


@dataclass(frozen=True, slots=True)
class Pictures:
    """What the log looks like.

    Attributes:
        events: How many there are.
        is_estimate: Whether all counts are estimated.
        since, until: What the pictures cover.
        chart: The events over time.
        unit: What a bar stands for, such as `hour` or `15 minutes`.
        targets, users: Those with the most events, most first.
        narrowing: Which events.
        shared: Parameters that every link keeps.
    """

    events: int
    is_estimate: bool
    since: datetime
    until: datetime
    chart: Chart
    unit: str
    targets: tuple[Top, ...]
    users: tuple[Top, ...]
    narrowing: Narrowing
    shared: Parameters

    @property
    def range(self) -> str:
        """What the pictures cover, in words."""
        return interval(self.since, self.until)

    def about(self, count: int) -> str:
        """Return a count, or the digits of an estimate that say something."""
        return f"≈ {number(rounded(count))}" if self.is_estimate and count else number(count)

    def said(self, bar: Bar) -> str:
        """Return what a bar says, in words."""
        count = (
            f"≈ {plural(rounded(bar.count), 'event')}" if self.is_estimate and bar.count else plural(bar.count, "event")
        )
        parts = ", ".join(f"{self.about(part.count)} {part.action}" for part in bar.parts)
        return f"{interval(bar.since, bar.until)} · {count}{': ' if parts else ''}{parts}"

    def edges(self, bar: Bar) -> tuple[str, str]:
        """Return the interval of a bar as the filters since and until take it."""
        return iso(bar.since), iso(bar.until)

    def narrowed(self, bar: Bar) -> Parameters:
        """Return the parameters of the view of a bar's events."""
        return {**self.narrowing.having(since=iso(bar.since), until=iso(bar.until)), **self.shared}

    @property
    def anytime(self) -> Parameters:
        """The parameters of the view without its interval, to which another one is added."""
        return {**Narrowing(self.narrowing.without("since")).without("until"), **self.shared}


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there are no pictures.

    Attributes:
        message: What happened.
        hint: What to do; empty where nobody knows.
    """

    message: str
    hint: str


def overview(visit: Visit) -> Response:
    """Show the pictures: alone, or for their place in the log."""
    narrowing = Narrowing.of(visit.parameters)
    with visit.connection() as conn:
        pictures = drawn(conn, narrowing, shared(visit))
    template = "pictures_part.html" if visit.is_fragment else "overview.html"
    return visit.page(template, pictures=pictures, narrowing=narrowing)


def drawn_if_possible(conn: Connection, narrowing: Narrowing, kept: Parameters) -> Pictures | Missing:
    """Return the pictures, or why there are none: the log itself is shown all the same."""
    try:
        return drawn(conn, narrowing, kept)
    except AuditctlError as error:
        return Missing(str(error), explained(error, status_of(error)))


def drawn(conn: Connection, narrowing: Narrowing, kept: Parameters) -> Pictures:
    """Count and draw.

    Raises:
        UsageError: A filter means nothing.
        DatabaseError: The login may not read the log, the connection is lost, or it takes too long.
    """
    found = counted.read(conn, narrowing.parsed().resolved(conn))
    since, until = _covered(found, narrowing)
    return Pictures(
        found.events,
        found.is_estimate,
        since,
        until,
        bars.draw([(bucket.start, bucket.counts) for bucket in found.buckets], since, until),
        found.step.name.removeprefix("1 "),
        _targets(found, narrowing, kept),
        _users(found, narrowing, kept),
        narrowing,
        kept,
    )


def shared(visit: Visit) -> Parameters:
    """Return the parameters that every link of the log keeps."""
    return {name: visit.parameters[name] for name in ("limit",) if name in visit.parameters}


def rounded(count: int) -> int:
    """Return the count with the digits that an estimate is sure of, and zeros."""
    return round(count, -max(len(str(count)) - _CERTAIN_DIGITS, 0))


def _covered(found: Overview, narrowing: Narrowing) -> tuple[datetime, datetime]:
    """Return what is covered: the filters' own interval, and whole buckets where there is none."""
    if not found.buckets:
        return found.since, found.until
    first, last = found.buckets[0].start, found.buckets[-1].start
    since = max(found.since, first) if "since" in narrowing.texts else first
    until = found.until if "until" in narrowing.texts else found.step.after(last) or found.until
    return since, until


def _targets(found: Overview, narrowing: Narrowing, kept: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(target.label, target.name, meter, {**narrowing.having(target=target.name), **kept})
        for target, meter in zip(found.targets, bars.meters(one.events for one in found.targets), strict=True)
    )


def _users(found: Overview, narrowing: Narrowing, kept: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(shown_user(user.name, user.kind), user.name, meter, {**narrowing.having(user=_meaning(user)), **kept})
        for user, meter in zip(found.users, bars.meters(one.events for one in found.users), strict=True)
    )


def _meaning(user: UserCount) -> str:
    """Return what the filter user takes for exactly that user."""
    return SYSTEM_USER if user.kind == "system" else f"actor:{user.name}"

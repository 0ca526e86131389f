"""`/overview`: charts of the filtered log: events over time, top targets and top users."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.responses import Response

from auditctl import remarks
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.display import format_user
from auditctl.errors import AuditctlError
from auditctl.log import lookups
from auditctl.log.filter_text import text_of
from auditctl.log.filter_values import exact_user
from auditctl.log.histogram.read import Histogram, TargetCount, UserCount, read_histogram
from auditctl.text import in_quotes
from auditctl.web.error_pages import hint_for, status_of
from auditctl.web.errors import BadRequest
from auditctl.web.lookup import look
from auditctl.web.render import bars, event_columns, heat
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.request import Parameters, Visit
from auditctl.web.views.pictures import COMPARE, NoPictures, Pictures, Top, compare

GROUP = "group"
"""The parameter of a log that shows transactions in place of events."""

TRANSACTION = "transaction"

PARAMETERS = FILTER_NAMES | {"limit", GROUP, COMPARE, event_columns.PARAMETER}


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
    histogram = read_histogram(conn, filters, compare=COMPARE in shared)
    since, until = _covered(histogram, narrowing, filters.clock)
    before = histogram.before
    return Pictures(
        histogram.events,
        histogram.spread if histogram.is_estimate else None,
        since,
        until,
        bars.draw(
            [(bucket.start, bucket.counts) for bucket in histogram.buckets],
            since,
            until,
            filters.clock,
            before.buckets if before else (),
        ),
        histogram.interval.name.removeprefix("1 "),
        heat.draw(histogram.hours),
        _targets(histogram, histogram.targets, narrowing, shared),
        _users(histogram, histogram.users, narrowing, shared),
        _kinds(histogram, narrowing, shared),
        _targets(histogram, before.targets if before else (), narrowing, shared),
        _users(histogram, before.users if before else (), narrowing, shared),
        before,
        narrowing,
        shared,
        filters.clock,
        remarks.archived(conn, filters),
    )


def shared_parameters(visit: Visit) -> Parameters:
    """Return the parameters that every link of the log has.

    Raises:
        BadRequest: The comparison is neither 0 nor 1, or the log is to be grouped by something unknown.
        UsageError: The columns are not valid.
    """
    is_grouped(visit)
    is_compared = visit.one(visit.parameters, COMPARE, "0")
    if is_compared not in ("0", "1"):
        raise BadRequest(f"The parameter {COMPARE} must be 0 or 1.")
    names = ["limit", GROUP] + [COMPARE] * (is_compared == "1")
    own = {name: visit.parameters[name] for name in names if name in visit.parameters}
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


def _targets(
    histogram: Histogram, some: Sequence[TargetCount], narrowing: Narrowing, shared: Parameters
) -> tuple[Top, ...]:
    return tuple(
        Top(
            target.label,
            target.name,
            meter,
            {**narrowing.having(target=text_of(target.name)), **shared},
            compare(target.events, target.before, histogram.spread, histogram.before),
        )
        for target, meter in zip(some, bars.meters(one.events for one in some), strict=True)
    )


def _users(
    histogram: Histogram, some: Sequence[UserCount], narrowing: Narrowing, shared: Parameters
) -> tuple[Top, ...]:
    return tuple(
        Top(
            format_user(user.name, user.kind),
            user.name,
            meter,
            {**narrowing.having(user=exact_user(user.name, user.kind)), **shared},
            compare(user.events, user.before, histogram.spread, histogram.before),
        )
        for user, meter in zip(some, bars.meters(one.events for one in some), strict=True)
    )


def _kinds(histogram: Histogram, narrowing: Narrowing, shared: Parameters) -> tuple[Top, ...]:
    return tuple(
        Top(kind, kind, meter, {**narrowing.having(kind=kind), **shared})
        for (kind, _), meter in zip(histogram.kinds, bars.meters(events for _, events in histogram.kinds), strict=True)
    )

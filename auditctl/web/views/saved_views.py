"""`/views` and `/views/drop`: save the filters of the log's page as a view of the visitor, and drop one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import RedirectResponse, Response

from auditctl import clock
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log import saved_views
from auditctl.log.filters import BY_NAME, ZONE, Filters
from auditctl.log.saved_views import SavedView, ViewExists
from auditctl.log.times import Ago, is_relative
from auditctl.web.render.filter_chips import Narrowing
from auditctl.web.request import Parameters, Visit

NAME = "view"
"""The parameter and field with the name of a view."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the log's page can be kept and passed on.

    Attributes:
        views: The visitor's views, by name.
        current: The name of the view with the filters of the page; empty without one.
        fixed: The parameters that select the same events at any later time.
    """

    views: tuple[SavedView, ...] = ()
    current: str = ""
    fixed: Parameters | None = None


def sharing(visit: Visit, conn: Connection, filters: Filters | None) -> Sharing:
    """Return how a page with these filters, None for invalid ones, can be kept and passed on.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    views = tuple(saved_views.read(conn, visit.person))
    if filters is None:
        return Sharing(views)
    document = filters.as_dict()
    current = next((view.name for view in views if view.document == document), "")
    return Sharing(views, current, fixed(filters, datetime.now(UTC)))


def fixed(filters: Filters, now: datetime) -> Parameters:
    """Return the parameters that select at any later time what filters select now.

    Relative times become those before now, to the second; one that begins at such a time and has no end ends now.
    """
    second = now.replace(microsecond=0)
    relative = {name: value for name, (value, *_) in filters.values.items() if is_relative(value)}
    moments = {name: value.at(second) for name, value in relative.items()}
    if relative and "until" not in filters.texts:
        moments["until"] = second + timedelta(seconds=1)
    texts = {**filters.texts, **{name: (filters.clock.iso(moment),) for name, moment in moments.items()}}
    return {name: texts[name] for name in BY_NAME if name in texts}


def opened(visit: Visit, conn: Connection) -> Parameters:
    """Return the parameters of the view that the address names, together with the filters beside it.

    Raises:
        UsageError: The view does not exist, or is no longer valid.
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    view = saved_views.find(conn, visit.one(visit.parameters, NAME), visit.person)
    texts = view.narrowed(conn, Narrowing.of(visit.parameters).texts)
    filters = Filters.parse(texts)
    times = [value for name, values in filters.values.items() for value in values if BY_NAME[name].by_clock]
    if filters.zone is None and any(not isinstance(value, Ago) for value in times):
        # The dates of a view without a zone are those of UTC, whatever the zone of the address.
        return {**texts, ZONE: (clock.UTC.name,)}
    return texts


def save(visit: Visit) -> Response:
    """Save the filters in the form; ask before a view of that name is replaced."""
    narrowing = Narrowing.of({ZONE: visit.request.query_params.getlist(ZONE), **visit.form})
    name = visit.one(visit.form, NAME, "").strip()
    may_replace = visit.one(visit.form, "replace", "") == "1"
    try:
        with visit.connection() as conn:
            saved_views.save(conn, name, narrowing.parsed(), visit.person, replace=may_replace)
    except UsageError as error:
        exists = isinstance(error, ViewExists)
        status = 409 if exists else 400
        return visit.page("save_view.html", status, narrowing=narrowing, name=name, error=error, exists=exists)
    return RedirectResponse(visit.url("/", narrowing.texts), 303)


def drop(visit: Visit) -> Response:
    """Drop a view, and show the page again that the form was on."""
    with visit.connection() as conn:
        saved_views.drop(conn, visit.one(visit.form, NAME), visit.person)
    return RedirectResponse(visit.url("/", Narrowing.of(visit.form).texts), 303)

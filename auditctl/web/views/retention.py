"""`/retention`: how long events are kept and what the log takes; administrators set times and holds after a plan."""

from __future__ import annotations

from psycopg.errors import QueryCanceled
from starlette.responses import RedirectResponse, Response

from auditctl import database, durations
from auditctl import reason as stated_reason
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError
from auditctl.log import archived_months
from auditctl.log.filters import ZONE, Filters
from auditctl.log.stats import model
from auditctl.log.stats.count import count_events
from auditctl.retention import holds, maintain, times
from auditctl.web import error_pages
from auditctl.web.request import Visit
from auditctl.web.views import retention_changes
from auditctl.web.views.retention_changes import FIELDS, Change

PARAMETERS = frozenset(FIELDS) - {"shown"} | {"change"}
"""Of the form's address."""


def retention(visit: Visit) -> Response:
    """Show times, holds, what upkeep deletes next, and the size of the log by target and month."""
    with visit.connection() as conn:
        stored, in_force = times.read(conn), holds.read(conn)
        statistics = count_events(conn, Filters.parse({ZONE: [visit.clock.name]}), estimate=True)
        due, archived = _due(conn), archived_months.read(conn)
    return visit.page(
        "retention.html",
        times={name: durations.format_keep(keep) for name, keep in stored.by_target.items()},
        notes=stored.notes,
        holds=in_force,
        due=due,
        archived=archived,
        statistics=statistics,
        by_target=sorted(model.grouped(statistics.groups, ("target",)), key=lambda group: -group.events),
        by_month=model.grouped(statistics.groups, ("month",)),
        messages=visit.signed_in.take_messages(),
        changed=visit.signed_in.take_changed(),
    )


def _due(conn: Connection) -> tuple[maintain.DueStep, ...] | None:
    """Return what upkeep would do; None if counting it takes longer than a page may."""
    try:
        return maintain.due(conn)
    except DatabaseError as error:
        if error.sqlstate != QueryCanceled.sqlstate:
            raise
        return None


def form(visit: Visit) -> Response:
    """Show the form of a change, with the fields that the address has."""
    return _form(visit, retention_changes.read(visit, visit.parameters))


def edit(visit: Visit) -> Response:
    """Show the form of a posted change again, to go on with what was entered."""
    return _form(visit, retention_changes.read(visit, visit.form))


def plan(visit: Visit) -> Response:
    """Show what a change would do, without doing it."""
    asked = retention_changes.read(visit, visit.form)
    with visit.connection() as conn:
        try:
            return _plan_page(visit, retention_changes.planned(conn, asked))
        except AuditctlError as error:
            return _form(visit, asked, error)


def apply(visit: Visit) -> Response:
    """Make the change, which is recorded, in one transaction."""
    asked = retention_changes.read(visit, visit.form)
    why = asked.fields["reason"] or None
    if why:
        stated_reason.require_reason(why)
    with visit.connection() as conn:
        try:
            change = retention_changes.planned(conn, asked)
            if not change.sentences:
                visit.signed_in.notify("Nothing had to be done: the database already matches.")
                return RedirectResponse(visit.url(asked.page), 303)
            if change.shown != asked.fields["shown"]:
                return _plan_page(visit, change, _outdated(change))
            with database.errors_translated(), stated_reason.stated(conn, why), database.transaction(conn):
                message, row = retention_changes.make(conn, change)
        except AuditctlError as error:
            return _form(visit, asked, error)
    visit.signed_in.notify(message, [row])
    return RedirectResponse(f"{visit.url(asked.page)}#{row}", 303)


def _outdated(change: Change) -> AuditctlError:
    message = f"the {change.kind.subject} changed after the plan was shown"
    return ConfigurationError([message], hint="This is the plan now.")


def _form(visit: Visit, change: Change, trouble: AuditctlError | None = None) -> Response:
    status = error_pages.status_of(trouble) if trouble else 200
    return visit.page("retention_form.html", status, change=change, trouble=trouble)


def _plan_page(visit: Visit, change: Change, outdated: AuditctlError | None = None) -> Response:
    return visit.page("retention_plan.html", 409 if outdated else 200, change=change, trouble=outdated)

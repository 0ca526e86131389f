"""`/config/table` and `/config/disable`: forms that say what to record of a table, or no more. Change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from auditctl import actions
from auditctl.capture import authority, table_details, table_status
from auditctl.capture.model import Rule
from auditctl.capture.table_details import Subject
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.web.request import Visit
from auditctl.web.views.config import request
from auditctl.web.views.config.request import Kind, Wanted

PARAMETERS = frozenset({"table"})
_SUGGESTED = 1000


def table(visit: Visit) -> Response:
    """Show the form for one table or glob, filled in from the rule in force; without a name ask for one."""
    name = visit.one(visit.parameters, "table", "")
    with visit.connection() as conn:
        if not name:
            return _ask(visit, conn)
        try:
            found = table_details.read(conn, name)
        except UsageError as error:
            return _ask(visit, conn, name, [str(error)])
        if found.problem and found.rule is None:
            return _ask(visit, conn, name, [found.problem])
        rule = found.rule or Rule(found.name, actions.DEFAULT, origin=FORM)
        return form(visit, conn, found, Wanted(Kind.ENABLE, rule), [found.problem] if found.problem else [], 200)


def disable(visit: Visit) -> Response:
    """Show the form that stops recording a table or glob, or some of its actions."""
    name = visit.one(visit.parameters, "table", "")
    if not name:
        return RedirectResponse(visit.url("/config"), 303)
    with visit.connection() as conn:
        found = table_details.read(conn, name)
        return form(visit, conn, found, request.stop(found.rule or Rule(found.name, ())), [], 200)


def again(visit: Visit, conn: Connection, asked: Wanted, problems: Sequence[str]) -> Response:
    """Show a form with what was typed, and why that cannot be done."""
    try:
        found = table_details.read(conn, asked.table)
    except UsageError:
        return _ask(visit, conn, asked.table, problems)
    return form(visit, conn, found, asked, problems, 422)


def form(
    visit: Visit, conn: Connection, found: Subject, asked: Wanted, problems: Sequence[str], status_code: int
) -> Response:
    """Show a form about a subject."""
    rule = asked.rule
    listed = {name for columns in (rule.exclude, rule.mask, rule.key) for name in columns}
    return visit.page(
        "config_disable.html" if asked.kind is Kind.DISABLE else "config_table.html",
        status_code,
        subject=found,
        asked=asked,
        rule=rule,
        columns=[*found.columns, *sorted(listed - set(found.columns))] if found.columns else [],
        problems=problems,
        authority=authority.read(conn),
        every_action=request.every_action(),
    )


def _ask(visit: Visit, conn: Connection, name: str = "", problems: Sequence[str] = ()) -> Response:
    """Ask which table or glob is meant."""
    tables = [row.table for row in table_status.read(conn, everything=True)[:_SUGGESTED]]
    return visit.page("config_ask.html", 422 if problems else 200, name=name, problems=problems, tables=tables)

"""`/config/table` and `/config/disable`: the forms for what to record of a table, or to stop. Change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from auditctl import actions
from auditctl.capture import roles, rule_keys, table_details, table_status
from auditctl.capture.rule_keys import Rule
from auditctl.capture.table_details import TableDetails
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config import request
from auditctl.web.views.config.request import ChangeRequest, ChangeType

PARAMETERS = frozenset({"table"})
_SUGGESTED = 1000


def table(visit: Visit) -> Response:
    """Show the form for one table or glob, filled in from the rule in force; without a name ask for one."""
    name = visit.one(visit.parameters, "table", "")
    with visit.connection() as conn:
        if not name:
            return _ask(visit, conn)
        try:
            details = table_details.read(conn, name)
        except UsageError as error:
            return _ask(visit, conn, name, [str(error)])
        if details.problem and details.rule is None:
            return _ask(visit, conn, name, [details.problem])
        rule = details.rule or Rule(details.name, actions.DEFAULT, origin=FORM)
        return form(
            visit,
            conn,
            details,
            ChangeRequest(ChangeType.ENABLE, rule),
            [details.problem] if details.problem else [],
            200,
        )


def disable(visit: Visit) -> Response:
    """Show the form that stops recording a table or glob, or some of its actions."""
    name = visit.one(visit.parameters, "table", "")
    if not name:
        return RedirectResponse(visit.url("/config"), 303)
    with visit.connection() as conn:
        details = table_details.read(conn, name)
        return form(visit, conn, details, request.stop(Rule(details.name, details.actions)), [], 200)


def edit(visit: Visit) -> Response:
    """Show the form of a posted change again, to go on with what was entered."""
    change = request.posted(visit)
    with visit.connection() as conn:
        if change.kind is ChangeType.APPLY:
            raise BadRequest("All rules together have no form.")
        return again(visit, conn, change, ())


def again(visit: Visit, conn: Connection, change: ChangeRequest, problems: Sequence[str]) -> Response:
    """Show a form again with what was entered, and why that cannot be done."""
    try:
        details = table_details.read(conn, change.table)
    except UsageError:
        return _ask(visit, conn, change.table, problems)
    return form(visit, conn, details, change, problems, 422 if problems else 200)


def form(
    visit: Visit, conn: Connection, details: TableDetails, change: ChangeRequest, problems: Sequence[str], status: int
) -> Response:
    """Show a form about a table or glob."""
    rule = change.rule
    listed = {name for key in rule_keys.COLUMNS for name in getattr(rule, key.name) or ()}
    return visit.page(
        "config_disable.html" if change.kind is ChangeType.DISABLE else "config_table.html",
        status,
        details=details,
        change_request=change,
        rule=rule,
        columns=[*details.columns, *sorted(listed - set(details.columns))] if details.columns else [],
        problems=problems,
        authority=roles.read_authority(conn),
        every_action=tuple(actions.OPTIONS.values()),
        texts=() if details.is_glob else rule_keys.TEXTS,
        column_keys=rule_keys.COLUMNS,
        choices=rule_keys.CHOICES,
        switches=rule_keys.SWITCHES,
    )


def _ask(visit: Visit, conn: Connection, name: str = "", problems: Sequence[str] = ()) -> Response:
    """Ask for a table or glob."""
    tables = [row.table for row in table_status.read(conn, include_unaudited=True)[:_SUGGESTED]]
    return visit.page("config_ask.html", 422 if problems else 200, name=name, problems=problems, tables=tables)

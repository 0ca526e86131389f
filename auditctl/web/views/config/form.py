"""`/config/table` and `/config/disable`: the forms for what to record of one table, or to stop. Change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from auditctl import actions
from auditctl.capture import roles, rule_keys, table_details
from auditctl.capture.rule_keys import Rule
from auditctl.capture.table_details import TableDetails
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.web.request import Visit
from auditctl.web.views.config import add_form, request, table_changes
from auditctl.web.views.config.table_changes import DisableTable, EnableTable

PARAMETERS = frozenset({"table", "action"})
DISABLE_PARAMETERS = frozenset({"table"})


def table(visit: Visit) -> Response:
    """Show the form for one table or glob, filled in from the rule in force; without a name ask for one."""
    name = visit.one(visit.parameters, "table", "")
    if not name:
        return RedirectResponse(visit.url("/config/add"), 303)
    chosen = request.parse_actions(visit.parameters.get("action", ()))
    with visit.connection() as conn:
        try:
            details = table_details.read(conn, name)
        except UsageError as error:
            return add_form.again(visit, conn, add_form.Target(table=name, actions=chosen), [str(error)])
        if details.problem and details.rule is None:
            return add_form.again(visit, conn, add_form.Target(table=name, actions=chosen), [details.problem])
        rule = details.rule or Rule(details.name, actions.DEFAULT, origin=FORM)
        change = EnableTable(replace(rule, actions=chosen) if chosen else rule)
        return _page(visit, conn, details, change, [details.problem] if details.problem else [], 200)


def disable(visit: Visit) -> Response:
    """Show the form that stops recording a table or glob, or some of its actions."""
    name = visit.one(visit.parameters, "table", "")
    if not name:
        return RedirectResponse(visit.url("/config"), 303)
    with visit.connection() as conn:
        details = table_details.read(conn, name)
        return _page(visit, conn, details, table_changes.stop(Rule(details.name, details.actions)), [], 200)


def again(visit: Visit, conn: Connection, change: EnableTable, problems: Sequence[str]) -> Response:
    """Show a form again with what was entered, and why that cannot be done."""
    try:
        details = table_details.read(conn, change.rule.name)
    except UsageError:
        target = add_form.Target(table=change.rule.name, actions=change.rule.actions)
        return add_form.again(visit, conn, target, problems)
    return _page(visit, conn, details, change, problems, 422 if problems else 200)


def _page(
    visit: Visit, conn: Connection, details: TableDetails, change: EnableTable, problems: Sequence[str], status: int
) -> Response:
    """Show a form about a table or glob."""
    rule = change.rule
    listed = {name for key in rule_keys.COLUMNS for name in getattr(rule, key.name) or ()}
    return visit.page(
        "config_disable.html" if isinstance(change, DisableTable) else "config_table.html",
        status,
        details=details,
        change_request=change,
        rule=rule,
        columns=[*details.columns, *sorted(listed - set(details.columns))] if details.columns else [],
        problems=problems,
        reason=visit.one(visit.form, "reason", ""),
        authority=roles.read_authority(conn),
        every_action=tuple(actions.OPTIONS.values()),
        texts=() if details.is_glob else rule_keys.TEXTS,
        column_keys=rule_keys.COLUMNS,
        choices=rule_keys.CHOICES,
        switches=rule_keys.SWITCHES,
    )

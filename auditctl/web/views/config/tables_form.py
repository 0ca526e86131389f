"""`/config/tables`: the tables that are not audited, to tick several and record them alike. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from auditctl import actions, table_names
from auditctl.capture import roles, rule_keys, table_status
from auditctl.capture.rule_keys import Kind, Rule
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.web.request import Visit
from auditctl.web.views.config.table_changes import SHARED_KEYS, EnableTables

PARAMETERS = frozenset({"find", "schema", "all"})
MAX_TABLES = 500
"""Maximum number of tables on a page; a search finds the others."""


def tables(visit: Visit) -> Response:
    """Show the form; with `all` every table that the search finds is ticked."""
    if any(not value for _, value in visit.request.query_params.multi_items()):
        return RedirectResponse(visit.url("/config/tables", visit.parameters), 303)
    with visit.connection() as conn:
        return _page(visit, conn, EnableTables((), Rule("", actions.DEFAULT, origin=FORM)), ())


def again(visit: Visit, conn: Connection, change: EnableTables, problems: Sequence[str]) -> Response:
    """Show the form with what was entered, and why that cannot be done."""
    return _page(visit, conn, change, problems)


def _page(visit: Visit, conn: Connection, change: EnableTables, problems: Sequence[str]) -> Response:
    find, schema = (visit.one(visit.parameters, name, "") for name in ("find", "schema"))
    names = [row.table for row in table_status.read(conn, include_unaudited=True) if row.state == "unaudited"]
    schemas = Counter(map(_schema, names))
    matching = [name for name in names if find.casefold() in name.casefold() and schema in ("", _schema(name))]
    is_all = visit.one(visit.parameters, "all", "") == "1"
    chosen = [name for name in change.tables if name not in matching[:MAX_TABLES]]
    return visit.page(
        "config_tables.html",
        422 if problems else 200,
        tables=[*chosen, *matching[:MAX_TABLES]],
        matching=len(matching),
        ticked=frozenset(matching if is_all else change.tables),
        find=find,
        schema=schema,
        glob=f"{table_names.quoted(schema)}.*" if schema else "",
        schemas=schemas,
        is_all=is_all,
        rule=change.rule,
        problems=problems,
        reason=visit.one(visit.form, "reason", ""),
        authority=roles.read_authority(conn),
        every_action=tuple(actions.OPTIONS.values()),
        column_keys=[key for key in SHARED_KEYS if key.kind is Kind.COLUMNS],
        choices=rule_keys.CHOICES,
        switches=[key for key in SHARED_KEYS if key.kind is Kind.SWITCH],
    )


def _schema(name: str) -> str:
    schema = table_names.parse(name).schema
    return schema.text if schema else ""

"""The form of each change: shown again with what was entered, after a mistake or to go on from a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from auditctl.database import Connection
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config import changes, event_form, form, tables_form
from auditctl.web.views.config.request import ChangeRequest
from auditctl.web.views.config.table_changes import DisableTable, EnableTable, EnableTables
from auditctl.web.views.config.type_changes import ChangeType

FORMS: Mapping[type[ChangeRequest], Callable[[Visit, Connection, Any, Sequence[str]], Response]] = {
    EnableTable: form.again,
    DisableTable: form.again,
    EnableTables: tables_form.again,
    ChangeType: event_form.again,
}
"""What shows the form of a change again. Those without one are asked for by a button."""


def edit(visit: Visit) -> Response:
    """Show the form of a posted change again, to go on with what was entered."""
    change = changes.posted(visit)
    with visit.connection() as conn:
        return again(visit, conn, change, ())


def again(visit: Visit, conn: Connection, change: ChangeRequest, problems: Sequence[str]) -> Response:
    """Show the form of a change with what was entered, and why that cannot be done.

    Raises:
        BadRequest: The change has no form.
    """
    if type(change) not in FORMS:
        raise BadRequest("All rules together have no form.")
    return FORMS[type(change)](visit, conn, change, problems)

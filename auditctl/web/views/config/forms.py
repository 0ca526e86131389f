"""The form of each change: shown again with what was entered, after a mistake or to go on from a plan."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from auditctl.database import Connection
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config import changes, event_form, form, tables_form
from auditctl.web.views.config.request import ChangeRequest
from auditctl.web.views.config.table_changes import EnableTable, EnableTables
from auditctl.web.views.config.type_changes import ChangeType


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
    match change:
        case EnableTable():
            return form.again(visit, conn, change, problems)
        case EnableTables():
            return tables_form.again(visit, conn, change, problems)
        case ChangeType():
            return event_form.again(visit, conn, change, problems)
    raise BadRequest("All rules together have no form.")

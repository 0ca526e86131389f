"""The registry of changes of the configuration that forms ask for, and the one that was posted."""

from __future__ import annotations

from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config.request import ChangeRequest
from auditctl.web.views.config.table_changes import ApplyRules, DisableTable, EnableTable, EnableTables
from auditctl.web.views.config.type_changes import ChangeType

CHANGES: dict[str, type[ChangeRequest]] = {
    change.kind: change for change in (EnableTable, DisableTable, EnableTables, ChangeType, ApplyRules)
}
"""Every change, by what the field `change` says."""


def posted(visit: Visit) -> ChangeRequest:
    """Return the change that the posted form asks for.

    Raises:
        BadRequest: It is nothing that the page's own forms send.
    """
    kind = visit.one(visit.form, "change")
    if kind not in CHANGES:
        raise BadRequest(f"{in_quotes(kind)} is not a change of the configuration.")
    if any("\0" in value for values in visit.form.values() for value in values):
        raise BadRequest("A field holds a NUL byte, which no name in a database has.")
    return CHANGES[kind].parse(visit)

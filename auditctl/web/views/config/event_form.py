"""`/config/event`: the form for a type of business event: its label, and whether it is recorded. Changes nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from auditctl.capture import event_types, roles
from auditctl.capture.model import EventType
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config.type_changes import ChangeType

PARAMETERS = frozenset({"target", "enabled"})


def event(visit: Visit) -> Response:
    """Show the form of a target, filled in from its type; with `enabled` as 0 or 1 as if it were switched off or on."""
    name = unicodedata.normalize("NFKC", visit.one(visit.parameters, "target", "").strip())
    enabled = visit.one(visit.parameters, "enabled", "")
    if enabled not in ("", "0", "1"):
        raise BadRequest(f"{in_quotes(enabled)} is neither 0 nor 1.")
    if "\0" in name:
        raise BadRequest("The target holds a NUL byte, which no name in the log has.")
    if not name:
        return RedirectResponse(visit.url("/config/add", {"type": ["event"]}), 303)
    with visit.connection() as conn:
        deciding = event_types.deciding(conn, name)
        is_recorded = enabled == "1" if enabled else deciding is None or deciding.enabled
        label = deciding.label if deciding and deciding.name == name else None
        change = ChangeType(EventType(name, label, is_recorded, FORM))
        return again(visit, conn, change, ())


def again(visit: Visit, conn: Connection, change: ChangeType, problems: Sequence[str]) -> Response:
    """Show the form with what was entered, and why that cannot be done."""
    deciding = event_types.deciding(conn, change.event_type.name) if not problems else None
    return visit.page(
        "config_event.html",
        422 if problems else 200,
        event_type=change.event_type,
        decided_by=deciding.name if deciding else None,
        problems=problems,
        reason=visit.one(visit.form, "reason", ""),
        authority=roles.read_authority(conn),
    )

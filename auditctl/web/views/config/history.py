"""`/config/history`: the changes of the configuration in sentences, newest first; for readers, too."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from auditctl.capture import config_history
from auditctl.log.selection import Cursor
from auditctl.web.request import Visit

PARAMETERS = frozenset({"target", "after"})
LIMIT = 100


def history(visit: Visit) -> Response:
    """Show a page of the history."""
    if any(not value for _, value in visit.request.query_params.multi_items()):
        return RedirectResponse(visit.url("/config/history", visit.parameters), 303)
    target, after = (visit.one(visit.parameters, name, "").strip() for name in ("target", "after"))
    with visit.connection() as conn:
        found = config_history.read(conn, target, Cursor.parse(after) if after else None, LIMIT)
    return visit.page(
        "config_history.html",
        target=target,
        events=found.events,
        following=str(found.following) if found.following else None,
        is_first=not after,
    )

"""`/events/{event_id}`: one event in full, old and new values side by side."""

from __future__ import annotations

from starlette.responses import Response

from auditctl.log import reader
from auditctl.text import in_quotes
from auditctl.web.errors import NotFound
from auditctl.web.render import event_rows
from auditctl.web.render.text_diff import mark_changes
from auditctl.web.request import Visit


def event(visit: Visit) -> Response:
    """Show an event."""
    text = visit.request.path_params["event_id"]
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NotFound(f"{in_quotes(text)} is not an event ID.")
    with visit.connection() as conn:
        details = event_rows.details(reader.event(conn, int(text), event_rows.details_columns()))
    template = "event_part.html" if visit.is_fragment else "event.html"
    return visit.page(template, details=details, row=details.row, mark_changes=mark_changes)

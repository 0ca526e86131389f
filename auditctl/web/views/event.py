"""`/events/{event_id}`: one event in full, old and new values side by side."""

from __future__ import annotations

from starlette.responses import Response

from auditctl.log import lookups
from auditctl.text import in_quotes
from auditctl.web import source
from auditctl.web.errors import NotFound
from auditctl.web.lookup import look
from auditctl.web.render.value_changes import change_of
from auditctl.web.request import Visit


def event(visit: Visit) -> Response:
    """Show an event."""
    text = visit.request.path_params["event_id"]
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NotFound(f"{in_quotes(text)} is not an event ID.")
    with visit.connection() as conn:
        reader = source.of(visit, conn)
        details = reader.details(int(text))
        row = details.row
        look(visit, conn, lookups.of_event(int(text), row.target_name, row.target_id))
        neighbors = (None, None) if visit.is_fragment else reader.neighbors(row.cursor)
        siblings: tuple[int | None, int | None] = (None, None)
        if row.target_id is not None:
            siblings = reader.neighbors(row.cursor, (row.target_name, row.target_id))
    template = "event_part.html" if visit.is_fragment else "event.html"
    return visit.page(
        template,
        details=details,
        row=row,
        change_of=change_of,
        neighbors=neighbors,
        siblings=siblings,
        lookups=lookups.filters_of(row.target_name, row.target_id),
    )

"""`/history`: all events of one object, oldest first, including those before its key or table was renamed."""

from __future__ import annotations

from starlette.responses import Response

from auditctl.log import lookups, reader
from auditctl.log.filter_text import value_of
from auditctl.log.filters import Filters
from auditctl.log.selection import Cursor, Order
from auditctl.text import in_quotes
from auditctl.web import source
from auditctl.web.errors import BadRequest
from auditctl.web.lookup import look
from auditctl.web.reading import Listing
from auditctl.web.render import event_columns
from auditctl.web.request import Visit

PARAMETERS = frozenset({"target", "id", "after", "order", event_columns.PARAMETER})
LIMIT = 100


def history(visit: Visit) -> Response:
    """Show the history of an object."""
    target, key = (value_of(visit.one(visit.parameters, name)) for name in ("target", "id"))
    after = visit.one(visit.parameters, "after", "")
    order = visit.one(visit.parameters, "order", Order.ASC)
    if order not in list(Order):
        raise BadRequest(f"The order is asc or desc, not {in_quotes(order)}.")
    columns = event_columns.chosen(visit.parameters)
    with visit.connection() as conn:
        name = reader.target_of(conn, target, key)
        look(visit, conn, lookups.of_history(name, key))
        cursor = Cursor.parse(after) if after else None
        events = source.of(visit, conn)
        found = events.history(name, key, Listing(Filters({}, {}), Order(order), cursor, LIMIT, columns))
        rows = found.rows
        hint = "" if rows or after else reader.suggest(conn, name, key)
        is_whole = events.is_everywhere and not visit.unsearched
        unsearched = "" if is_whole else reader.unsearched(conn, name)
    newest = max(rows, key=lambda row: row.cursor.created_on, default=None)
    return visit.page(
        "history.html",
        target=target,
        lookups=lookups.filters_of(name, key),
        label=newest.target if newest else target,
        key=key,
        order=order,
        rows=rows,
        following=found.following,
        is_first=not after,
        hint=hint,
        unsearched=unsearched,
        columns=columns,
        shared=event_columns.as_parameter(columns),
    )

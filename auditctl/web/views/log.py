"""`/`: the log, newest first, filtered by the parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from auditctl.clock import UTC
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log import lookups, target_names
from auditctl.log.by_transaction import reader as by_transaction
from auditctl.log.columns import Columns
from auditctl.log.filters import FILTERS, ZONE, Filters
from auditctl.log.formats import EXPORTS
from auditctl.log.selection import Cursor, Order
from auditctl.remarks import Remarks
from auditctl.text import in_quotes
from auditctl.web import source
from auditctl.web.errors import BadRequest
from auditctl.web.lookup import look
from auditctl.web.reading import Listing, LogReading, Slice
from auditctl.web.render import event_columns, event_rows, group_rows
from auditctl.web.render.event_rows import EventRow
from auditctl.web.render.filter_chips import FILTER_NAMES, HOURS, TIMES, Choice, Narrowing
from auditctl.web.render.group_rows import GroupRow
from auditctl.web.request import EMPTY, FORM, MAY_BE_EMPTY, Parameters, Visit
from auditctl.web.views import overview, remarks, saved_views
from auditctl.web.views.pictures import COMPARE, NoPictures, Pictures
from auditctl.web.views.saved_views import Sharing

DAY = "day"
"""The parameter of the form that goes to a day: the address it leads to has a cursor."""

PARAMETERS = FILTER_NAMES | {
    "after", "before", "limit", "live", "pictures", overview.GROUP, COMPARE, saved_views.NAME,
    event_columns.PARAMETER, DAY, FORM, EMPTY,
}  # fmt: skip
LIMIT = 50
MAX_LIMIT = 500
LIMITS = (25, 50, 100, 200, 500)
"""The lengths of a page that it offers."""

QUICK = {
    "Time": (
        Choice("All time", TIMES, {}),
        Choice("Last hour", TIMES, {"since": "1h"}),
        Choice("Last 24 hours", TIMES, {"since": "24h"}),
        Choice("Last 7 days", TIMES, {"since": "7d"}),
        Choice("Last 30 days", TIMES, {"since": "30d"}),
        Choice("Last year", TIMES, {"since": "365d"}),
        Choice("This month", TIMES, {"since": "this-month"}),
        Choice("Last month", TIMES, {"since": "last-month", "until": "this-month"}),
    ),
    "Hours": (
        Choice("Weekends", HOURS, {"weekday": "sat,sun"}, "Saturdays and Sundays"),
        Choice("Nights", HOURS, {"hour": "22-6"}, "From 22:00 to 06:00"),
        Choice("Odd hours", HOURS, {"outside-hours": "mon-fri 6-22"}, "Weekends, and from 22:00 to 06:00"),
    ),
}
"""Links that choose a period, and hours of the week."""

LABELS = {row.name: row.label for row in FILTERS}

_FIXED: dict[str, Any] = {"filters": FILTERS, "exports": EXPORTS, "quick": QUICK, "labels": LABELS}
"""What the template has on each page."""

MAX_SUGGESTED = 500


@dataclass(frozen=True, slots=True)
class LogPage:
    """The events of a page, or transactions in their place.

    Attributes:
        rows: Newest first.
        older: Cursor of the page with older events; None if there are none.
        newer: Cursor of the page with newer events; None on the newest page, and for transactions.
        is_first: Whether this is the newest page.
    """

    rows: tuple[EventRow | GroupRow, ...]
    older: str | None
    newer: str | None
    is_first: bool = True


def log(visit: Visit) -> Response:
    """Show a page of the log."""
    parameters = visit.parameters
    if not visit.is_fragment and (address := _other_address(visit)):
        return RedirectResponse(address, 303)
    narrowing, limit = Narrowing.of(parameters), page_length(visit)
    listed, targets, said = LogPage((), None, None), list[target_names.KnownTarget](), Remarks()
    pictures: Pictures | NoPictures | None = None
    columns, filters, shared = event_columns.chosen(parameters), None, overview.shared_parameters(visit)
    with visit.connection() as conn:
        try:
            if saved_views.NAME in parameters:
                return RedirectResponse(visit.url("/", {**saved_views.opened(visit, conn), **shared}), 303)
            reader = LogReading(conn) if overview.is_grouped(visit) else source.of(visit, conn)
            filters = reader.resolve(narrowing.parsed())
            listed = (_grouped if overview.is_grouped(visit) else _single)(visit, conn, filters, limit, columns)
            said = remarks.read(visit, conn, filters, is_empty=not listed.rows, is_everywhere=reader.is_everywhere)
        except UsageError as error:
            narrowing = replace(narrowing, error=error)
        sharing = Sharing() if visit.is_fragment else saved_views.sharing(visit, conn, filters)
        if not visit.is_automatic:
            targets = target_names.read(conn)[:MAX_SUGGESTED]
        if "pictures" in parameters and not narrowing.error and not visit.is_fragment:
            pictures = overview.draw_if_possible(conn, narrowing, shared)
    return visit.page(
        "log_part.html" if visit.is_fragment else "log.html",
        400 if narrowing.error else 200,
        narrowing=narrowing,
        listed=listed,
        remarks=said,
        targets=targets,
        shared=shared,
        is_live="live" in parameters,
        pictures=pictures,
        sharing=sharing,
        **_FIXED,
        ungrouped={name: values for name, values in shared.items() if name != overview.GROUP},
        **_choices(visit, columns, limit, {**narrowing.texts, **shared}),
    )


def _choices(visit: Visit, columns: Columns | None, limit: int, view: Parameters) -> dict[str, Any]:
    """Return what the page's choices of day, columns and length show, for an address with the parameters `view`."""
    zone = {ZONE: (visit.zone,)} if visit.zone else {}
    place = {name: visit.parameters[name] for name in ("after", "before") if name in visit.parameters}
    names, here = columns or event_columns.USUAL, {**view, **place}
    choices: dict[str, Any] = {
        "columns": event_columns.offered(names), "ticked": names, "limit": limit,
        "limits": [(some, {**here, "limit": (str(some),)}) for some in LIMITS],
        "without_day": {**view, **zone},
        "without_columns": {name: some for name, some in {**here, **zone}.items() if name != event_columns.PARAMETER},
    }  # fmt: skip
    return {"columns": columns, "choices": choices}


def page(found: Slice, listing: Listing, *, is_first: bool) -> LogPage:
    """Return a page of what was found, and whether there are older and newer events.

    Args:
        found: The events.
        listing: Which they are; read backwards, they are those before a cursor.
        is_first: Whether the page begins with the newest event.
    """
    rows, has_more = list(found.rows), found.following is not None
    if listing.order is Order.ASC:
        rows.reverse()
        older, newer = listing.after is not None and bool(rows), has_more
    else:
        older, newer = has_more, not is_first
    first = rows[0].cursor if rows else listing.after
    return LogPage(
        tuple(rows),
        str(rows[-1].cursor) if older and rows else None,
        str(first) if newer else None,
        is_first=not newer,
    )


def _single(visit: Visit, conn: Connection, filters: Filters, limit: int, columns: Columns | None) -> LogPage:
    """Record the search, and read its page of events."""
    order, after = _place(visit)
    own = look(visit, conn, lookups.of_search(filters))
    listing = Listing(filters, order, after, limit, columns, own)
    return page(source.of(visit, conn).page(listing), listing, is_first="after" not in visit.parameters)


def _grouped(visit: Visit, conn: Connection, filters: Filters, limit: int, columns: Columns | None) -> LogPage:
    """Read a page of transactions, and record that; one of a single event is shown as that event."""
    if "before" in visit.parameters:
        raise BadRequest("The parameter before is for single events; transactions go on after one.")
    after = visit.one(visit.parameters, "after", "") or None
    found = by_transaction.read(conn, filters.predicates(), event_rows.row_columns(columns), limit=limit, after=after)
    look(visit, conn, lookups.of_search(filters))
    rows = [row.newest if row.events == 1 else row for row in group_rows.rows(found, columns)]
    return LogPage(tuple(rows), found.following, None, is_first=after is None)


def _other_address(visit: Visit) -> str:
    """Return the address that the page should have instead; empty for its own."""
    if is_form(visit):
        # A form also sends its empty fields and each ticked column; the address should not contain them.
        others = {name: values for name, values in visit.parameters.items() if name != event_columns.PARAMETER}
        chosen = event_columns.as_parameter(event_columns.chosen(visit.parameters))
        return visit.url("/", _at_day(visit, {**others, **chosen}))
    if not visit.request.url.query and visit.remembered_zone not in ("", UTC.name):
        return visit.url("/", {ZONE: [visit.remembered_zone]})
    return ""


def _at_day(visit: Visit, parameters: Parameters) -> Parameters:
    """Return the parameters with a cursor in place of a day: after it come the day's events and older ones."""
    if DAY not in parameters:
        return parameters
    text = visit.one(parameters, DAY)
    try:
        end = visit.clock.midnight(date.fromisoformat(text.strip()) + timedelta(days=1))
    except (ValueError, OverflowError):
        raise BadRequest(f"{in_quotes(text)} is not a date.", hint="Write it as 2026-11-23.") from None
    replaced = (DAY, "after", "before", "live", overview.GROUP)
    return {
        **{name: values for name, values in parameters.items() if name not in replaced},
        "after": [str(Cursor(end, 1))],
    }


def is_form(visit: Visit) -> bool:
    """Return whether the address is that of a form: with its empty fields, a day or ticked columns."""
    query = visit.request.query_params.multi_items()
    if DAY in visit.parameters or len(visit.parameters.get(event_columns.PARAMETER, ())) > 1:
        return True
    return any(name in (FORM, EMPTY) or (not value and name not in MAY_BE_EMPTY) for name, value in query)


def _place(visit: Visit) -> tuple[Order, Cursor | None]:
    """Return the order and the cursor to go on from: after it, or before it, which is read backwards."""
    after, before = (visit.one(visit.parameters, name, "") for name in ("after", "before"))
    if after and before:
        raise BadRequest("The parameters after and before exclude each other.")
    if before:
        return Order.ASC, Cursor.parse(before)
    return Order.DESC, Cursor.parse(after) if after else None


def page_length(visit: Visit) -> int:
    """Return how many rows a page has.

    Raises:
        BadRequest: It is not a number from 1 to `MAX_LIMIT`.
    """
    text = visit.one(visit.parameters, "limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise BadRequest(f"The limit must be 1 to {MAX_LIMIT}.")
    return int(text)

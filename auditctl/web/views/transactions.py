"""`/transactions`: which transactions have the selected events; `/transactions/XACT`: the events of one of them."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from auditctl.errors import UsageError
from auditctl.log import lookups, target_names
from auditctl.log.by_transaction import reader
from auditctl.log.by_transaction.reader import Groups
from auditctl.log.filters import FILTERS
from auditctl.log.selection import Order
from auditctl.remarks import Remarks
from auditctl.web.errors import BadRequest
from auditctl.web.lookup import look
from auditctl.web.reading import Listing, LogReading
from auditctl.web.render import event_rows, group_rows
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.request import EMPTY, FORM, Visit
from auditctl.web.views import log, remarks

PATH = "/transactions"
ROWS = "rows"
PARAMETERS = FILTER_NAMES | {ROWS, "after", "limit", FORM, EMPTY}

MAX_OPENED = 50
"""How many events of a transaction its row shows below it."""

_MAX_DIGITS = 18


def transactions(visit: Visit) -> Response:
    """Show a page of the transactions with enough selected events."""
    if log.is_form(visit):
        return RedirectResponse(visit.url(PATH, visit.parameters), 303)
    parameters, least, limit = visit.parameters, _least(visit), log.page_length(visit)
    narrowing, page, said = Narrowing.of(parameters), Groups(()), Remarks()
    with visit.connection() as conn:
        try:
            filters = narrowing.parsed().resolve(conn)
            after = visit.one(parameters, "after", "") or None
            columns = event_rows.row_columns()
            page = reader.read(conn, filters.predicates(), columns, least=least, limit=limit, after=after)
            look(visit, conn, lookups.of_search(filters))
            said = remarks.read(visit, conn, filters, is_empty=not page.groups)
        except UsageError as error:
            narrowing = replace(narrowing, error=error)
        targets = target_names.read(conn)[: log.MAX_SUGGESTED]
    shared = {name: parameters[name] for name in (ROWS, "limit") if name in parameters}
    return visit.page(
        "transactions.html",
        400 if narrowing.error else 200,
        narrowing=narrowing,
        page=page,
        rows=group_rows.rows(page),
        is_first="after" not in parameters,
        remarks=said,
        least=least,
        targets=targets,
        filters=FILTERS,
        quick=log.QUICK,
        shared=shared,
        list_path=PATH,
    )


def opened(visit: Visit) -> Response:
    """Show the first of the selected events of a transaction, below its row; as a page, the log of it."""
    narrowing = Narrowing.of({**visit.parameters, "xact": [visit.request.path_params["xact"]]})
    if not visit.is_fragment:
        return RedirectResponse(visit.url("/", narrowing.texts), 303)
    with visit.connection() as conn:
        filters = narrowing.parsed().resolve(conn)
        listing = Listing(filters, Order.DESC, None, MAX_OPENED)
        listed = log.page(LogReading(conn).page(listing), listing, is_first=True)
        look(visit, conn, lookups.of_search(filters))
    return visit.page("transaction_part.html", narrowing=narrowing, listed=listed)


def _least(visit: Visit) -> int:
    text = visit.one(visit.parameters, ROWS, "1")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text)):
        raise BadRequest("The least number of events must be 1 or more.")
    return int(text)

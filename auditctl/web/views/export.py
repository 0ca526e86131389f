"""`/export.csv` and `/export.jsonl`: the filtered view as `auditctl export` writes it, streamed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

from starlette.responses import Response, StreamingResponse

from auditctl.errors import UsageError
from auditctl.log.events import Order
from auditctl.log.export import Request, begin
from auditctl.log.formats import EXPORTS
from auditctl.log.output import readable_chunks
from auditctl.web.errors import BadRequest
from auditctl.web.narrowing import FILTER_NAMES, Narrowing
from auditctl.web.visit import Visit

PARAMETERS = FILTER_NAMES | {"order", "raw"}
FORMS = {form.name: form for form in EXPORTS}
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl; charset=utf-8"}


def export(visit: Visit) -> Response:
    """Stream the log. What can be refused is refused before the first byte; what fails later breaks the transfer."""
    name = visit.request.url.path.rpartition(".")[2]
    request = Request(Narrowing.of(visit.parameters).parsed(), FORMS[name], _order(visit), _is_raw(visit))
    chunks = _chunks(visit, request)
    first = next(chunks, b"")
    day = datetime.now(UTC).date().isoformat()
    return StreamingResponse(
        _Started(first, chunks),
        media_type=MEDIA_TYPES[name],
        headers={"Content-Disposition": f'attachment; filename="activity-{day}.{name}"'},
    )


class _Started:
    """Chunks of which the first is there; closed, and the connection given back, also where nobody reads them all."""

    def __init__(self, first: bytes, rest: Generator[bytes]) -> None:
        self._first = first
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield self._first
            yield from self._rest
        finally:
            self._rest.close()


def _chunks(visit: Visit, request: Request) -> Generator[bytes]:
    with ExitStack() as stack:
        conn = stack.enter_context(visit.connection(is_unhurried=True))
        yield from readable_chunks(begin(conn, request))


def _order(visit: Visit) -> Order:
    text = visit.one(visit.parameters, "order", Order.ASC)
    try:
        return Order(text)
    except ValueError:
        raise UsageError(f"there is no order {text!r}", hint="Orders: asc, desc.") from None


def _is_raw(visit: Visit) -> bool:
    text = visit.one(visit.parameters, "raw", "0")
    if text not in ("0", "1"):
        raise BadRequest("raw is 0 or 1.")
    return text == "1"

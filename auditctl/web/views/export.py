"""`/export.FORMAT` for each exported format: the filtered view as `auditctl export` writes it, streamed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from threading import Lock

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from auditctl.errors import AuditctlError, UsageError
from auditctl.log import exported
from auditctl.log.export import ExportRequest, record_end
from auditctl.log.formats import BY_NAME
from auditctl.log.selection import Order
from auditctl.text import in_quotes
from auditctl.utf8 import repaired_chunks
from auditctl.web import access_log, source
from auditctl.web.errors import BadRequest
from auditctl.web.render import event_columns
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.request import EMPTY, FORM, Visit, content_disposition
from auditctl.web.views.pictures import COMPARE

PARAMETERS = FILTER_NAMES | {"order", "raw", "group", event_columns.PARAMETER, FORM, EMPTY, COMPARE}
"""The form of filters sends the last ones, too: what is typed into it counts, and an export has single events."""


def export(visit: Visit) -> Response:
    """Stream the log. Invalid requests are refused before the first byte; a later failure aborts the transfer."""
    output_format = BY_NAME[visit.path.rpartition(".")[2]]
    request = ExportRequest(
        Narrowing.of(visit.parameters).parsed(), output_format, _order(visit), _is_raw(visit),
        columns=event_columns.chosen(visit.parameters), everywhere=visit.app.archive is not None,
    )  # fmt: skip
    filters = request.filters
    name = exported.file_name(datetime.now(UTC), filters.texts.get("target", ()), output_format, filters.clock)
    return _Stream(
        visit,
        _chunks(visit, request),
        media_type=output_format.media_type,
        headers={"Content-Disposition": content_disposition(name)},
    )


class _Stream(StreamingResponse):
    """Waits for the first chunk before the response starts; returns the connection however the response ends."""

    def __init__(self, visit: Visit, chunks: Generator[bytes], media_type: str, headers: dict[str, str]) -> None:
        self._visit = visit
        self._chunks = _Shared(chunks)
        super().__init__(_led_by(next(chunks, b""), self._chunks), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks; after an error without the end marker, so that the client notices."""
        try:
            await super().__call__(scope, receive, send)
        except AuditctlError as error:
            if not self._visit.is_disconnected:
                access_log.aborted(self._visit, str(error))
        except asyncio.CancelledError:  # the server's shutdown timed out; `Sessions.end_all` cancels the query
            access_log.aborted(self._visit, "the server stopped")
            return
        except BaseException:
            await self._close()
            raise
        await self._close()

    async def _close(self) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._chunks.close)

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Wait until the client disconnects, then cancel the query, which may otherwise run for long."""
        await super().listen_for_disconnect(receive)
        await to_thread.run_sync(self._visit.disconnect, limiter=CapacityLimiter(1))


class _Shared(Iterator[bytes]):
    """Chunks that one thread may close while another waits for the next one: closing waits for it."""

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks
        self._lock = Lock()

    def __next__(self) -> bytes:
        with self._lock:
            return next(self._chunks)

    def close(self) -> None:
        """Return the connection."""
        with self._lock:
            self._chunks.close()


def _led_by(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _chunks(visit: Visit, request: ExportRequest) -> Generator[bytes]:
    sha256, size = hashlib.sha256(), 0
    with visit.connection(has_time_limit=False) as conn:
        with source.of(visit, conn).export(request) as running:
            for chunk in repaired_chunks(running):
                sha256.update(chunk)
                size += len(chunk)
                yield chunk
        # Before the end of the response, which the client takes for the end of the file.
        record_end(conn, request.filters, running.result(size, sha256.hexdigest()))


def _order(visit: Visit) -> Order:
    text = visit.one(visit.parameters, "order", Order.ASC)
    try:
        return Order(text)
    except ValueError:
        raise UsageError(f"{in_quotes(text)} is not an order", hint="Orders: asc, desc.") from None


def _is_raw(visit: Visit) -> bool:
    text = visit.one(visit.parameters, "raw", "0")
    if text not in ("0", "1"):
        raise BadRequest("The parameter raw must be 0 or 1.")
    return text == "1"

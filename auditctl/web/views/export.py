"""`/export.FORMAT` for each exported format: the filtered view as `auditctl export` writes it, streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from threading import Lock

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from auditctl.errors import AuditctlError, UsageError
from auditctl.log.export import ExportRequest, begin
from auditctl.log.formats import BY_NAME
from auditctl.log.selection import Order
from auditctl.utf8 import repaired_chunks
from auditctl.web import access_log
from auditctl.web.errors import BadRequest
from auditctl.web.render.filter_chips import FILTER_NAMES, Narrowing
from auditctl.web.request import Visit

PARAMETERS = FILTER_NAMES | {"order", "raw"}


def export(visit: Visit) -> Response:
    """Stream the log. What can be refused is refused before the first byte; what fails later breaks the transfer."""
    output_format = BY_NAME[visit.path.rpartition(".")[2]]
    request = ExportRequest(Narrowing.of(visit.parameters).parsed(), output_format, _order(visit), _is_raw(visit))
    day = datetime.now(UTC).date().isoformat()
    return _Stream(
        visit,
        _chunks(visit, request),
        media_type=output_format.media_type,
        headers={"Content-Disposition": f'attachment; filename="activity-{day}.{output_format.name}"'},
    )


class _Stream(StreamingResponse):
    """Chunks of which the first is there before the answer starts; the connection is given back whoever stops first."""

    def __init__(self, visit: Visit, chunks: Generator[bytes], media_type: str, headers: dict[str, str]) -> None:
        self._visit = visit
        self._chunks = _Shared(chunks)
        super().__init__(_led_by(next(chunks, b""), self._chunks), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them; without the end of the answer where they end too early, so that nobody takes it for whole."""
        try:
            await super().__call__(scope, receive, send)
        except AuditctlError as error:
            if not self._visit.is_left:
                access_log.broke_off(self._visit, str(error))
        except (
            asyncio.CancelledError
        ):  # the server ends, and waits for nothing more; `Sessions.end_all` cancels the query
            access_log.broke_off(self._visit, "the server ended")
            return
        except BaseException:
            await self._close()
            raise
        await self._close()

    async def _close(self) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._chunks.close)

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Wait until the visitor goes away; then the query is canceled, which may not have found anything for long."""
        await super().listen_for_disconnect(receive)
        await to_thread.run_sync(self._visit.leave, limiter=CapacityLimiter(1))


class _Shared(Iterator[bytes]):
    """Chunks that one thread may close while another waits for the next one: they are closed once that is there."""

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks
        self._lock = Lock()

    def __next__(self) -> bytes:
        with self._lock:
            return next(self._chunks)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._chunks.close()


def _led_by(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _chunks(visit: Visit, request: ExportRequest) -> Generator[bytes]:
    with visit.connection(is_unhurried=True) as conn:
        yield from repaired_chunks(begin(conn, request))


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

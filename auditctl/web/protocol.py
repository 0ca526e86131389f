"""HTTP on one connection: uvicorn's protocol, with a limit to each time that it waits for the client.

uvicorn limits only how long a connection may be idle after an answer. Here a client that sends nothing, sends half a
request, or does not read its answer is disconnected too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from auditctl.web.limits import Limits

_UNFINISHED = (h11.IDLE, h11.SEND_BODY)
"""h11's states of a client from which the rest of a request, or the next one, is expected."""


class Protocol(H11Protocol):
    """One connection.

    Attributes:
        source: What the connection is counted under; None where it is not counted.
        waiting_since: Since when it waits for the client, in the loop's time; None while a request is answered.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        limits: Limits,
        source: str | None,
        lost: Callable[[Protocol], None],
    ) -> None:
        """Create it for an accepted connection; `lost` is called when it has ended."""
        super().__init__(config, server_state, app_state)
        self.source = source
        self.waiting_since: float | None = self.loop.time()
        self._limits = limits
        self._lost = lost
        self._request_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """End the connection at once, whatever was not sent."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Wait for the first request; the time since the connection was accepted counts."""
        super().connection_made(transport)
        waited = self.loop.time() - (self.waiting_since or 0)
        self._request_timer = self.loop.call_later(max(0, self._limits.request_seconds - waited), self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what still waits."""
        self._stop_waiting()
        self._stop_answer_timer()
        super().connection_lost(exc)
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        if self._is_between_requests():
            self._wait(self._limits.request_seconds)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Wait for the next request, or answer the one that was sent in advance."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """Give the client time to read."""
        super().pause_writing()
        self._stop_answer_timer()
        self._answer_timer = self.loop.call_later(self._limits.stalled_seconds, self.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        self._stop_answer_timer()
        super().resume_writing()

    def _is_between_requests(self) -> bool:
        is_answered = self.cycle is not None and self.cycle.response_complete
        return is_answered and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _follow(self) -> None:
        """Wait for the client exactly while a request is not whole; what it sends meanwhile gives it no more time."""
        if self.conn.their_state not in _UNFINISHED or self.transport.is_closing():
            self._stop_waiting()
        elif self._request_timer is None:
            between = self._is_between_requests()
            self._wait(self._limits.idle_seconds if between else self._limits.request_seconds)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self.waiting_since = self.loop.time()
        self._request_timer = self.loop.call_later(seconds, self.abort)

    def _stop_waiting(self) -> None:
        self.waiting_since = None
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _stop_answer_timer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

"""Accepts connections, at most as many as the limits allow: beyond them the one that waits longest makes room.

asyncio's own server has no such limits. Where no file is left for another connection, it writes a traceback for each
attempt, two thousand at a time; and it gives a TLS handshake a minute.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from auditctl.web.limits import Limits
from auditctl.web.middleware import plain
from auditctl.web.protocol import Protocol

LOGGER = logging.getLogger("auditctl.web.connections")

PAUSE_SECONDS = 0.1
"""How long to wait after the system refused a connection."""

TLS_CLOSE_SECONDS = 5.0
"""How long the end of a TLS connection may take."""

MakeProtocol = Callable[[str | None, Callable[[Protocol], None]], Protocol]
"""Takes what the connection is counted under, and what to call at its end."""


class Listener:
    """Accepts connections on a socket; has the methods that uvicorn calls of `asyncio.Server`."""

    def __init__(
        self, listening: socket.socket, make_protocol: MakeProtocol, limits: Limits, tls: ssl.SSLContext | None
    ) -> None:
        self._listening = listening
        self._make_protocol = make_protocol
        self._limits = limits
        self._options = (
            {"ssl": tls, "ssl_handshake_timeout": limits.request_seconds, "ssl_shutdown_timeout": TLS_CLOSE_SECONDS}
            if tls
            else {}
        )
        self._opening: dict[Protocol, asyncio.Task[None]] = {}
        self._open: set[Protocol] = set()
        self._counts: Counter[str] = Counter()
        self._accepting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Accept connections from now on, in the running loop."""
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept_all())

    def close(self) -> None:
        """Accept no more connections."""
        if self._accepting is not None:
            self._accepting.cancel()
        for opening in list(self._opening.values()):
            opening.cancel()

    async def wait_closed(self) -> None:
        """Wait until no connection is being accepted."""
        if self._accepting is not None:
            await asyncio.wait([self._accepting])

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listening)
            except OSError as error:  # no file or memory left, or the client was gone already
                LOGGER.warning("cannot accept a connection: %s", error.strerror)
                self._make_room(None)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._admit(connection, plain(str(address[0])))
                await asyncio.sleep(0)  # however many connect, those that are open get their turn

    def _admit(self, connection: socket.socket, address: str) -> None:
        source = self._limits.source(address)
        if source is not None and self._counts[source] >= self._limits.per_address:
            LOGGER.warning("more than %d connections from %s", self._limits.per_address, source)
            has_room = self._make_room(source)
        elif len(self._open) >= self._limits.connections:
            LOGGER.warning("more than %d connections", self._limits.connections)
            has_room = self._make_room(None)
        else:
            has_room = True
        if not has_room:
            connection.close()
            return
        protocol = self._make_protocol(source, self._forget)
        self._open.add(protocol)
        if source is not None:
            self._counts[source] += 1
        self._opening[protocol] = asyncio.create_task(self._begin(protocol, connection))

    async def _begin(self, protocol: Protocol, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, **self._options)  # type: ignore[arg-type]
        except BaseException as error:
            connection.close()
            self._forget(protocol)
            if not isinstance(error, OSError | asyncio.CancelledError):
                raise
        finally:
            self._opening.pop(protocol, None)

    def _make_room(self, source: str | None) -> bool:
        """End the connection that waits longest for its client, of one source or of all; return whether one did."""
        waiting = [
            (one.waiting_since, id(one), one)
            for one in self._open
            if one.waiting_since is not None and source in (None, one.source)
        ]
        if not waiting:
            return False
        longest = min(waiting)[2]
        if longest in self._opening:
            self._opening[longest].cancel()
        with suppress(OSError):
            longest.abort()
        self._forget(longest)
        return True

    def _forget(self, protocol: Protocol) -> None:
        if protocol in self._open:
            self._open.remove(protocol)
            if protocol.source is not None:
                self._counts[protocol.source] -= 1
                if not self._counts[protocol.source]:
                    del self._counts[protocol.source]

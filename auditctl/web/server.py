"""Runs the application: socket, TLS and shutdown. The only module that uses uvicorn's server."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from auditctl.errors import OutputError, UsageError
from auditctl.text import in_quotes
from auditctl.web.limits import Limits, most_connections
from auditctl.web.listener import Listener
from auditctl.web.protocol import Protocol

GRACE_SECONDS = 5
"""How long requests may continue after the server is told to stop."""

MAX_HEAD = 65536
"""Bytes of a request before its body."""

BACKLOG = 1024
"""How many connections the system keeps until they are accepted."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key, as PEM files."""

    certificate: Path
    key: Path


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Raises:
        UsageError: The host is not an address or name of this machine.
        OutputError: The port is in use, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise UsageError(
            f"{in_quotes(host)} is not an address of this machine", hint="For example: --host 127.0.0.1"
        ) from None
    # Only where the protocol is stated does asyncio send at once. Else each answer waits for the visitor's system to
    # acknowledge its first packet, which takes 40 ms.
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise OutputError(
            f"cannot listen on {host} port {port}: {error.strerror}", hint="Choose another with --host and --port."
        ) from error
    return opened


class Server(uvicorn.Server):
    """Serves an application on a socket until it is stopped."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        tls: Tls | None = None,
        started: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        """Create the server; it does not serve yet.

        Args:
            app: The application.
            listening: The open socket; it is closed at the end.
            tls: Certificate and key; None for plain HTTP.
            started: Called when the server accepts requests.
            limits: What a client may take; None for the usual limits.

        Raises:
            UsageError: The certificate or key cannot be used.
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="on",
            http="h11",  # the same everywhere, whatever else is installed
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEAD,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        if tls:
            _require_usable(tls)
        config.load()
        super().__init__(config)
        self._listening = listening
        self._started = started
        limits = limits or Limits()
        self._limits = replace(limits, connections=most_connections(limits.connections))
        config.timeout_keep_alive = cast("int", self._limits.idle_seconds)  # a float is as good

    def serve_until_stopped(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; requests may end within `GRACE_SECONDS` or until a second SIGINT."""
        self.run(sockets=[self._listening])

    def stop(self) -> None:
        """Stop the server, from another thread."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop. Unlike uvicorn's own handler this does not raise the signal again: it is the regular end."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Start with a listener of our own, then call `started`."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError("the application did not start")  # the lines before say why
        make = partial(Protocol, self.config, self.server_state, self.lifespan.state, self._limits)
        listener = Listener(self._listening, make, self._limits, self.config.ssl)
        listener.start()
        self.servers = [cast("Any", listener)]
        self.started = True
        self._started()


def _require_usable(tls: Tls) -> None:
    for path in (tls.certificate, tls.key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", hint="A PEM file is needed.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise UsageError(
            f"{tls.certificate} and {tls.key} are not a certificate and its key: {why}",
            hint="Both must be PEM files, the key without a passphrase.",
        ) from error

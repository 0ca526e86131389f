"""Runs the application: the socket, TLS, and the end. The only module that knows uvicorn's server."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from auditctl.errors import OutputError, UsageError

GRACE_SECONDS = 5
"""How long requests may go on once the server is told to end."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What the server proves itself with: PEM files."""

    certificate: Path
    key: Path


def listen(host: str, port: int) -> socket.socket:
    """Open the socket.

    Raises:
        UsageError: The host is no address or name of this machine.
        OutputError: The port is taken, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"{host!r} is no address of this machine", hint="For example: --host 127.0.0.1") from None
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen()
    except OSError as error:
        opened.close()
        raise OutputError(
            f"cannot listen on {host} port {port}: {error.strerror}", hint="Choose another with --host and --port."
        ) from error
    return opened


class Server(uvicorn.Server):
    """Serves an application on a socket until it is stopped."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket, tls: Tls | None = None, started: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare; nothing is served yet.

        Args:
            app: The application.
            listening: The open socket; it is closed at the end.
            tls: What the server proves itself with; None for plain HTTP.
            started: Called once requests are answered.

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
            http="h11",  # the same server wherever it runs, whatever else is installed there
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        if tls:
            _require_usable(tls)
        config.load()
        super().__init__(config)
        self._listening = listening
        self._say_started = started

    def serve_until_stopped(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; requests get a moment to end, which a second SIGINT cuts short."""
        self.run(sockets=[self._listening])

    def stop(self) -> None:
        """Ask the server to end, from another thread."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """End; to be told so is how a server ends, so that the signal is not raised once more afterwards."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._say_started()


def _require_usable(tls: Tls) -> None:
    for path in (tls.certificate, tls.key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", hint="It is a file in PEM form.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise UsageError(
            f"{tls.certificate} and {tls.key} are no certificate and its key: {why}",
            hint="Both are files in PEM form, the key without a passphrase.",
        ) from error

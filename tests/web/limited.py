"""A server with limits of a test, and an application without a database behind it."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditctl.web.limits import Limits
from auditctl.web.server import Server, Tls, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

GET = b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Answers `/ok` at once, `/read` after the body, `/flood` without end, and `/hold` never."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        path = scope["path"]
        if path in ("/read", "/hold"):
            while (message := await receive())["type"] != "http.disconnect" and (
                path == "/hold" or message["more_body"]
            ):
                pass
            if message["type"] == "http.disconnect":
                self.ended.append(path)
                return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if path == "/flood":
            gone = asyncio.create_task(self._gone(receive))
            while not gone.done():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                await asyncio.sleep(0)
            self.ended.append(path)
            return
        await send({"type": "http.response.body", "body": b"ok"})

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass
class Serving:
    """A running server."""

    server: Server
    app: Application
    port: int
    stack: ExitStack

    def connect(self, *data: bytes) -> socket.socket:
        """Open a connection and send something on it."""
        client = self.stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=30))
        for part in data:
            client.sendall(part)
        return client

    def answers(self) -> bool:
        """Whether somebody else is served."""
        client = self.connect(GET)
        return client.recv(1000).startswith(b"HTTP/1.1 200")

    @property
    def connections(self) -> set[Any]:
        """The open connections, as uvicorn counts them."""
        return self.server.server_state.connections


@contextmanager
def serving(limits: Limits, tls: Tls | None = None) -> Iterator[Serving]:
    app, ready, listening = Application(), threading.Event(), listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = Server(app, listening, tls, ready.set, limits)
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    try:
        assert ready.wait(30)
        with ExitStack() as stack:
            yield Serving(server, app, port, stack)
    finally:
        server.stop()
        thread.join()

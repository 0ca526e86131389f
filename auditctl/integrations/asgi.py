"""Names the user of each request of an ASGI application: Starlette, FastAPI, Litestar, Django under ASGI, Quart."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from auditctl.integrations.requests import Requests, check_functions

Scope = MutableMapping[str, Any]
Named = Callable[[Scope], "str | Awaitable[str | None] | None"]
Application = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class ActingMiddleware:
    """Puts `auditctl.acting_as` around each request and each WebSocket, with what it streams and its background tasks.

    It belongs inside of what signs users in, so that `user` knows who they are.

    Args:
        app: The application.
        user: Takes the scope and returns the user's name, None for nobody; may be async.
        reason: The same for why the request is made; None for no reasons.
        trusted_proxies: The addresses and networks of the proxies whose X-Forwarded-For is believed; `unix` for one
            that connects through a Unix socket.
        request_id_header: The header whose value becomes the context's `request_id`; None for none.

    Raises:
        UsageError: A proxy is not an address or network, or `user` or `reason` is not a function. For a request: the
            user's name shows nothing.
    """

    def __init__(
        self,
        app: Application,
        user: Named,
        reason: Named | None = None,
        trusted_proxies: Iterable[str] = (),
        request_id_header: str | None = "x-request-id",
    ) -> None:
        check_functions(user=user, reason=reason)
        self._app = app
        self._user = user
        self._reason = reason
        self._requests = Requests(trusted_proxies, request_id_header)

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Serve a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        user = await _named(self._user, scope)
        reason = await _named(self._reason, scope) if self._reason else None
        peer = (scope.get("client") or [None])[0]
        with self._requests.acting(user, reason, peer, partial(_headers, scope)):
            await self._app(scope, receive, send)


async def _named(name: Named, scope: Scope) -> str | None:
    text = name(scope)
    return await text if inspect.isawaitable(text) else text


def _headers(scope: Scope, name: str) -> list[str]:
    encoded = name.encode("latin-1")
    return [value.decode("latin-1") for key, value in scope["headers"] if key == encoded]

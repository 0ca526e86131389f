"""Names the user of each request of a WSGI application: Flask, Django, Pyramid, Bottle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any

from auditctl.integrations.current import acting_as
from auditctl.integrations.requests import Requests, check_functions

Environ = dict[str, Any]
Named = Callable[[Environ], "str | None"]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class ActingMiddleware:
    """Puts `auditctl.acting_as` around each request, with what it streams.

    It belongs inside of what signs users in, so that `user` knows who they are.

    Args:
        app: The application.
        user: Takes the environment and returns the user's name, None for nobody.
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

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        # The server asks for the rest of a streamed answer later, in a context of its own.
        context = copy_context()
        context.run(self._acting(environ).__enter__)
        answer = context.run(self._app, environ, start_response)
        # Of a list, which is made already, servers take the length.
        return answer if isinstance(answer, list | tuple) else _Answer(answer, context.run)

    def _acting(self, environ: Environ) -> acting_as:
        reason = self._reason(environ) if self._reason else None
        return self._requests.acting(self._user(environ), reason, environ.get("REMOTE_ADDR"), partial(header, environ))


def header(environ: Environ, name: str) -> list[str]:
    """Return the values of a header, of which WSGI makes one."""
    value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    return [] if value is None else [value]


class _Answer:
    """The parts of an answer, each made in the context of its request."""

    def __init__(self, parts: Iterable[bytes], run: Callable[..., Any]) -> None:
        self._parts = parts
        self._run = run
        self._iterator: Iterator[bytes] = run(iter, parts)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part: bytes = self._run(next, self._iterator)
        return part

    def close(self) -> None:
        """End the request."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            self._run(close)

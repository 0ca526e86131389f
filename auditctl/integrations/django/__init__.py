"""Names the user of each request of a Django application.

In INSTALLED_APPS it instruments the connections to PostgreSQL, also those of commands, tasks and threads; in MIDDLEWARE
its `ActingMiddleware` puts `auditctl.acting_as` around each request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.utils.module_loading import import_string

from auditctl.integrations.current import acting_as
from auditctl.integrations.requests import Requests, check_functions
from auditctl.integrations.wsgi import header


class ActingMiddleware:
    """Puts `auditctl.acting_as` around each request, sync or async, with what it streams.

    The user is read when a statement may write, so that a request that only reads does not load it, and one that a view
    authenticates is known. Settings, all optional: AUDITCTL_USER and AUDITCTL_REASON, functions (or their dotted names)
    that take the request and return the user or the reason, or None; AUDITCTL_TRUSTED_PROXIES;
    AUDITCTL_REQUEST_ID_HEADER.

    Args:
        get_response: What serves the request.

    Raises:
        ImportError: A dotted name does not exist.
        UsageError: A proxy is not an address or network, or AUDITCTL_USER or AUDITCTL_REASON is not a function.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._user = function_of("AUDITCTL_USER") or _user
        self._reason = function_of("AUDITCTL_REASON")
        self._requests = Requests(
            getattr(settings, "AUDITCTL_TRUSTED_PROXIES", ()),
            getattr(settings, "AUDITCTL_REQUEST_ID_HEADER", "x-request-id"),
        )
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Serve a request."""
        if self._is_async:
            return self._serve(request)
        with self._acting(request):
            return self._streaming(request, self._get_response(request))

    async def _serve(self, request: Any) -> Any:
        with self._acting(request):
            return self._streaming(request, await self._get_response(request))

    def _acting(self, request: Any) -> acting_as:
        reason = self._reason(request) if self._reason else None
        peer = request.META.get("REMOTE_ADDR")
        # Django's META names headers as WSGI does, also under ASGI.
        return self._requests.acting(partial(self._user, request), reason, peer, partial(header, request.META))

    def _streaming(self, request: Any, response: Any) -> Any:
        """Return a response whose parts, which the server asks for later, are made for the user, too."""
        if getattr(response, "streaming", False):
            stream = self._parts_async if response.is_async else self._parts
            response.streaming_content = stream(request, response.streaming_content)
        return response

    def _parts(self, request: Any, parts: Any) -> Iterator[Any]:
        iterator = iter(parts)
        while True:
            with self._acting(request):
                try:
                    part = next(iterator)
                except StopIteration:
                    return
            yield part

    async def _parts_async(self, request: Any, parts: Any) -> AsyncIterator[Any]:
        iterator = aiter(parts)
        while True:
            with self._acting(request):
                try:
                    part = await anext(iterator)
                except StopAsyncIteration:
                    return
            yield part


def function_of(name: str) -> Callable[[Any], str | None] | None:
    """Return the function that a setting has, itself or by its dotted name; None for none.

    Raises:
        ImportError: The dotted name does not exist.
        UsageError: It is not a function.
    """
    function: Callable[[Any], str | None] | None = getattr(settings, name, None)
    function = import_string(function) if isinstance(function, str) else function
    check_functions(**{name: function})
    return function


def _user(request: Any) -> str | None:
    """Return the name of the user who is signed in; None for nobody."""
    user = getattr(request, "user", None)
    return user.get_username() if user is not None and user.is_authenticated else None


def __getattr__(name: str) -> Any:
    """Load the operations of migrations when they are used, as most processes never migrate."""
    if name in ("AuditTable", "UnauditTable"):
        from auditctl.integrations.django import operations

        return getattr(operations, name)
    raise AttributeError(name)

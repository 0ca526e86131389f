"""Builds the ASGI application from routes, static files and middleware."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from auditctl.archive import extra
from auditctl.web import dispatch
from auditctl.web.auth.sessions import Sessions
from auditctl.web.auth.throttle import Throttle
from auditctl.web.middleware import Compression, Headers, Peer, RootPath
from auditctl.web.render.templates import STATIC
from auditctl.web.request import AppState
from auditctl.web.routes import ROUTES, Route
from auditctl.web.settings import Settings

if TYPE_CHECKING:
    from auditctl.web.archive import Archive

SWEEP_SECONDS = 15.0
EXPORT_THREADS = 200
"""Maximum number of exports that wait for the database at a time, in addition to pages."""


def make_app(settings: Settings) -> ASGIApp:
    """Return the application that serves the log (ASGI 3).

    Raises:
        UsageError: Archived months are to be read, and a library for that is not installed.
    """
    state = AppState(settings, Sessions(settings.idle, settings.absolute), Throttle(), _archive(settings))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(state.sessions))
        to_thread.current_default_thread_limiter().total_tokens = EXPORT_THREADS
        yield
        sweeping.cancel()
        if state.archive is not None:
            state.archive.stop()
        await to_thread.run_sync(state.sessions.end_all)

    routes = [_starlette_route(state, route) for route in ROUTES if route.auth in (None, settings.auth)]
    app: ASGIApp = Starlette(
        routes=[*routes, Mount("/static", CachedStaticFiles(directory=STATIC))],
        exception_handlers={HTTPException: dispatch.not_routed(state)},
        lifespan=lifespan,
    )
    app = RootPath(Headers(Compression(app)), settings.root_path)
    return Peer(cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), list(settings.trusted_proxies))))


def _archive(settings: Settings) -> Archive | None:
    if settings.archive is None:
        return None
    with extra.required():
        from auditctl.web.archive import Archive  # the extra `archive` may be missing
    return Archive(settings.archive, settings.page_timeout)


def _starlette_route(state: AppState, route: Route) -> StarletteRoute:
    made = StarletteRoute(
        route.path, dispatch.endpoint(state, route), methods=list(route.methods), max_body_size=route.max_body
    )
    if route.is_recorded and made.methods:
        made.methods.discard("HEAD")  # it would leave an event although nobody reads the answer
    return made


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(sessions.sweep)


class CachedStaticFiles(StaticFiles):
    """Static files, cached as immutable, because their URLs contain a hash of the content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response

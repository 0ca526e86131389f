"""The application: its routes, and what happens around each view: who asks, may they, and what if it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from auditctl.web import dispatch
from auditctl.web.auth.sessions import Sessions
from auditctl.web.auth.throttle import Throttle
from auditctl.web.middleware import Headers, Peer, RootPath
from auditctl.web.render.templates import STATIC, Pages
from auditctl.web.request import Web
from auditctl.web.route import Route as OurRoute
from auditctl.web.routes import ROUTES
from auditctl.web.settings import Settings

SWEEP_SECONDS = 15.0
EXPORT_THREADS = 200
"""How many exports may wait for the database at a time, beside pages."""

LARGEST_FORM = 1 << 20
"""Bytes."""


def make_app(settings: Settings) -> ASGIApp:
    """Return the application that serves the log (ASGI 3)."""
    web = Web(settings, Sessions(settings.idle, settings.absolute), Throttle(), Pages())

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(web))
        to_thread.current_default_thread_limiter().total_tokens = EXPORT_THREADS
        yield
        sweeping.cancel()
        await to_thread.run_sync(web.sessions.end_all)

    here = [route for route in ROUTES if route.auth in (None, settings.auth)]
    routes = [*(_routed(web, route) for route in here), Mount("/static", _Kept(directory=STATIC))]
    app: ASGIApp = Starlette(
        routes=routes,
        exception_handlers={HTTPException: dispatch.unrouted(web)},
        lifespan=lifespan,
        max_body_size=LARGEST_FORM,
    )
    app = RootPath(Headers(app), settings.root_path)
    return Peer(cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), list(settings.trusted_proxies))))


def _routed(web: Web, route: OurRoute) -> Route:
    routed = Route(route.path, dispatch.of(web, route), methods=list(route.methods))
    if route.is_recorded and routed.methods:
        routed.methods.discard("HEAD")  # which would be recorded as if somebody had read the answer
    return routed


async def _sweep(web: Web) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(web.sessions.sweep)


class _Kept(StaticFiles):
    """Lets browsers keep static files: their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response

"""Runs the view of a request: session, access, CSRF and parameter checks before it, an error page if it fails.

Every exception becomes a response here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from secrets import compare_digest
from urllib.parse import quote, unquote, urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.routing import Route as StarletteRoute

from auditctl.log.filters import ZONE
from auditctl.text import in_quotes
from auditctl.web import access_log, error_pages
from auditctl.web.auth import cookies, password, proxy
from auditctl.web.auth.sessions import VisitorSession
from auditctl.web.errors import AdministratorsOnly, BadRequest, Forbidden, MethodNotAllowed, NotFound, SignInRequired
from auditctl.web.posted import read_form
from auditctl.web.request import AppState, Visit
from auditctl.web.routes import Access, Route
from auditctl.web.settings import Auth

THREADS = 64
"""Maximum number of requests of one route that run at a time, so that a slow page does not delay others."""

CLIENT_CLOSED_REQUEST = 499
"""Logged when the client disconnects first."""

Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(state: AppState, route: Route) -> Endpoint:
    """Return the endpoint of a route."""
    limiter = CapacityLimiter(THREADS)

    async def answer(request: Request) -> Response:
        visit = Visit(state, request)
        started = time.monotonic()
        response = await _response(visit, route, limiter)
        access_log.request(visit, response.status_code, time.monotonic() - started)
        return response

    return answer


def not_routed(state: AppState) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of requests that have no route."""

    async def answer(request: Request, error: Exception) -> Response:
        visit = Visit(state, request)
        with suppress(Exception):  # visitors whom no proxy names see it without the navigation
            visit.session = await run_in_threadpool(_session, visit, Access.READER)
        if isinstance(error, HTTPException) and error.status_code == MethodNotAllowed.status:
            response = error_pages.page(visit, MethodNotAllowed())
            response.headers["Allow"] = ", ".join(_methods(request))
        else:
            response = error_pages.page(visit, NotFound())
        access_log.request(visit, response.status_code, 0.0)
        return response

    return answer


def _methods(request: Request) -> list[str]:
    """Return the methods of an address, which several routes may share."""
    matched = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in matched for method in getattr(route, "methods", None) or ("GET", "HEAD")})


async def _response(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    try:
        return await _answer(visit, route, limiter)
    except SignInRequired:
        return _to_sign_in(visit, route)
    except ClientDisconnect:
        return Response(status_code=400)
    except asyncio.CancelledError:  # the server's shutdown timed out; `Sessions.end_all` cancels the query
        return Response(status_code=503)
    except Exception as error:  # noqa: BLE001 - every error becomes a page
        if visit.is_disconnected:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return await run_in_threadpool(error_pages.page, visit, error)


async def _answer(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    in_thread = partial(to_thread.run_sync, limiter=limiter)
    visit.session = await in_thread(_session, visit, route.access)  # first: an error page has the navigation too
    if visit.request.method == "POST":
        visit.form = await read_form(visit.request, has_file=route.has_file)
    if route.access is not Access.EVERYONE and visit.session is None:
        raise SignInRequired
    if visit.request.method == "POST" or route.is_recorded or (route.shows_log and not _is_opened(visit)):
        _require_same_site(visit)
    if visit.request.method == "POST":
        _require_token(visit)
    if route.access is Access.ADMIN:
        await in_thread(_require_admin, visit)
    _require_known_parameters(visit, route)
    if visit.request.method == "POST":
        return await in_thread(route.view, visit)
    watching = asyncio.create_task(_watch(visit))
    try:
        response = await in_thread(route.view, visit)
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if route.shows_log and response.status_code == 200 and not visit.has_looked:
        raise AssertionError(f"{route.path} shows the log, and does not record that")
    return response


async def _watch(visit: Visit) -> None:
    """Cancel the query when the client disconnects."""
    while (await visit.request.receive())["type"] != "http.disconnect":
        pass
    await to_thread.run_sync(visit.disconnect, limiter=CapacityLimiter(1))


def _session(visit: Visit, access: Access) -> VisitorSession | None:
    request, settings, sessions = visit.request, visit.app.settings, visit.app.sessions
    is_activity = not visit.is_automatic
    if settings.auth is Auth.PROXY:
        is_public = access is Access.EVERYONE
        return None if is_public else proxy.session(request, settings, sessions, is_activity=is_activity)
    token = request.cookies.get(cookies.session_name(request))
    return sessions.find(token, is_activity=is_activity) if token else None


def _is_opened(visit: Visit) -> bool:
    """Return whether the visitor opens the page, by a link or an address: another site may not load it unseen."""
    return visit.request.headers.get("sec-fetch-dest", "document") == "document"


def _require_same_site(visit: Visit) -> None:
    """Refuse a request that a page of another site sent (Fetch Metadata)."""
    if visit.request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Forbidden("A page of another site sent this request.")


def _require_token(visit: Visit) -> None:
    token = visit.one(visit.form, "csrf", "")
    expected = visit.session.secret if visit.session else cookies.form_token(visit.request)
    if not expected or not compare_digest(cookies.unmasked(token).encode(), expected.encode()):
        raise Forbidden("This form has expired.", hint="Reload the page and send it again.")


def _require_admin(visit: Visit) -> None:
    hint = "With --auth proxy nobody is an administrator; use the command line."
    if visit.app.settings.auth is Auth.PASSWORD:
        with visit.connection() as conn:
            if password.is_admin(conn):
                return
        hint = f"Ask the DBA for: auditctl grant admin {visit.visitor.login}"
    raise AdministratorsOnly(hint=hint)


def _require_known_parameters(visit: Visit, route: Route) -> None:
    unknown = [name for name in visit.request.query_params if name not in {*route.parameters, ZONE}]
    if unknown:
        raise BadRequest(
            f"This page has no parameter {in_quotes(unknown[0])}.",
            hint=f"Parameters: {', '.join(sorted(route.parameters))}." if route.parameters else "It has no parameters.",
        )


def _to_sign_in(visit: Visit, route: Route) -> Response:
    request = visit.request
    address = _viewed(visit, route)
    sign_in = visit.url("/login", {} if address == "/" else {"next": [address]})
    if visit.is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": sign_in})
    if request.method == "GET" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link on another site is followed without the cookie; a redirect from this site's page sends it.
        return visit.page("again.html", address=visit.url(address))
    return RedirectResponse(sign_in, 303)


def _viewed(visit: Visit, route: Route) -> str:
    """Return the page that the visitor looks at, below the root path: sign-in leads back to it.

    A part of a page, a form and a download are requested by a page, which the browser names.
    """
    headers, root = visit.request.headers, visit.app.settings.root_path
    if visit.is_fragment:
        source = headers.get("hx-current-url", "")
    elif visit.request.method != "GET" or (route.is_recorded and "referer" in headers):
        source = headers.get("referer", "")
    else:
        return f"{quote(visit.path)}?{visit.request.url.query}".rstrip("?")
    try:
        parts = urlsplit(source)
    except ValueError:
        return "/"
    path = parts.path.removeprefix(root)
    if not source.isascii() or not path.startswith("/") or path.startswith("//") or not _is_page(visit, path):
        return "/"
    return f"{path}?{parts.query}".rstrip("?")


def _is_page(visit: Visit, path: str) -> bool:
    """Return whether a path can be opened again, as a plan cannot."""
    scope = {"type": "http", "method": "GET", "path": unquote(path), "root_path": ""}
    routes = (route for route in visit.request.app.routes if isinstance(route, StarletteRoute))
    return any(route.matches(scope)[0] is Match.FULL for route in routes)

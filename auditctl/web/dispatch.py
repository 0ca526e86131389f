"""What happens around every view: who asks, whether they may, and how a failure looks.

Every exception ends here as a page: none leaves the server as a traceback, and none ends it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from auditctl.web import access_log, error_pages, forms
from auditctl.web.auth import cookies, password, proxy
from auditctl.web.auth.sessions import Session
from auditctl.web.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound, SignInRequired
from auditctl.web.request import Visit, Web
from auditctl.web.route import Access, Route
from auditctl.web.settings import Auth

THREADS = 64
"""How many requests of one route may wait for the database at a time; a page that is slow holds no other up."""

LEFT = 499
"""The status that is written down of a request whose visitor went away; nobody sees it."""

Endpoint = Callable[[Request], Awaitable[Response]]


def of(web: Web, route: Route) -> Endpoint:
    """Return the endpoint of a route."""
    limiter = CapacityLimiter(THREADS)

    async def endpoint(request: Request) -> Response:
        visit = Visit(web, request, None)
        started = time.monotonic()
        response = await _response(visit, route, limiter)
        access_log.request(visit, response.status_code, time.monotonic() - started)
        return response

    return endpoint


def unrouted(web: Web) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers where no route does."""

    async def answer(request: Request, error: Exception) -> Response:
        visit = Visit(web, request, None)
        if isinstance(error, HTTPException) and error.status_code == MethodNotAllowed.status:
            response = error_pages.page(visit, MethodNotAllowed())
            response.headers["Allow"] = ", ".join(_methods(request))
        else:
            response = error_pages.page(visit, NotFound())
        access_log.request(visit, response.status_code, 0.0)
        return response

    return answer


def _methods(request: Request) -> list[str]:
    """Return how the address may be asked, which several routes may answer."""
    matched = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in matched for method in getattr(route, "methods", None) or ("GET", "HEAD")})


async def _response(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    try:
        return await _answer(visit, route, limiter)
    except SignInRequired:
        return _to_sign_in(visit)
    except ClientDisconnect:
        return Response(status_code=400)
    except asyncio.CancelledError:  # the server ends, and has waited long enough; `Sessions.end_all` cancels the query
        return Response(status_code=503)
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a page
        if visit.is_left:
            return Response(status_code=LEFT)
        return await run_in_threadpool(error_pages.page, visit, error)


async def _answer(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    if visit.request.method == "POST":
        visit.form = await forms.read(visit.request)
    in_thread = partial(to_thread.run_sync, limiter=limiter)
    visit.session = await in_thread(_session, visit, route)
    if route.access is not Access.EVERYONE and visit.session is None:
        raise SignInRequired
    if visit.request.method == "POST" or route.is_recorded:
        _require_own_page(visit)
    if visit.request.method == "POST":
        _require_token(visit)
    if route.access is Access.ADMIN:
        await in_thread(_require_admin, visit)
    _require_known_parameters(visit, route)
    if visit.request.method == "POST":
        return await in_thread(route.view, visit)
    watching = asyncio.create_task(_watch(visit))
    try:
        return await in_thread(route.view, visit)
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(visit: Visit) -> None:
    """Cancel what only reads as soon as nobody waits for it any more."""
    while (await visit.request.receive())["type"] != "http.disconnect":
        pass
    await to_thread.run_sync(visit.leave, limiter=CapacityLimiter(1))


def _session(visit: Visit, route: Route) -> Session | None:
    web = visit.web
    if web.settings.auth is Auth.PROXY:
        return None if route.access is Access.EVERYONE else proxy.session(visit)
    token = visit.request.cookies.get(cookies.session_name(visit))
    return web.sessions.find(token, is_activity=not visit.is_automatic) if token else None


def _require_own_page(visit: Visit) -> None:
    """Refuse what another site's page asks for, where the asking has an effect (Fetch Metadata)."""
    if visit.request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Forbidden("This was asked for by a page of another site.")


def _require_token(visit: Visit) -> None:
    given = visit.one(visit.form, "csrf", "")
    wanted = visit.session.csrf if visit.session else cookies.form_token(visit)
    if not wanted or not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Forbidden("This form has expired.", hint="Load the page again, and send it once more.")


def _require_admin(visit: Visit) -> None:
    if visit.web.settings.auth is Auth.PASSWORD:
        with visit.connection() as conn:
            if password.is_admin(conn):
                return
    raise Forbidden(
        "This is for administrators of the log.",
        hint=f"Ask the DBA for: auditctl grant admin {visit.person.login}"
        if visit.web.settings.auth is Auth.PASSWORD
        else "Here nobody is one; use the command line.",
    )


def _require_known_parameters(visit: Visit, route: Route) -> None:
    unknown = [name for name in visit.request.query_params if name not in route.parameters]
    if unknown:
        raise BadRequest(
            f"There is no parameter {unknown[0]!r} here.",
            hint=f"Parameters: {', '.join(sorted(route.parameters))}." if route.parameters else "This page has none.",
        )


def _to_sign_in(visit: Visit) -> Response:
    request = visit.request
    asked = f"{quote(visit.path)}?{request.url.query}".rstrip("?")
    if visit.is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": visit.url("/login")})
    if request.method != "GET":
        return RedirectResponse(visit.url("/login"), 303)
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link on another site came without the cookie, which is sent once this very site asks again.
        return visit.page("again.html", address=visit.url(asked))
    return RedirectResponse(visit.url("/login", {} if asked == "/" else {"next": [asked]}), 303)

"""What happens around every view: who asks, whether they may, and how a failure looks.

Every exception ends here as a page: none leaves the server as a traceback, and none ends it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from auditctl.web import cookies, failures, forms, journal, proxied, signing_in
from auditctl.web.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound, SignInRequired
from auditctl.web.route import Access, Route
from auditctl.web.sessions import Session
from auditctl.web.settings import Auth
from auditctl.web.visit import Visit, Web

THREADS = 64
"""How many requests may wait for the database at a time."""

Endpoint = Callable[[Request], Awaitable[Response]]


def of(web: Web, route: Route) -> Endpoint:
    """Return the endpoint of a route."""
    limiter = CapacityLimiter(THREADS)

    async def endpoint(request: Request) -> Response:
        visit = Visit(web, request, None)
        started = time.monotonic()
        response = await _response(visit, route, limiter)
        journal.request(visit, response.status_code, time.monotonic() - started)
        return response

    return endpoint


def unrouted(web: Web) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers where no route does."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for that
        visit = Visit(web, request, None)
        ours = MethodNotAllowed() if error.status_code == MethodNotAllowed.status else NotFound()
        response = failures.page(visit, ours)
        response.headers.update(error.headers or {})
        journal.request(visit, response.status_code, 0.0)
        return response

    return answer


async def _response(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    try:
        return await _answer(visit, route, limiter)
    except SignInRequired:
        return _to_sign_in(visit)
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a page
        return await run_in_threadpool(failures.page, visit, error)


async def _answer(visit: Visit, route: Route, limiter: CapacityLimiter) -> Response:
    if visit.request.method == "POST":
        visit.form = await forms.read(visit.request)
    in_thread = partial(to_thread.run_sync, limiter=limiter)
    visit.session = await in_thread(_session, visit)
    if route.access is not Access.EVERYONE:
        visit.signed_in  # noqa: B018 - raises
    if visit.request.method == "POST" or route.is_recorded:
        _require_own_page(visit)
    if visit.request.method == "POST":
        _require_token(visit)
    if route.access is Access.ADMIN:
        await in_thread(_require_admin, visit)
    _require_known_parameters(visit, route)
    return await in_thread(route.view, visit)


def _session(visit: Visit) -> Session | None:
    web = visit.web
    if web.settings.auth is Auth.PROXY:
        return proxied.session(visit)
    token = visit.request.cookies.get(cookies.session_name(visit))
    return web.sessions.find(token, is_activity=not visit.is_automatic) if token else None


def _require_own_page(visit: Visit) -> None:
    """Refuse what another site's page asks for, where the asking has an effect (Fetch Metadata)."""
    if visit.request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Forbidden("This was asked for by a page of another site.")


def _require_token(visit: Visit) -> None:
    given = visit.one(visit.form, "csrf", "")
    wanted = visit.session.csrf if visit.session else visit.request.cookies.get(cookies.SIGN_IN, "")
    if not wanted or not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Forbidden("This form has expired.", hint="Load the page again, and send it once more.")


def _require_admin(visit: Visit) -> None:
    if visit.web.settings.auth is Auth.PASSWORD:
        with visit.connection() as conn:
            if signing_in.is_admin(conn):
                return
    raise Forbidden(
        "This is for administrators of the log.", hint=f"Ask the DBA for: auditctl grant admin {visit.person.login}"
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
    asked = f"{request.url.path.removeprefix(visit.web.settings.root_path)}?{request.url.query}".rstrip("?")
    if visit.is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": visit.url("/login")})
    if request.method != "GET":
        return RedirectResponse(visit.url("/login"), 303)
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link on another site came without the cookie, which is sent once this very site asks again.
        return visit.page("again.html", address=visit.url(asked))
    return RedirectResponse(visit.url("/login", {} if asked == "/" else {"next": [asked]}), 303)

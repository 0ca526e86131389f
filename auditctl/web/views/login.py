"""`/login` and `/logout`: sign in with a database login, and sign out."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from auditctl.errors import AuditctlError, DatabaseError, StoreError
from auditctl.log import lookups
from auditctl.web import access_log, error_pages
from auditctl.web.auth import cookies
from auditctl.web.auth import password as auth_password
from auditctl.web.auth.throttle import DELAY_SECONDS
from auditctl.web.errors import TooManyAttempts
from auditctl.web.request import Visit


def form(visit: Visit) -> Response:
    """Show the sign-in form."""
    following = _local(visit.one(visit.parameters, "next", "/"))
    if visit.session is not None:
        return RedirectResponse(visit.url(following), 303)
    return _form(visit, following)


def sign_in(visit: Visit) -> Response:
    """Sign in; the answer to a failure takes at least `DELAY_SECONDS`."""
    login, password = visit.one(visit.form, "login", ""), visit.one(visit.form, "password", "")
    following = _local(visit.one(visit.form, "next", "/"))
    started = time.monotonic()
    try:
        visit.app.throttle.begin(visit.address, login)
        visitor, connections = auth_password.sign_in(visit.app.settings, login, password, visit.address)
    except AuditctlError as error:
        access_log.refused(visit, login, str(error.__cause__ or error))
        if isinstance(error, DatabaseError | StoreError):
            visit.app.throttle.take_back(visit.address, login)
        if not isinstance(error, TooManyAttempts):
            time.sleep(max(0.0, started + DELAY_SECONDS - time.monotonic()))
        return _form(visit, following, login, error)
    visit.app.throttle.succeed(visit.address, login)
    _end(visit)
    token = visit.app.sessions.start(visitor, connections)
    access_log.signed_in(visit, visitor.login)
    response = RedirectResponse(visit.url(following), 303)
    cookies.put(visit.request, visit.app.settings, response, cookies.session_name(visit.request), token)
    cookies.drop(visit.request, visit.app.settings, response, cookies.SIGN_IN)
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    access_log.signed_out(visit, visit.visitor.login)
    try:
        with visit.connection() as conn:
            lookups.record_session(conn, is_start=False)
    except AuditctlError as error:  # who leaves is not kept, though the log lacks it
        access_log.database_failed(visit, error)
    _end(visit)
    response = RedirectResponse(visit.url("/login"), 303)
    cookies.drop(visit.request, visit.app.settings, response, cookies.session_name(visit.request))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _end(visit: Visit) -> None:
    if token := visit.request.cookies.get(cookies.session_name(visit.request)):
        visit.app.sessions.end(token)


def _form(visit: Visit, following: str, login: str = "", error: AuditctlError | None = None) -> Response:
    status = 200 if error is None else error_pages.status_of(error)
    csrf = cookies.form_token(visit.request) or cookies.new_token()
    response = visit.page(
        "sign_in.html",
        status,
        error_pages.headers(error),
        csrf=cookies.masked(csrf),
        next=following,
        login=login,
        error=None if error is None else error_pages.message(error),
        hint="" if error is None else error_pages.hint_for(error, status),
    )
    cookies.put(visit.request, visit.app.settings, response, cookies.SIGN_IN, csrf)
    return response


def _local(address: str) -> str:
    """Return an address below the root path, or `/` if it is not one: no redirect leads to another site."""
    if not address.isprintable() or "\\" in address or not address.startswith("/") or address.startswith("//"):
        return "/"
    parts = urlsplit(address)
    return "/" if parts.scheme or parts.netloc else address

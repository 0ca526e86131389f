"""Renders error pages: the status, message and hint for each error; never the server's internals."""

from __future__ import annotations

from psycopg.errors import QueryCanceled
from starlette.responses import Response

from auditctl import database
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError, StoreError, UsageError
from auditctl.log.reader import NoSuchEvent
from auditctl.web import access_log
from auditctl.web.errors import TooManyAttempts, WebError
from auditctl.web.request import Visit

_OF_SQLSTATE = {database.DENIED: 403, QueryCanceled.sqlstate: 504}
"""The status of a missing privilege, and of a canceled query, which is the time limit."""

TITLES = {
    400: "Invalid request",
    401: "Please sign in",
    403: "Access denied",
    404: "Page not found",
    405: "Method not allowed",
    413: "Form too large",
    422: "Invalid rules",
    429: "Too many attempts",
    500: "Internal error",
    503: "The log is not available",
    504: "The query took too long",
}


def page(visit: Visit, error: Exception) -> Response:
    """Return the page for an error; log an unexpected one."""
    status = status_of(error)
    if status == 500:
        access_log.crashed(visit, error)
        text, hint = "The server's log has the details.", "If it happens again, tell your administrator."
    else:
        text, hint = message(error), hint_for(error, status)
        if isinstance(error, DatabaseError | StoreError) and status >= 500:
            access_log.database_failed(visit, error)
    template = "failure_part.html" if visit.is_fragment else "failure.html"
    return visit.page(
        template, status, headers(error), title=getattr(error, "title", "") or TITLES[status], message=text, hint=hint
    )


def status_of(error: Exception) -> int:
    """Return the HTTP status code of an error."""
    match error:
        case WebError():
            return error.status
        case NoSuchEvent():
            return 404
        case UsageError():
            return 400
        case ConfigurationError():
            return 422
        case DatabaseError():
            return _OF_SQLSTATE.get(error.sqlstate or "", 503)
        case StoreError():
            return 503
    return 500


def headers(error: Exception | None) -> dict[str, str]:
    """Return the headers of an error's response."""
    return {"Retry-After": str(error.seconds)} if isinstance(error, TooManyAttempts) else {}


def message(error: Exception) -> str:
    """Return the message; connection errors are generic, so that host names and server messages do not leak."""
    return "The database does not answer." if _is_unreachable(error) else str(error)


def hint_for(error: Exception, status: int) -> str:
    """Return what the visitor can do; empty if unknown."""
    match status:
        case 403 if isinstance(error, DatabaseError):
            return "Ask the DBA for the role: auditctl grant --help."
        case 504:
            return "Add a filter for target, ID or user, or choose a shorter time."
        case 503 if _is_unreachable(error):
            return (
                "Or it no longer accepts your login. Try again in a moment. If the problem remains, sign in again, or "
                "tell your administrator."
            )
    return error.hint if isinstance(error, AuditctlError) else ""


def _is_unreachable(error: Exception) -> bool:
    # A failed connection has no SQLSTATE.
    return isinstance(error, DatabaseError) and error.sqlstate is None

"""How a failure looks: its status, what happened and what to do; with nothing of the server's inside."""

from __future__ import annotations

from starlette.responses import Response

from auditctl import database
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError, StoreError, UsageError
from auditctl.log.reader import NoSuchEvent
from auditctl.web import access_log
from auditctl.web.errors import TooManyAttempts, WebError
from auditctl.web.request import Visit

_OF_SQLSTATE = {database.DENIED: 403, "57014": 504}
"""The status of insufficient_privilege, and of query_canceled, which is the time limit."""

TITLES = {
    400: "That was not understood",
    401: "Please sign in",
    403: "Not for you",
    404: "Nothing here",
    405: "Not in this way",
    413: "Too large",
    422: "The rules do not fit",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "The log cannot be reached",
    504: "That took too long",
}


def page(visit: Visit, error: Exception) -> Response:
    """Return the page about an error; what was not expected is written down."""
    status = status_of(error)
    if status == 500:
        access_log.failed(visit, error)
        message, hint = "The server has written down what happened.", "If it happens again, tell your administrator."
    else:
        message, hint = said(error), explained(error, status)
        if isinstance(error, DatabaseError | StoreError) and status >= 500:
            access_log.out_of_order(visit, error)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyAttempts) else {}
    template = "failure_part.html" if visit.is_fragment else "failure.html"
    return visit.page(template, status, headers, title=TITLES[status], message=message, hint=hint)


def status_of(error: Exception) -> int:
    """Return the status code that says what went wrong."""
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


def said(error: Exception) -> str:
    """Return what happened; where the database is, and what it says to whom it does not know, stays with the server."""
    return "The database does not answer." if _is_unreachable(error) else str(error)


def explained(error: Exception, status: int) -> str:
    """Return what to do, in words for somebody who sits before a browser."""
    match status:
        case 403 if isinstance(error, DatabaseError):
            return "Ask the DBA for the role: auditctl grant --help."
        case 504:
            return "Narrow it: name a target, an ID or a user, or choose a shorter time."
        case 503 if _is_unreachable(error):
            return (
                "Or it no longer lets you in. Try again in a moment; if it stays so, sign in anew, or tell your "
                "administrator."
            )
    return error.hint if isinstance(error, AuditctlError) else ""


def _is_unreachable(error: Exception) -> bool:
    # A failure to connect has no SQLSTATE.
    return isinstance(error, DatabaseError) and error.sqlstate is None

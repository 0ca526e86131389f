"""Logs each request, sign-in, sign-out and refusal of the web page, through `logging`.

Never contains a password, a token or a filter: of an address only the path is written.
"""

from __future__ import annotations

import logging

from auditctl.display import harmless
from auditctl.web.request import Visit

LOGGER = logging.getLogger("auditctl.web")
FAILURES = logging.getLogger("auditctl.web.failures")
"""What repeats with each request while something is wrong; see auditctl/web/log_repeats.py."""


def request(visit: Visit, status: int, seconds: float) -> None:
    """Log a request; a refused or failed one as a warning."""
    level = logging.WARNING if status in (401, 403, 429) or status >= 500 else logging.INFO
    if visit.path == "/healthz" and level == logging.INFO:
        level = logging.DEBUG
    name = visit.session.visitor.name if visit.session else "-"
    LOGGER.log(
        level, "%s %s %s %s %d %.0f ms", visit.address or "-", harmless(name), visit.request.method, _path(visit),
        status, seconds * 1000,
    )  # fmt: skip


def signed_in(visit: Visit, login: str) -> None:
    """Log a sign-in."""
    LOGGER.info("%s %s signed in", visit.address or "-", harmless(login))


def refused(visit: Visit, login: str, reason: str) -> None:
    """Log a refused sign-in and the reason."""
    LOGGER.warning("%s %s sign-in refused: %s", visit.address or "-", harmless(login[:200]), harmless(reason))


def signed_out(visit: Visit, login: str) -> None:
    """Log a sign-out."""
    LOGGER.info("%s %s signed out", visit.address or "-", harmless(login))


def database_failed(visit: Visit, error: Exception) -> None:
    """Log why the database did not answer a request."""
    FAILURES.warning("%s failed: %s", _path(visit), harmless(str(error)))


def archive_failed(visit: Visit, error: Exception) -> None:
    """Log why archived months could not be read."""
    FAILURES.warning("%s: the archive cannot be read: %s", _path(visit), harmless(str(error)))


def aborted(visit: Visit, reason: str) -> None:
    """Log why a response ended early."""
    LOGGER.error("%s aborted: %s", _path(visit), harmless(reason))


def crashed(visit: Visit, error: BaseException) -> None:
    """Log an unexpected error with its traceback."""
    LOGGER.error("%s %s failed", visit.request.method, _path(visit), exc_info=error)


def _path(visit: Visit) -> str:
    return harmless(visit.path[:500])

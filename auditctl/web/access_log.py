"""What the server writes down of its visitors, through `logging`: who asked for which page, who came in, who did not.

Never holds a password, a token or a filter: of an address the path alone is written.
"""

from __future__ import annotations

import logging

from auditctl.display import harmless
from auditctl.web.request import Visit

LOGGER = logging.getLogger("auditctl.web")


def request(visit: Visit, status: int, seconds: float) -> None:
    """Write a line for a request; what was refused stands out."""
    level = logging.WARNING if status in (401, 403, 429) or status >= 500 else logging.INFO
    if visit.path == "/healthz" and level == logging.INFO:
        level = logging.DEBUG
    who = visit.session.person.name if visit.session else "-"
    path = harmless(visit.path[:500])
    LOGGER.log(
        level, "%s %s %s %s %d %.0f ms", visit.address or "-", harmless(who), visit.request.method, path, status,
        seconds * 1000,
    )  # fmt: skip


def signed_in(visit: Visit, login: str) -> None:
    """Write down that somebody came in."""
    LOGGER.info("%s %s signed in", visit.address or "-", harmless(login))


def refused(visit: Visit, login: str, reason: str) -> None:
    """Write down that somebody did not, and why."""
    LOGGER.warning("%s %s sign-in refused: %s", visit.address or "-", harmless(login[:200]), harmless(reason))


def signed_out(visit: Visit, login: str) -> None:
    """Write down that somebody left."""
    LOGGER.info("%s %s signed out", visit.address or "-", harmless(login))


def out_of_order(visit: Visit, error: Exception) -> None:
    """Write down why the database did not do what was asked."""
    LOGGER.warning("%s failed: %s", harmless(visit.path[:500]), harmless(str(error)))


def broke_off(visit: Visit, reason: str) -> None:
    """Write down that an answer ended in the middle, and why."""
    LOGGER.error("%s broke off: %s", harmless(visit.path[:500]), harmless(reason))


def failed(visit: Visit, error: BaseException) -> None:
    """Write down what went wrong unexpectedly, with its traceback."""
    LOGGER.error("%s %s failed", visit.request.method, harmless(visit.path[:500]), exc_info=error)

"""Errors of web requests; a docstring's first line is the default message."""

from __future__ import annotations

from typing import ClassVar

from auditctl.errors import AuditctlError
from auditctl.text import plural


class WebError(AuditctlError):
    """The request cannot be answered.

    Attributes:
        status: The HTTP status code (RFC 9110).
        title: The title of the page; empty for that of the status.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = ""


class BadRequest(WebError):
    """The request is not valid."""


class SignInRequired(WebError):
    """Nobody is signed in."""

    status = 401


class Forbidden(WebError):
    """You do not have access."""

    status = 403


class AdministratorsOnly(Forbidden):
    """Only administrators of the log may see this page."""

    title = "Administrators only"


class NotFound(WebError):
    """No page has this address."""

    status = 404


class MethodNotAllowed(WebError):
    """This address does not support the method."""

    status = 405


class TooLarge(WebError):
    """The form is too large."""

    status = 413


class TooManyAttempts(WebError):
    """Too many failed sign-ins.

    Attributes:
        seconds: When to try again, in seconds from now.
    """

    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(hint=f"Try again in {plural(max(1, -(-seconds // 60)), 'minute')}.")
        self.seconds = seconds


class ArchiveUnreadable(WebError):
    """Archived months could not be read."""

    status = 503
    title = "The archive cannot be read"


class TookTooLong(WebError):
    """The query took longer than a page may."""

    status = 504


class Busy(WebError):
    """Too many of your requests are running."""

    status = 503

    def __init__(self) -> None:
        super().__init__(hint="Wait for an export or another page to end, then try again.")

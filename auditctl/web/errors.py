"""What goes wrong between a browser and the log, beside what goes wrong everywhere."""

from __future__ import annotations

from typing import ClassVar

from auditctl.errors import AuditctlError
from auditctl.text import plural


class WebError(AuditctlError):
    """The request cannot be answered.

    Attributes:
        status: The status code of the answer (RFC 9110).
    """

    status: ClassVar[int] = 400


class BadRequest(WebError):
    """The request is not understood."""


class SignInRequired(WebError):
    """Nobody is signed in."""

    status = 401


class Forbidden(WebError):
    """This is not for you."""

    status = 403


class NotFound(WebError):
    """There is nothing at this address."""

    status = 404


class MethodNotAllowed(WebError):
    """This address is not asked in that way."""

    status = 405


class TooLarge(WebError):
    """The form is too large."""

    status = 413


class TooManyAttempts(WebError):
    """Too many failed sign-ins.

    Attributes:
        seconds: After how many seconds to try again.
    """

    status = 429

    def __init__(self, seconds: int) -> None:
        minutes = max(1, -(-seconds // 60))
        super().__init__(hint=f"Try again in {plural(minutes, 'minute')}.")
        self.seconds = seconds


class Busy(WebError):
    """Too many requests of yours are under way."""

    status = 503

    def __init__(self) -> None:
        super().__init__(hint="Wait for an export or another page to end, then try again.")

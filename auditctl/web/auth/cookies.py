"""The two cookies: the session's token, and what makes sure that a sign-in was sent by our own page."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response

from auditctl.web.request import Visit

SIGN_IN: Final = "auditctl_form"

TOKEN_BYTES: Final = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""What `secrets.token_urlsafe` makes of so many bytes."""


def session_name(visit: Visit) -> str:
    """Return the name of the session's cookie; over TLS one that no plain connection can set (RFC 6265bis)."""
    return "__Secure-auditctl" if _is_secure(visit) else "auditctl"


def form_token(visit: Visit) -> str:
    """Return what the sign-in form has to repeat; empty unless we made it, whoever set the cookie."""
    given = visit.request.cookies.get(SIGN_IN, "")
    return given if _TOKEN.fullmatch(given) else ""


def put(visit: Visit, response: Response, name: str, value: str) -> None:
    """Give the browser a cookie, until it is closed; no script and no other site can use it."""
    response.set_cookie(name, value, path=_path(visit), secure=_is_secure(visit), httponly=True, samesite="strict")


def drop(visit: Visit, response: Response, name: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(name, path=_path(visit), secure=_is_secure(visit), httponly=True, samesite="strict")


def _is_secure(visit: Visit) -> bool:
    return visit.request.url.scheme == "https"


def _path(visit: Visit) -> str:
    return visit.web.settings.root_path or "/"

"""Reads and writes the two cookies that hold a token: of the session, and of the sign-in form."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from auditctl.web.settings import Settings

SIGN_IN: Final = "auditctl_form"
"""Name of the sign-in form's cookie."""

_TOKEN_BYTES: Final = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""A token of that many bytes."""


def new_token() -> str:
    """Return a random token, safe in URLs and cookies."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def masked(token: str) -> str:
    """Return a token as a form carries it: another text each time, so that its compressed length reveals nothing.

    A compressed page is shorter where it repeats what an address put into it (the BREACH attack).
    """
    secret, mask = token.encode(), secrets.token_bytes(len(token))
    return base64.urlsafe_b64encode(mask + _xor(mask, secret)).decode()


def unmasked(text: str) -> str:
    """Return the token that a form carried; empty if it carried none."""
    try:
        data = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        return _xor(data[: len(data) // 2], data[len(data) // 2 :]).decode()
    except ValueError:
        return ""


def _xor(mask: bytes, data: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(mask, data, strict=True))


def session_name(request: Request) -> str:
    """Return the name of the session cookie; over TLS one that a plain connection cannot set (RFC 6265bis)."""
    return "__Secure-auditctl" if _is_secure(request) else "auditctl"


def form_token(request: Request) -> str:
    """Return the token that the sign-in form must repeat; empty if the cookie does not hold a token."""
    value = request.cookies.get(SIGN_IN, "")
    return value if _TOKEN.fullmatch(value) else ""


def put(request: Request, settings: Settings, response: Response, name: str, value: str) -> None:
    """Set a cookie that ends with the browser session; scripts and other sites cannot use it."""
    response.set_cookie(name, value, path=_path(settings), secure=_is_secure(request), httponly=True, samesite="strict")


def drop(request: Request, settings: Settings, response: Response, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(name, path=_path(settings), secure=_is_secure(request), httponly=True, samesite="strict")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _path(settings: Settings) -> str:
    return settings.root_path or "/"

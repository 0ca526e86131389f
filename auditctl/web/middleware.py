"""ASGI middleware: security headers, compression, the peer's address and the root path.

Plain ASGI (https://asgi.readthedocs.io): nothing here reads or buffers a body.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditctl.addresses import parse_address

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: everything comes from this server; no inline scripts or styles."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

SECURE = {"strict-transport-security": "max-age=31536000"}
"""Sent over TLS only."""


GZIP_LEVEL = 5
"""Above it pages take more time and hardly fewer bytes."""

_REFUSED = re.compile(r"\bgzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)", re.IGNORECASE)
"""The weight 0 in Accept-Encoding, which refuses gzip; Starlette looks for the name alone."""


class Compression:
    """Compresses responses with gzip, streams chunk by chunk, except what another site's page requests.

    Such a page could find out by the length of compressed answers whether they repeat what its link says (BREACH).
    A part of a file (a range) is sent as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressing = GZipMiddleware(app, compresslevel=GZIP_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        headers = RequestHeaders(scope=scope) if scope["type"] == "http" else {}
        is_own = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        accepted = headers.get("accept-encoding", "")
        is_compressed = is_own and "range" not in headers and not _REFUSED.search(accepted)
        await (self.compressing if is_compressed else self.app)(scope, receive, send)


class Headers:
    """Adds the headers to every response; only static files may be cached."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, **(SECURE if scope["scheme"] == "https" else {})}.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                headers.add_vary_header("HX-Request")
            await send(message)

        await self.app(scope, receive, with_headers)


class Peer:
    """Saves the address of the connection as `auditctl.peer`, before a proxy's headers replace it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if client := scope.get("client"):
            scope["client"] = (plain(client[0]), client[1])
        scope["auditctl.peer"] = scope["client"][0] if client else ""
        await self.app(scope, receive, send)


def plain(address: str) -> str:
    """Return an address in the form in which it is recorded, any other text as it is."""
    return str(parse_address(address)) if is_address(address) else address


def is_address(text: str) -> bool:
    """Return whether a text is an IP address; a header may hold anything."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class RootPath:
    """Removes the root path, unless a proxy has removed it already."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and self.root_path and f"{scope['path']}/".startswith(f"{self.root_path}/"):
            scope = {**scope, "path": scope["path"][len(self.root_path) :] or "/"}
        await self.app(scope, receive, send)

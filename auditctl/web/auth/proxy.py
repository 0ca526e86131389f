"""Signs in visitors that a proxy names in a header, which only the proxy's own address may send."""

from __future__ import annotations

from starlette.requests import Request

from auditctl.addresses import parse_address, parse_network
from auditctl.text import has_visible
from auditctl.web.auth import password
from auditctl.web.auth.sessions import Sessions, Visitor, VisitorSession
from auditctl.web.errors import Forbidden, WebError
from auditctl.web.settings import Settings

_MAX_NAME = 200
"""Characters."""


class Unnamed(WebError):
    """The proxy did not name you."""

    status = 401


def session(request: Request, settings: Settings, sessions: Sessions, *, is_activity: bool) -> VisitorSession:
    """Return the session of the visitor that the proxy names; all their queries run as the one reader login.

    The name itself is the session's token. Cookies are ignored.

    Args:
        request: The request.
        settings: The trusted proxies and the header.
        sessions: Where the session is found, or started.
        is_activity: As in `Sessions.find`.

    Raises:
        Forbidden: The request did not come from a trusted proxy.
        Unnamed: The header is missing, repeated or not a name.
        DatabaseError: The reader login cannot connect.
    """
    if not _is_trusted(request, settings):
        raise Forbidden("This page is available through its proxy only.")
    name = _name(request, settings.user_header)
    current = sessions.find(name, is_activity=is_activity)
    if current is not None:
        return current
    visitor, connections = password.reader(settings)
    return sessions.put(name, Visitor(name, visitor.login, is_admin=False), connections)


def _name(request: Request, header: str) -> str:
    names = request.headers.getlist(header)
    try:
        # Headers are bytes (RFC 9110, 5.5); names are UTF-8.
        name = names[0].encode("latin-1").decode().strip() if len(names) == 1 else ""
    except UnicodeDecodeError:
        raise Unnamed(hint=f"The header {header} is not valid UTF-8.") from None
    if not name or len(name) > _MAX_NAME or not name.isprintable() or not has_visible(name):
        raise Unnamed(hint=f"It must send one header {header}.")
    return name


def _is_trusted(request: Request, settings: Settings) -> bool:
    try:
        peer = parse_address(request.scope["auditctl.peer"])
    except ValueError:
        return False
    return any(peer in parse_network(proxy) for proxy in settings.trusted_proxies)

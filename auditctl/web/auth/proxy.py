"""Visitors whom a proxy has let in: named by a header, believed from the proxy's own address only."""

from __future__ import annotations

import ipaddress

from auditctl.web.auth import password
from auditctl.web.auth.sessions import Person, Session
from auditctl.web.errors import Forbidden, WebError
from auditctl.web.request import Visit

_LONGEST = 200


class Unnamed(WebError):
    """The proxy did not say who you are."""

    status = 401


def session(visit: Visit) -> Session:
    """Return the session of the person that the proxy names; every query of theirs runs as the one reader login.

    Raises:
        Forbidden: The request did not come from a trusted proxy.
        Unnamed: The header is missing, doubled, or no name.
        DatabaseError: The reader login cannot connect.
    """
    if not _is_trusted(visit):
        raise Forbidden("This page is reached through its proxy only.")
    name = _name(visit)
    # No cookie is needed: the name itself is what the session is found by, and cookies are not looked at.
    found = visit.web.sessions.find(name, is_activity=not visit.is_automatic)
    if found is None:
        person, connections = password.reader(visit.web.settings)
        found = visit.web.sessions.put(name, Person(name, person.login, is_admin=False), connections)
    return found


def _name(visit: Visit) -> str:
    header = visit.web.settings.user_header
    names = visit.request.headers.getlist(header)
    try:
        # Headers are bytes (RFC 9110, 5.5); names are UTF-8.
        name = names[0].encode("latin-1").decode().strip() if len(names) == 1 else ""
    except UnicodeDecodeError:
        raise Unnamed(hint=f"The header {header} is no UTF-8.") from None
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise Unnamed(hint=f"It must send one header {header}.")
    return name


def _is_trusted(visit: Visit) -> bool:
    try:
        peer = ipaddress.ip_address(visit.request.scope["auditctl.peer"])
    except ValueError:
        return False
    return any(peer in ipaddress.ip_network(proxy) for proxy in visit.web.settings.trusted_proxies)

"""Limits of the web server, so that no client can hold what others need."""

from __future__ import annotations

import ipaddress
import resource
from dataclasses import dataclass

MOST_FILES = 8192
"""How many files the process opens at most, if the system lets it."""

OTHER_FILES = 64
"""Files kept for what is neither a client's nor the database's: logs, libraries, templates."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits.

    Attributes:
        request_seconds: How long a client may take to connect and send a request whole, and each further request from
            its first byte.
        idle_seconds: How long a connection stays open between two requests.
        stalled_seconds: How long an answer may wait for a client that does not read it.
        connections: Maximum number of connections.
        per_address: The same for one IPv4 address or one IPv6 network of 64 bits.
        shared: Networks without that limit: proxies, whose connections are those of many visitors.
    """

    request_seconds: float = 15.0
    idle_seconds: float = 15.0
    stalled_seconds: float = 60.0
    connections: int = 1000
    per_address: int = 100
    shared: tuple[str, ...] = ()

    def source(self, address: str) -> str | None:
        """Return what connections from an address are counted under; None where they are not counted."""
        if not address:
            return None
        parsed = ipaddress.ip_address(address)
        if any(parsed in ipaddress.ip_network(network) for network in self.shared):
            return None
        return address if parsed.version == 4 else str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def most_connections(wanted: int) -> int:
    """Return how many connections the process can have, at most so many; raise its limit of open files as needed.

    A visitor's connection may need one to the database, so half of the files are left for those.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        soft = target
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, max(8, (soft - OTHER_FILES) // 2))

"""Reads from an HTTP request who it comes from: what the middleware of ASGI, WSGI and Django has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from auditctl.addresses import parse_address
from auditctl.errors import UsageError
from auditctl.integrations.current import User, acting_as
from auditctl.text import has_visible, in_quotes

MAX_REQUEST_ID = 200
MAX_REASON = 2000
"""The most characters that are recorded; the rest is cut."""

UNIX = "unix"
"""The name of a proxy that connects through a Unix socket, and so has no address."""

Address = IPv4Address | IPv6Address


def check_functions(**functions: object) -> None:
    """Refuse arguments that are not functions, before the first request calls them.

    Raises:
        UsageError: One of them cannot be called.
    """
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise UsageError(
                f"{name} must be a function that takes the request, not {type(function).__name__}",
                hint=f"Give a function, such as {name}=lambda request: ..., which is called for each request.",
            )


class Requests:
    """Names who acts in the requests of an application.

    Args:
        trusted_proxies: The proxies whose X-Forwarded-For is believed, as `Proxies` takes them.
        request_id_header: The header whose value becomes the context's `request_id`; None for none.

    Raises:
        UsageError: A proxy is not an address or network.
    """

    def __init__(self, trusted_proxies: Iterable[str], request_id_header: str | None) -> None:
        self._proxies = Proxies(trusted_proxies)
        self._id_header = request_id_header and request_id_header.lower()

    def acting(
        self, user: User, reason: str | None, peer: str | None, header: Callable[[str], Sequence[str]]
    ) -> acting_as:
        """Return the block in which a request is served.

        Args:
            user: The user, as `acting_as` takes it.
            reason: Why the request is made; cut to what is recorded.
            peer: The address of the connection; None or empty for a Unix socket.
            header: Returns the values of a header, whose name is in lower case.

        Raises:
            UsageError: The name of the user shows nothing, or one of the values is not a text.
        """
        address = self._proxies.client(peer, header("x-forwarded-for"))
        number = cut(next(iter(header(self._id_header)), None), MAX_REQUEST_ID) if self._id_header else None
        context = {"request_id": number} if number else {}
        return acting_as(user, address, reason=cut(reason, MAX_REASON), **context)


class Proxies:
    """The proxies that are trusted to name the address of their client in X-Forwarded-For.

    Args:
        trusted: Their addresses and networks, such as `10.0.0.0/8`; `unix` for one that has none.

    Raises:
        UsageError: One of them is neither.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        names = [trusted] if isinstance(trusted, str) else list(trusted)
        self._has_unix = UNIX in names
        self._networks: Sequence[IPv4Network | IPv6Network] = [_network(name) for name in names if name != UNIX]

    def client(self, peer: str | None, forwarded: Iterable[str]) -> Address | None:
        """Return the address that a request comes from; None if nothing trustworthy names one.

        Args:
            peer: The address of the connection; None or empty for a Unix socket.
            forwarded: The values of the header X-Forwarded-For, in their order.
        """
        address = _address(peer or "")
        if not self._is_trusted(address):
            return address
        # Each proxy appends the address that it sees, and a client can send anything before those.
        for text in reversed([part.strip() for value in forwarded for part in value.split(",")]):
            named = _address(text)
            if named is None:
                break
            address = named
            if not self._is_trusted(address):
                break
        return address

    def _is_trusted(self, address: Address | None) -> bool:
        if address is None:
            return self._has_unix
        return any(address.version == network.version and address in network for network in self._networks)


def cut(text: str | None, most: int) -> str | None:
    """Return a text as it can be recorded, at most so many characters; None for one that shows nothing."""
    if not isinstance(text, str):
        return text  # acting_as refuses what is not a text
    readable = text.replace("\0", "").encode("utf-8", "replace").decode()[:most]
    return readable if has_visible(readable) else None


def _address(text: str) -> Address | None:
    """Return an address, also one with a port; None for anything else."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return parse_address(bare)
    except ValueError:
        return None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise UsageError(
            f"{in_quotes(text)} is not an address or network", hint="Write 10.0.0.7, 10.0.0.0/8 or unix."
        ) from None

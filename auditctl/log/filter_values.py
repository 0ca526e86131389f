"""Parses the values of filters, one function for each kind. Pure; a value that is not valid raises UsageError."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from auditctl.actions import Action, suggestion
from auditctl.addresses import parse_network
from auditctl.errors import UsageError
from auditctl.names import SYSTEM_USER
from auditctl.text import in_quotes

MAX_EVENT = 2**63 - 1
MAX_XACT = 2**64 - 1
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class User:
    """A user to search for.

    Attributes:
        name: The name; None for the system, which has none.
        as_actor: Whether to find events with this actor.
        as_login: Whether to find events that came through the database login of this name.
    """

    name: str | None
    as_actor: bool = True
    as_login: bool = True


def require_storable(name: str, value: str, *, may_be_empty: bool = False) -> None:
    """Make sure that the log could contain a text.

    Args:
        name: The name of the value in the message, such as `filter id`.
        value: The text.
        may_be_empty: Whether an empty text is a value.

    Raises:
        UsageError: It is empty, has a NUL byte or is not Unicode.
    """
    if not value and not may_be_empty:
        raise UsageError(f"the {name} is empty", hint="Leave it out to select everything." if "filter" in name else "")
    if "\0" in value:
        raise UsageError(f"the {name} has a NUL byte, which no value in the log has")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the {name} is not valid UTF-8") from None


def text(value: str) -> str:
    """Return the text as it is."""
    return value


def user(value: str) -> User:
    """Parse `System`, `actor:NAME`, `login:NAME`, or a NAME that counts as either."""
    if value == SYSTEM_USER:
        return User(None)
    kind, colon, name = value.partition(":")
    if not colon or kind not in ("actor", "login"):
        return User(value)
    if not name:
        raise UsageError(f"{in_quotes(value)} has no name", hint=f"Write {kind}:NAME.")
    return User(name, as_actor=kind == "actor", as_login=kind == "login")


def action(value: str) -> Action:
    """Parse an action, in any case."""
    try:
        return Action(value.upper())
    except ValueError:
        message = f"{in_quotes(value)} is not an action{suggestion(value)}"
        raise UsageError(message, hint=f"Actions: {', '.join(Action)}.") from None


def network(value: str) -> IPv4Network | IPv6Network:
    """Parse an address, or a network in CIDR notation, as `addresses.parse_network` does."""
    try:
        # The database knows no zones, such as fe80::1%eth0.
        return parse_network("" if "%" in value else value)
    except ValueError:
        raise UsageError(
            f"{in_quotes(value)} is not an address or network",
            hint="Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32.",
        ) from None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction.

    Attributes:
        number: Its number, 0 to 2^64 - 1.
        event: The event_id of an event that it wrote, in a log with transactions of several clusters; None otherwise.
        first: The event_id of the first event that its cluster may have written; None without a bound.
        end: The event_id before which its cluster wrote; None without a bound.
    """

    number: int
    event: int | None = None
    first: int | None = None
    end: int | None = None


def xact(value: str) -> Transaction:
    """Parse the number of a transaction, 0 to 2^64 - 1, or `NUMBER@EVENT`."""
    number, at, event = value.partition("@")
    if _NUMBER.fullmatch(number) and int(number) <= MAX_XACT:
        if not at:
            return Transaction(int(number))
        if _NUMBER.fullmatch(event) and int(event) <= MAX_EVENT:
            return Transaction(int(number), int(event))
    raise UsageError(
        f"{in_quotes(value)} is not a transaction number", hint="Take it from the column xact_id of an export."
    )


def pair(value: str) -> tuple[str, str]:
    """Parse KEY=VALUE; the first equals sign is the separator, and the value may be empty."""
    name, equals, content = value.partition("=")
    if not name or not equals:
        raise UsageError(f"{in_quotes(value)} is not KEY=VALUE", hint="For example: request_id=4f2a")
    return name, content

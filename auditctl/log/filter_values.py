"""Parses the values of filters, one function for each kind. Pure; a value that is not valid raises UsageError."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from auditctl.actions import Action, suggestion
from auditctl.addresses import parse_network
from auditctl.errors import UsageError
from auditctl.log.filter_text import text_of
from auditctl.names import SYSTEM_USER
from auditctl.text import did_you_mean, in_quotes

MAX_EVENT = 2**63 - 1
MAX_XACT = 2**64 - 1
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_SMALL_NUMBER = re.compile(r"-?[0-9]{1,1000}(\.[0-9]{1,1000})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_OPENINGS = tuple("-0123456789[{")
"""What a JSON number, array or object begins with as PostgreSQL writes it."""

_QUOTED_KEY = re.compile(r'"(?P<key>(?:[^"]|"")+)"=(?P<value>.*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class User:
    """A user to search for.

    Attributes:
        name: The name; None for the system, which has none.
        as_actor: Whether to find events with this actor.
        as_login: Whether to find events that came through the database login of this name.
        kind: The only kind of actor to find; None for any.
        spellings: The names in the log that it means; empty before it is looked up.
        is_known: Whether the log or the server has such a user; True before it is looked up.
    """

    name: str | None
    as_actor: bool = True
    as_login: bool = True
    kind: str | None = None
    spellings: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def is_exact(self) -> bool:
        """Whether it was written in a form that means one name only."""
        return not (self.as_actor and self.as_login)

    @property
    def names(self) -> tuple[str, ...]:
        """The names to search for; empty for the system."""
        return self.spellings or (() if self.name is None else (self.name,))


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


USER_FORMS: dict[str, Callable[[str], User]] = {
    "actor": lambda name: User(name, as_login=False),
    "application": lambda name: User(name, as_login=False, kind="application"),
    "login": lambda name: User(name, as_actor=False),
}
"""The prefixes that say what a name is; `@` stands for a login that acts in its own name."""

KINDS = ("application", "database", "system")
"""The kinds of users, as type auditctl.actor_kind has them."""


def user(value: str) -> User:
    """Parse `System`, `(System)`, `@LOGIN`, a prefix with a name, or a NAME that counts as actor and login."""
    if value == SYSTEM_USER or value.lower() == f"({SYSTEM_USER.lower()})":
        return User(None)
    if value.startswith("@") and len(value) > 1:
        return User(value[1:], as_login=False, kind="database")
    form, colon, name = value.partition(":")
    if not colon or form not in USER_FORMS:
        return User(value)
    if not name:
        raise UsageError(f"{in_quotes(value)} has no name", hint=f"Write {form}:NAME.")
    return USER_FORMS[form](name)


def exact_user(name: str, kind: str) -> str:
    """Return the text that finds exactly one user.

    Args:
        name: The event's user.
        kind: Its actor_kind.
    """
    if kind == "system":
        return SYSTEM_USER
    return text_of(f"@{name}" if kind == "database" else f"application:{name}")


def named_user(name: str) -> str:
    """Return the text that finds an actor of any kind: its name, with a prefix where the name alone means another."""
    is_plain = name.partition(":")[0] not in USER_FORMS and user(name) == User(name)
    return text_of(name if is_plain else f"actor:{name}")


def kind(value: str) -> str:
    """Parse a kind of user, in any case."""
    if value.lower() in KINDS:
        return value.lower()
    message = f"{in_quotes(value)} is not a type of user"
    raise UsageError(message, hint=did_you_mean(value.lower(), KINDS) or f"Types of users: {', '.join(KINDS)}.")


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
    """Parse KEY=VALUE; the value may be empty.

    The first equals sign is the separator, unless the key is in double quotes, where two stand for one.
    """
    if quoted := _QUOTED_KEY.fullmatch(value):
        return quoted["key"].replace('""', '"'), quoted["value"]
    name, equals, content = value.partition("=")
    if not name or not equals:
        raise UsageError(
            f"{in_quotes(value)} is not KEY=VALUE",
            hint='Write it as key=value, for example request_id=4f2a. With an equals sign in the key: "a=b"=4f2a',
        )
    return name, content


@dataclass(frozen=True, slots=True)
class Reason:
    """A text to find in reasons.

    Attributes:
        text: The text.
        ascii_databases: The databases whose `lower` changes letters of ASCII alone; empty before it is looked up.
    """

    text: str
    ascii_databases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """A column, and a value to find in it.

    Attributes:
        column: The name of the column.
        text: The value as text.
        documents: The JSON values that it means: the text; and, where the text is JSON, what that is.
    """

    column: str
    text: str
    documents: tuple[str, ...]


def column_value(value: str) -> ColumnValue:
    """Parse COLUMN=VALUE, as `pair` does: a VALUE such as 5 means the number and the text, `"5"` the text alone."""
    column, text = pair(value)
    documents = [json.dumps(text, ensure_ascii=False)]
    if _is_json(text):
        # Some documents are wrapped: see auditctl_internal.document_needs_wrapping.
        documents += [text, f'{{"$json": {text}}}'] if text[0] in "{n" else [text]
    return ColumnValue(column, text, tuple(documents))


def json_values(text: str) -> tuple[str, ...] | None:
    """Return the JSON values that have a text: the text itself, and what it is as JSON.

    Returns:
        At least one; None where the text may be JSON of which the database alone knows whether it is.
    """
    string = json.dumps(text, ensure_ascii=False)
    if _is_json(text):
        return string, text
    return None if text[:1] in _OPENINGS else (string,)


def _is_json(text: str) -> bool:
    """Return whether the database takes a text for JSON, with numbers that are not too large."""
    try:
        # As lists of pairs, so that repeated keys stay.
        value = json.loads(text, parse_constant=_refuse, parse_float=_number, parse_int=_number, object_pairs_hook=list)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def _number(text: str) -> float:
    if not _SMALL_NUMBER.fullmatch(text):
        raise ValueError(text)
    return 0.0


def _refuse(text: str) -> float:
    raise ValueError(text)

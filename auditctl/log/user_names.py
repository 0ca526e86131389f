"""Finds users by name: how the log spells a name, names like one that it does not have, and names with a prefix.

All by a few probes of an index.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg.rows import class_row

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.display import shown_as
from auditctl.errors import UsageError
from auditctl.log.filter_text import text_of
from auditctl.log.filter_values import User, named_user
from auditctl.names import SYSTEM_USER
from auditctl.text import did_you_mean, in_quotes

PROBES = 40
"""How many probes of the index one spelling of a prefix may take, unless more names are asked for."""

MAX_COMPARED = 300
"""Up to this many actors are compared with a name that nobody has; of more, those that begin like it."""

_BEGINNING = 2
"""How many characters those have in common."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name that the log or the server has.

    Attributes:
        name: The name.
        kind: The kind of the actor of that name; None without one.
        is_login: Whether a login has it.
    """

    name: str
    kind: str | None
    is_login: bool

    def is_of(self, user: User) -> bool:
        """Return whether the log or the server has the user by this name."""
        is_actor = self.kind is not None and user.as_actor and user.kind in (None, self.kind)
        return is_actor or (self.is_login and (user.as_login or user.kind == "database"))


class Users(ABC):
    """The users that events have, and the logins of the server, if it is at hand."""

    @abstractmethod
    def spelled(self, names: Sequence[str]) -> list[Spelling]:
        """Return those of some names that users or logins have."""

    @abstractmethod
    def actors_like(self, name: str) -> set[str]:
        """Return actors to compare with a name, all that differ in case included if they are few."""

    @abstractmethod
    def logins(self) -> set[str]:
        """Return logins to compare with a name."""


class DatabaseUsers(Users):
    """The users of a database's log.

    Args:
        conn: A connection of a reader.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def spelled(self, names: Sequence[str]) -> list[Spelling]:
        """Return those of some names that users or logins have (queries/user_spelling.sql)."""
        query = resources.sql_text("queries/user_spelling.sql").encode()
        with read_transaction(self._conn), self._conn.cursor(row_factory=class_row(Spelling)) as cursor:
            return cursor.execute(query, {"names": list(names)}).fetchall()

    def actors_like(self, name: str) -> set[str]:
        """Return actors to compare with a name: all if they are few, else those that begin like it."""
        names = _actors(self._conn, "", MAX_COMPARED)
        return names if len(names) < MAX_COMPARED else names | _actors(self._conn, name[:_BEGINNING], MAX_COMPARED)

    def logins(self) -> set[str]:
        """Return the logins of the server; of very many, some."""
        return _logins(self._conn, "", MAX_COMPARED)


def resolve(users: Users, user: User) -> User:
    """Return the user with the names that events have.

    A name as the pages show it means what is shown. A bare name that nobody has is taken in any case.

    Raises:
        UsageError: Nobody has the name, and several have it in another case.
        DatabaseError: The login may not read the log.
    """
    if user.name is None:
        return user
    names = shown_as(user.name)
    cased = [] if user.is_exact else [user.name.lower(), user.name.upper(), user.name.capitalize(), user.name.title()]
    found: dict[str, list[Spelling]] = {}
    for row in users.spelled(list(dict.fromkeys([*names, *cased]))):
        found.setdefault(row.name, []).append(row)
    given = tuple(name for name in names if name in found)
    if user.is_exact:
        given = given[:1]
    if given or user.is_exact:
        return replace(
            user, spellings=given or names, is_known=any(row.is_of(user) for name in given for row in found[name])
        )
    others = set(found) | {name for name in users.actors_like(user.name) if name.lower() == user.name.lower()}
    if len(others) > 1:
        raise UsageError(
            f"{in_quotes(user.name)} may mean {' or '.join(map(named_user, sorted(others)))}",
            hint="Write the name as the log has it.",
        )
    # A login that was dropped may have had the name as it was written.
    return replace(user, spellings=(*names, *others), is_known=bool(others))


def similar(users: Users, user: User) -> str:
    """Return a question that names users like one that is not known; empty if it is known, or nobody is like it.

    Raises:
        DatabaseError: The login may not read the log.
    """
    if user.is_known or user.name is None:
        return ""
    known: dict[str, str] = {}
    if not user.is_exact:
        known[SYSTEM_USER.lower()] = SYSTEM_USER
    if user.as_actor:
        known |= {name.lower(): named_user(name) for name in sorted(users.actors_like(user.name))}
    if user.as_login or user.kind == "database":
        mark = "@" if user.kind else "login:" if user.is_exact else ""
        logins = sorted(users.logins())
        known |= {name.lower(): text_of(mark + name) if mark else named_user(name) for name in logins}
    return did_you_mean(user.name.lower(), known, most=3)


def suggest(conn: Connection, prefix: str, limit: int = 20) -> list[str]:
    """Return values of the filter user for the names that begin with a prefix, sorted without regard to case.

    Actors are found by the prefix as given, in lower case, in upper case and capitalized (queries/actor.sql); logins in
    any case (queries/login.sql). An actor whose name the filter would read as something else comes as `actor:NAME`.
    Where very many names share the prefix, some may be missing.

    Args:
        conn: The connection.
        prefix: How the name begins, or how `@LOGIN` or `(System)` does; empty for any.
        limit: The maximum number of names.

    Raises:
        DatabaseError: The login may not read the log.
    """
    if not _is_storable(prefix):
        return []
    names = {name for name in (SYSTEM_USER, f"({SYSTEM_USER})") if name.lower().startswith(prefix.lower())}
    if prefix:
        names.discard(f"({SYSTEM_USER})" if prefix[0] != "(" else "")
    names |= {named_user(name) for name in _actors(conn, prefix, limit)}
    names |= {name for name in _logins(conn, prefix, limit) if named_user(name) == name}
    if prefix.startswith("@"):
        names |= {f"@{name}" for name in _logins(conn, prefix[1:], limit)}
    return sorted(names, key=lambda name: (name.lower(), name))[:limit]


def _actors(conn: Connection, prefix: str, limit: int) -> set[str]:
    query = resources.sql_text("queries/actor.sql").encode()
    parameters = {"prefix": prefix, "limit": limit, "probes": max(PROBES, 2 * limit)}
    starts = dict.fromkeys((prefix, prefix.lower(), prefix.upper(), prefix.capitalize()))
    with read_transaction(conn):
        return {name for start in starts for (name,) in conn.execute(query, {**parameters, "start": start}) if name}


def _logins(conn: Connection, prefix: str, limit: int) -> set[str]:
    query = resources.sql_text("queries/login.sql").encode()
    with read_transaction(conn):
        return {name for (name,) in conn.execute(query, {"prefix": prefix, "limit": limit})}


def _is_storable(prefix: str) -> bool:
    """Return whether a text in the database can begin like this: no NUL, no half of a character."""
    return "\0" not in prefix and not any("\ud800" <= letter <= "\udfff" for letter in prefix)

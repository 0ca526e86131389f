"""Suggests values of the filter user: actors and logins with a given prefix, by a few probes of an index."""

from __future__ import annotations

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.names import SYSTEM_USER

PROBES = 40
"""How many probes of the index one spelling of a prefix may take, unless more names are asked for."""


def suggest(conn: Connection, prefix: str, limit: int = 20) -> list[str]:
    """Return values of the filter user for the names that begin with a prefix, sorted without regard to case.

    Actors are found by the prefix as given, in lower case, in upper case and capitalized (queries/actor.sql); logins in
    any case (queries/login.sql). An actor whose name the filter would read as something else comes as `actor:NAME`.
    Where very many names share the prefix, some may be missing.

    Args:
        conn: The connection.
        prefix: How the name begins; empty for any.
        limit: The maximum number of names.

    Raises:
        DatabaseError: The login may not read the log.
    """
    if not _is_storable(prefix):
        return []
    parameters = {"prefix": prefix, "limit": limit, "probes": max(PROBES, 2 * limit)}
    actors, logins = (resources.sql_text(f"queries/{name}.sql").encode() for name in ("actor", "login"))
    names: set[str] = set()
    with read_transaction(conn):
        for start in dict.fromkeys((prefix, prefix.lower(), prefix.upper(), prefix.capitalize())):
            names |= {_unambiguous(name) for (name,) in conn.execute(actors, {**parameters, "start": start}) if name}
        names |= {name for (name,) in conn.execute(logins, parameters) if _unambiguous(name) == name}
    if SYSTEM_USER.lower().startswith(prefix.lower()):
        names.add(SYSTEM_USER)
    return sorted(names, key=lambda name: (name.lower(), name))[:limit]


def _is_storable(prefix: str) -> bool:
    """Return whether a text in the database can begin like this: no NUL, no half of a character."""
    return "\0" not in prefix and not any("\ud800" <= letter <= "\udfff" for letter in prefix)


def _unambiguous(name: str) -> str:
    kind, colon, _ = name.partition(":")
    return f"actor:{name}" if name == SYSTEM_USER or (colon and kind in ("actor", "login")) else name

"""What somebody who types the value of a filter may mean: names the log knows, found by a few probes of an index."""

from __future__ import annotations

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names
from auditctl.names import SYSTEM_USER

PROBES = 40
"""How many names the index is asked for in one spelling of a prefix, at most; more where more names are wanted."""


def users(conn: Connection, prefix: str, limit: int = 20) -> list[str]:
    """Return what the filter user takes for those whose names begin with a prefix, in the order of the alphabet.

    Actors are found by the spellings as given, in lower case, in upper case and with a capital (queries/actor.sql);
    logins in any (queries/login.sql). An actor whose name the filter would take for something else comes as
    `actor:NAME`. Some may be missing where very many begin so.

    Args:
        conn: The connection.
        prefix: How the name begins; empty for any.
        limit: How many at most.

    Raises:
        DatabaseError: The login may not read the log.
    """
    if not _is_text(prefix):
        return []
    wanted = {"prefix": prefix, "limit": limit, "probes": max(PROBES, 2 * limit)}
    actors, logins = (resources.sql_text(f"queries/{name}.sql").encode() for name in ("actor", "login"))
    found: set[str] = set()
    with read_transaction(conn):
        for start in dict.fromkeys((prefix, prefix.lower(), prefix.upper(), prefix.capitalize())):
            found |= {_unmistakable(name) for (name,) in conn.execute(actors, {**wanted, "start": start}) if name}
        found |= {name for (name,) in conn.execute(logins, wanted) if _unmistakable(name) == name}
    if SYSTEM_USER.lower().startswith(prefix.lower()):
        found.add(SYSTEM_USER)
    return _first(found, limit)


def targets(conn: Connection, prefix: str, limit: int = 20) -> list[str]:
    """Return the names and labels of targets that begin with a prefix, in any case, in the order of the alphabet.

    A name is also found by the table's name without its schema.

    Raises:
        DatabaseError: The login may not read the log.
    """
    if not _is_text(prefix):
        return []
    start, found = prefix.lower(), set()
    for target in target_names.targets(conn):
        if target.name.lower().startswith(start) or target.table.lower().startswith(start):
            found.add(target.name)
        if target.label and target.label.lower().startswith(start):
            found.add(target.label)
    return _first(found, limit)


def _is_text(prefix: str) -> bool:
    """Return whether a text in the database can begin so: no NUL, no half of a character."""
    return "\0" not in prefix and not any("\ud800" <= letter <= "\udfff" for letter in prefix)


def _unmistakable(name: str) -> str:
    kind, colon, _ = name.partition(":")
    return f"actor:{name}" if name == SYSTEM_USER or (colon and kind in ("actor", "login")) else name


def _first(found: set[str], limit: int) -> list[str]:
    return sorted(found, key=lambda name: (name.lower(), name))[:limit]

"""Reads when types of business events were switched off, from the events about them.

Source: queries/event_type_history.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from auditctl import resources
from auditctl.capture.outages import Gap
from auditctl.database import Connection
from auditctl.names import OWN_EVENT_TYPES

Change = tuple[datetime, str, str, bool]
"""When, who, the name of the type, and whether its events were recorded from then on."""


def read(conn: Connection) -> dict[str, list[Gap]]:
    """Return the times that are over in which a type was switched off, by its name or glob.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return gaps(conn.execute(resources.sql_text("queries/event_type_history.sql").encode()).fetchall())


def gaps(changes: Iterable[Change]) -> dict[str, list[Gap]]:
    """Return the times that are over, by the name of the type; the changes are in order."""
    found: dict[str, list[Gap]] = defaultdict(list)
    off: dict[str, tuple[datetime, str]] = {}
    for at, who, name, is_on in changes:
        if not is_on:
            off.setdefault(name, (at, who))
        elif name in off:
            since, author = off.pop(name)
            found[name].append(Gap(since, at, f"switched off by {author}"))
    return dict(found)


def is_meant(name: str, target: str) -> bool:
    """Return whether a type, or a glob over types, means a target; no glob means auditctl's own."""
    is_own = target in OWN_EVENT_TYPES
    return name == target or (not is_own and fnmatchcase(target, name.replace("[", "[[]")))

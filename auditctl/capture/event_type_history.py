"""Reads when business events were switched off, from the events about their types.

Source: queries/event_type_history.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from psycopg.rows import class_row

from auditctl import own_events, resources
from auditctl.capture.outages import Gap
from auditctl.database import Connection

_OWN = "auditctl."
"""How the names of auditctl's own events begin."""

Change = tuple[datetime, str, str, bool | None]
"""When, who, the name of the type, and whether it recorded its events from then on; None for one that was removed."""


@dataclass(frozen=True, slots=True)
class TypeEvent:
    """A row of queries/event_type_history.sql."""

    event_id: int
    at: datetime
    subject: str
    who: str
    before: Any
    after: Any


def read(conn: Connection) -> list[TypeEvent]:
    """Return what the log has of the types, oldest first. Raises DatabaseError if the login may not read it."""
    cursor = conn.cursor(row_factory=class_row(TypeEvent))
    return cursor.execute(resources.sql_text("queries/event_type_history.sql").encode()).fetchall()


def switched_off(events: Iterable[TypeEvent], targets: Sequence[str] | None = None) -> dict[str, list[Gap]]:
    """Return the times in which business events were switched off; one without an end lasts.

    Args:
        events: What `read` returns.
        targets: Whose events; None for the types themselves, by their names and globs.
    """
    changes = _changes(events)
    return gaps(changes if targets is None else of_targets(changes, targets))


def _changes(events: Iterable[TypeEvent]) -> Iterator[Change]:
    """Yield what each event changed, of the former name of a type and of the present one; nothing of one forged."""
    for event in own_events.as_recorded(events):
        name, enabled = (event.after["name"], event.after["enabled"]) if event.after is not None else (None, None)
        if event.before is not None and event.before["name"] != name:
            yield event.at, event.who, event.before["name"], None
        if name is not None:
            yield event.at, event.who, name, enabled


def gaps(changes: Iterable[Change]) -> dict[str, list[Gap]]:
    """Return the times in which each name was switched off; the changes are in order."""
    found: dict[str, list[Gap]] = defaultdict(list)
    off: dict[str, tuple[datetime, str]] = {}
    for at, who, name, enabled in changes:
        if enabled is False:
            off.setdefault(name, (at, who))
        elif name in off:
            since, author = off.pop(name)
            found[name].append(Gap(since, at, f"switched off by {author}"))
    for name, (since, author) in off.items():
        found[name].append(Gap(since, None, f"switched off by {author}"))
    return dict(found)


def of_targets(changes: Iterable[Change], targets: Sequence[str]) -> Iterator[Change]:
    """Yield what changes of types meant for targets, as changes of these: of several types, one decides."""
    types: dict[str, bool] = {}
    for at, who, name, enabled in changes:
        types.pop(name, None)
        if enabled is not None:
            types[name] = enabled
        yield from ((at, who, target, _is_recorded(types, target)) for target in targets if _is_meant(name, target))


def _is_recorded(types: Mapping[str, bool], target: str) -> bool | None:
    """Return what the deciding type says, as auditctl.deciding_type does; None without one."""
    meant = [name for name in types if _is_meant(name, target)]
    name = min(meant, key=lambda name: (name != target, -len(name), name.encode()), default=None)
    return None if name is None else types[name]


def _is_meant(name: str, target: str) -> bool:
    """Return whether a type, or a glob over types, means a target; no glob means auditctl's own."""
    is_own = target.startswith(_OWN)
    return name == target or (not is_own and fnmatchcase(target, name.replace("[", "[[]")))

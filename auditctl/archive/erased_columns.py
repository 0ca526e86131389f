"""Divides the columns to erase among groups of events: those in the table, and those in each archived month.

Each group is erased by itself, and refuses a column that none of its events has; a column need be in one group only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from auditctl.database import Connection
from auditctl.evidence import canonical
from auditctl.evidence.canonical import UNITS, Fields

Names = frozenset[str] | None
"""The columns of audited tables that events have values of; None if some values were erased whole, so any could be."""

_TABLE = "select e.old_values, e.new_values from auditctl.event as e where e.event_id = any (%s::bigint[])"
_IMAGES = ("old_values", "new_values")
_ERASED = {"$erased": True}


def of_table(conn: Connection, numbers: Sequence[int]) -> Names:
    """Return what events of the table have values of. Raises DatabaseError if the login may not read the log."""
    return _names(image for row in conn.execute(_TABLE, [list(numbers)]) for image in row)


def of_archived(events: Iterable[Fields]) -> Names:
    """Return what archived events have values of."""
    places = [canonical.COLUMNS.index(name) for name in _IMAGES]
    return _names(parsed(fields[place]) for fields in events for place in places)


def parsed(document: str | bytes | None) -> object:
    """Return an image, with its numbers as the text that they are: Python reads no integer of any length."""
    return json.loads(document or "null", parse_int=str, parse_float=str)


def divide(columns: Sequence[str], groups: Sequence[Names]) -> list[Sequence[str] | None]:
    """Return the columns to erase of each group; None for a group that has none of them.

    Args:
        columns: As `retention.erasure.plan` takes them; none for all values.
        groups: What the events of each group have. A column that no group has stays in all, to be refused there.
    """
    if any(not any(_has(names, column) for names in groups) for column in columns):
        return [columns] * len(groups)
    chosen = [[column for column in columns if _has(names, column)] for names in groups]
    return [some if some or not columns else None for some in chosen]


def _names(images: Iterable[object]) -> Names:
    found: set[str] = set()
    for image in images:
        if image == _ERASED:
            return None
        if isinstance(image, dict):
            found |= image.keys()
    return frozenset(found)


def _has(names: Collection[str] | None, column: str) -> bool:
    return names is None or column.startswith("event.") or column in UNITS or column.removeprefix("values.") in names

"""Defines a transaction with its selected events, and what it did with them, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditctl.actions import Action
from auditctl.text import plural

MAX_PARTS = 2
"""How many parts a sentence names."""

MAX_COLUMNS = 3
"""How many changed columns it names of a part."""


ERASED = "$erased"
"""What an event has in place of columns whose values were erased."""


@dataclass(frozen=True, slots=True)
class Part:
    """The events of a transaction with one target and action.

    Attributes:
        target: The registered name of the target.
        action: The action, as events are counted by it.
        events: How many there are, at least 1.
        columns: The columns that updates changed, by name; None where they were not read.
    """

    target: str
    action: Action
    events: int
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many selected events a transaction has, and where they are.

    Attributes:
        number: The transaction's number.
        events: How many events, at least 1.
        first_event_id, last_event_id: Their smallest and largest event_id.
        first_at, last_at: The earliest and latest time, aware.
        parts: What they are, most first; None if not known yet.
        is_of_one_user: Whether all have one actor; None if not known yet.
    """

    number: int
    events: int
    first_event_id: int
    last_event_id: int
    first_at: datetime
    last_at: datetime
    parts: tuple[Part, ...] | None = None
    is_of_one_user: bool | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A transaction of a list.

    Attributes:
        count: Its selected events, with their parts.
        name: Its number, as the filter xact takes it: `700`, or `700@EVENT` in a log of several clusters.
        others: How many other events it has, as far as upkeep has counted them; 0 where not.
        newest: The columns of the latest of its selected events, as the caller's projection returns them.
        labels: The labels of targets, by name.
    """

    count: Count
    name: str
    others: int
    newest: tuple[Any, ...]
    labels: Mapping[str, str]

    @property
    def details(self) -> str:
        """What it did: `updated 10,000 Invoices: memo; created 1 Note`."""
        parts = self.count.parts or ()
        named = [phrase(part, self.labels.get(part.target, part.target)) for part in parts[:MAX_PARTS]]
        if rest := sum(part.events for part in parts[MAX_PARTS:]):
            named.append(f"and {plural(rest, 'more event')}")
        if self.others:
            named.append(f"beside {plural(self.others, 'event')} that the filters leave out")
        return "; ".join(named)


_OF_WHOLE = {Action.TRUNCATE: "truncated", Action.READ: "read", Action.EVENT: "recorded"}
_OF_ROWS = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted", Action.BASELINE: "found"}


def phrase(part: Part, label: str) -> str:
    """Return what the events of a part did, such as `updated 10,000 Invoices: memo, status`.

    Args:
        part: The part.
        label: How people call its target.
    """
    if verb := _OF_WHOLE.get(part.action):
        return f"{verb} {label}" + (f" {part.events:,} times" if part.events > 1 else "")
    changed = [name for name in part.columns or () if name != ERASED]
    columns = f": {_listed(changed)}" if changed else ""
    return f"{_OF_ROWS[part.action]} {_counted(part.events, label)}{columns}"


def _counted(events: int, label: str) -> str:
    """Return a number of rows: `2 Invoices`, or `2 rows of billing.invoice` where a plural would be guessed."""
    if not (label.replace(" ", "").isascii() and label.replace(" ", "").isalpha() and label[-1:].islower()):
        return f"{plural(events, 'row')} of {label}"
    if label.endswith(("s", "x", "z", "ch", "sh")):
        return plural(events, label, f"{label}es")
    return plural(events, label, f"{label[:-1]}ies" if label.endswith("y") and label[-2:-1] not in "aeiou" else "")


def _listed(columns: Sequence[str]) -> str:
    if len(columns) <= MAX_COLUMNS:
        return ", ".join(columns)
    return f"{', '.join(columns[:MAX_COLUMNS])} and {plural(len(columns) - MAX_COLUMNS, 'more column')}"

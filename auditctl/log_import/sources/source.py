"""What a source of reads in the server's log is, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from auditctl.log_import.records import Record


@dataclass(frozen=True, slots=True)
class Read:
    """A read that a record tells of, by the table's name at that time.

    Attributes:
        record: The record.
        relation: Schema and table, or None where the record names none.
        statement: Which statement of the session, so that a table it names twice is read once.
        source: What the event says of where it comes from.
        context: More for the event's context.
        query: The statement's text, or None.
    """

    record: Record
    relation: tuple[str, str] | None
    statement: str
    source: str
    context: Mapping[str, Any] = field(default_factory=dict)
    query: str | None = None


@dataclass(frozen=True, slots=True)
class OwnRead:
    """A read that auditctl's policy wrote into the log; the database checks its keyed hash.

    Attributes:
        record: The record.
        json: The JSON object as it was written.
        target: The registered table it names.
        at: When the read was, as it says.
    """

    record: Record
    json: str
    target: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Forged:
    """A record that looks like one of the source's, and that a login made the server write.

    Attributes:
        record: The record.
    """

    record: Record


@dataclass(frozen=True, slots=True)
class Source:
    """A source.

    Attributes:
        name: What `context.source` of its events begins with.
        mark: What its messages begin with.
        read: Returns what a record says; None where it says nothing of reads.
    """

    name: str
    mark: str
    read: Callable[[Record], Read | OwnRead | Forged | None]

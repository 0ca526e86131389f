"""Defines a source of reads in the server's log, and the values that it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from auditctl.log_import.records import Record


@dataclass(frozen=True, slots=True)
class Read:
    """A read in a line of pgaudit, under the name that the table had then.

    Attributes:
        record: The record.
        relation: Schema and table; None if the record names no table.
        statement: Number of the statement in its session, so that a table it names twice counts once.
        source: The event's `context.source`.
        context: More keys of the event's context.
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
    """A read in a line of auditctl's policy, whose keyed hash the database checks.

    Attributes:
        record: The record.
        json: The JSON object, unchanged.
        target: The audited table.
        at: When the table was read.
    """

    record: Record
    json: str
    target: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ForgedRecord:
    """A record that looks like the source's, but that a login made the server write.

    Attributes:
        record: The record.
    """

    record: Record


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of log message about reads.

    Attributes:
        name: What `context.source` of its events begins with.
        mark: What its messages begin with.
        read: Returns the read of a record; None if the record is not about a read.
    """

    name: str
    mark: str
    read: Callable[[Record], Read | OwnRead | ForgedRecord | None]

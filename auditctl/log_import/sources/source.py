"""Defines a kind of message in the server's log that becomes an event, and the values that it returns."""

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
class Activity:
    """What a record says other than a read: it becomes an event of one of auditctl's own targets.

    Attributes:
        record: The record.
        target: The event's target, one of `TARGETS`.
        outcome: The event's `context.outcome`: `done`, `refused` or `failed`.
        source: The event's `context.source`.
        summary: What happened, in one line.
        login: Who: the session's login, or the name under which somebody tried to log in; empty if unknown.
        name: What it is about, the event's `target_id`; None if unknown.
        statement: Number of the statement in its session, if that identifies the record; else empty.
        is_global: Whether it concerns the whole server, whichever database the session was in.
        context: More keys of the event's context.
        query: The statement's text, or None.
    """

    record: Record
    target: str
    outcome: str
    source: str
    summary: str
    login: str
    name: str | None = None
    statement: str = ""
    is_global: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)
    query: str | None = None


@dataclass(frozen=True, slots=True)
class ForgedRecord:
    """A record that looks like the source's, but that a login made the server write.

    Attributes:
        record: The record.
    """

    record: Record


@dataclass(frozen=True, slots=True)
class UnverifiableRecord:
    """A record that looks like the source's, in a format that does not show whether a login made the server write it.

    Attributes:
        record: The record.
    """

    record: Record


Entry = Read | OwnRead | Activity | ForgedRecord | UnverifiableRecord
"""What a source returns of a record."""


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of log message.

    Attributes:
        name: What it is called.
        marks: Byte strings of which each of its records has one, unless it has one of the states.
        states: The SQLSTATEs of its records.
        words: Byte strings of which a record has one in formats without the SQLSTATE.
        read: Returns what a record says; None if it is not of this source.
        targets: The targets of its events, and what one and several of them are called, where they are auditctl's own.
    """

    name: str
    read: Callable[[Record], Entry | None]
    marks: tuple[bytes, ...] = ()
    states: tuple[str, ...] = ()
    words: tuple[bytes, ...] = ()
    targets: Mapping[str, tuple[str, str]] = field(default_factory=dict)

"""Reads the types of business events, and plans the changes that make them those of a file.

A type has the name of the target that events are recorded for, or is a glob over such names. Events without a
type are recorded as well: the log must not lose an event because the configuration lacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row
from psycopg.sql import SQL

from auditctl import resources
from auditctl.actions import Action
from auditctl.capture.model import EventType, Statement
from auditctl.capture.plan import Change, ChangeKind
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import FORM, STORED, where
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class Types:
    """The types in the database and those of a file.

    Attributes:
        stored: The types in the database.
        from_file: The types of the file, or those that a form leads to; None for a file without [[event]], so that they
            stay as they are.
        has_file: Whether a file states them.
    """

    stored: tuple[EventType, ...] = ()
    from_file: tuple[EventType, ...] | None = None
    has_file: bool = True

    @property
    def desired(self) -> tuple[EventType, ...]:
        """The types that should be in the database."""
        return self.stored if self.from_file is None else self.from_file


NO_TYPES = Types()


@dataclass(frozen=True, slots=True)
class EventStatus:
    """Whether one type of business event is recorded.

    Attributes:
        name: The target, or a glob of a stored type.
        label: The label, or None.
        enabled: Whether it is recorded.
        decided_by: The name of the stored type that decides it, which may be a glob; None for none.
        set_by: Who set it, or None.
        set_at: When, in ISO 8601, or None.
    """

    name: str
    label: str | None
    enabled: bool
    decided_by: str | None
    set_by: str | None
    set_at: str | None


def read(conn: Connection) -> tuple[EventType, ...]:
    """Return the types stored in the database, by name.

    Raises:
        DatabaseError: The login may not read auditctl.event_type.
    """
    query = 'select name, label, enabled, %s as origin from auditctl.event_type order by name collate "C"'
    return tuple(conn.cursor(row_factory=class_row(EventType)).execute(query, [STORED]))


def status(conn: Connection) -> list[EventStatus]:
    """Return every stored type and every target that only business events have (queries/event_type.sql).

    Returns:
        Sorted by name; empty if no type is stored and no business event was recorded.

    Raises:
        DatabaseError: The login may not read the log.
    """
    names = SQL(resources.sql_text("queries/event_target.sql"))
    query = SQL(resources.sql_text("queries/event_type.sql")).format(event_target=names)
    return conn.cursor(row_factory=class_row(EventStatus)).execute(query).fetchall()


def deciding(conn: Connection, name: str) -> EventType | None:
    """Return the stored type that decides whether events of a target are recorded; None if none does.

    Raises:
        DatabaseError: The login may not read auditctl.event_type.
    """
    query = (
        "select t.name, t.label, t.enabled, %s as origin from auditctl.deciding_type(%s) as t where t.name is not null"
    )
    return conn.cursor(row_factory=class_row(EventType)).execute(query, [STORED, name]).fetchone()


def changes(types: Types) -> Iterator[Change]:
    """Yield the changes by name: types to delete first, then the others."""
    stored = {event_type.name: event_type for event_type in types.stored}
    desired = {event_type.name: event_type for event_type in types.desired}
    for name in sorted(stored.keys() - desired.keys()):
        statement = sql.SQL("delete from auditctl.event_type where name = {}").format(name)
        reason = "The file does not state it." if types.has_file else "Its type is removed."
        yield _change(ChangeKind.DROP, name, reason, statement)
    for name, event_type in sorted(desired.items()):
        values = [event_type.name, event_type.label, event_type.enabled]
        if name not in stored:
            insert = sql.SQL("insert into auditctl.event_type (name, label, enabled) values ({}, {}, {})").format(
                *values
            )
            state = "" if event_type.enabled else ", switched off"
            reason = "The file states it" if types.has_file else "Its type is new"
            yield _change(ChangeKind.CREATE, name, f"{reason}{state}.", insert)
        elif stored[name] == event_type:
            yield _change(ChangeKind.KEEP, name, "It is as stated.")
        else:
            update = sql.SQL(
                "update auditctl.event_type set (label, enabled, set_by, set_at) = ({}, {}, session_user, now()) "
                "where name = {}"
            ).format(event_type.label, event_type.enabled, event_type.name)
            yield _change(ChangeKind.REPLACE, name, _difference(stored[name], event_type), update)


def find_problems(types: Types, rules: Sequence[Rule], targets: Iterable[str]) -> list[str]:
    """Return a problem for each label that two things would have; a label in force wins over a new one.

    Args:
        types: The types.
        rules: The rules for tables, which have labels too.
        targets: The names of the tables that are audited.
    """
    audited, tables = set(targets), {rule.name for rule in rules}
    problems = [
        f"{_place(event_type)}: {event_type.name} is an audited table, whose label stands in its [[table]]"
        for event_type in types.from_file or ()
        if event_type.label is not None and event_type.name in audited and event_type not in types.stored
    ]
    holders = {name: name for name in (*tables, *(event_type.name for event_type in types.desired))}
    for use in sorted(_label_uses(types, rules), key=lambda use: use.is_new):
        holder = holders.setdefault(use.label, use.name)
        if use.is_new and holder != use.name and not {holder, use.name} <= tables:
            problems.append(f"{use.place}: {use.label} is already used for {holder}")
    return problems


def notes(types: Types) -> tuple[str, ...]:
    """Return a note if a file leaves the event types in the database as they are."""
    if not types.has_file or types.from_file is not None or not types.stored:
        return ()
    count = len(types.stored)
    which = "the event type in the database stays" if count == 1 else f"the {count} event types in the database stay"
    return (f"The file has no [[event]], so {which}; to remove all, begin the file with: event = []",)


@dataclass(frozen=True, slots=True)
class _LabelUse:
    """A label of a table or event type: where it is stated, and whether it is new."""

    label: str
    name: str
    place: str
    is_new: bool


def _label_uses(types: Types, rules: Iterable[Rule]) -> Iterator[_LabelUse]:
    for rule in rules:
        if rule.label is not None:
            is_new = rule.origin != STORED and not rule.is_in_force
            yield _LabelUse(rule.label, rule.name, where(rule, "label"), is_new)
    for event_type in types.desired:
        if event_type.label is not None:
            yield _LabelUse(event_type.label, event_type.name, _place(event_type), event_type not in types.stored)


def _place(event_type: EventType) -> str:
    """Return the place of its label, for messages."""
    return "Label" if event_type.origin == FORM else f"{event_type.origin}.label"


def _change(kind: ChangeKind, name: str, reason: str, statement: sql.Composed | None = None) -> Change:
    statements = () if statement is None else (Statement(statement.as_string(None), as_owner=True),)
    return Change(kind, name, Action.EVENT, name, reason, statements, records_itself=True)


def _difference(before: EventType, after: EventType) -> str:
    if before.enabled != after.enabled:
        return f"It is switched {'on' if after.enabled else 'off'}."
    return "Its label differs."

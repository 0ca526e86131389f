"""Which events of auditctl announce which changes of capture: an event announces what it names, and nothing else.

An installation announces the store's own code, upkeep the partitions that it names, and events of auditctl.capture and
auditctl.ddl the tables that they name, with the functions of these. Sources: auditctl.event, and
sql/functions/30_capture/body.sql for the names of functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from auditctl.actions import ACTIONS
from auditctl.database import Connection
from auditctl.evidence.capture_state import full_transaction
from auditctl.table_names import qualified

STORE = "auditctl.store"
UPKEEP = "auditctl.partition"
DDL = "auditctl.ddl"
CAPTURE = "auditctl.capture"
ROLE = "auditctl.role"

_COLUMNS = "e.xact_id::text::bigint, e.new_values ->> 'written_until', e.target, e.target_id, e.new_values"

_BETWEEN = f"""
    select {_COLUMNS}
      from auditctl.event as e
     where e.action = 'EVENT' and e.target = any (%(targets)s)
       and e.xact_id::text::float8 >= %(start)s::text::float8 and e.xact_id >= %(start)s::xid8
       and not pg_visible_in_snapshot(e.xact_id, %(before)s::pg_snapshot)
       and pg_visible_in_snapshot(e.xact_id, %(after)s::pg_snapshot)
"""  # noqa: S608 - constants of ours

_ACROSS = f"""
    select {_COLUMNS}
      from auditctl.event as e
     where e.action = 'EVENT' and e.target = any (%(targets)s)
       and (e.event_id > %(sealed)s or not pg_visible_in_snapshot(e.xact_id, %(before)s::pg_snapshot))
"""  # noqa: S608 - constants of ours

_TARGETS = [STORE, UPKEEP, DDL, CAPTURE, ROLE]
_NAMING = ("relation", "joined", "parted", "left", "waits", "member", "renamed_from", "gone")
"""The keys of a change by which events of auditctl.capture and auditctl.ddl name a table or a member."""

_PARTITIONS = "auditctl.event_*"
"""What a step of a move names: it makes months, and replaces the DEFAULT partition, with tables of passing names."""

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_SUBJECT = re.compile(r'(?:"(?:[^"]|"")*"|[^" ]+) on (.*)', re.DOTALL)
_OF_LOG = re.compile(r"(?:.* on )?auditctl\.event(?:_[0-9a-z_]+)?")
_OF_STORE = re.compile(r"(?:.* on )?\"?auditctl(?:_internal|_guard|_triggers)?\"?\..*", re.DOTALL)
_OF_INSTALLATION = ("schema", "setting", "member")
_OF_TABLE = ("trigger", "function", "policy", "rule", "audited table")
_MAX_BYTES = 63
_HASH_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event that announces changes.

    Attributes:
        target: Its target.
        first: Its transaction.
        last: The last transaction that belongs to it, such as a subtransaction; `first` if it does not say.
    """

    target: str
    first: int
    last: int

    def is_of(self, made: int | None) -> bool:
        """Whether it may belong to a transaction; what vanished has none."""
        return made is None or self.first <= made <= self.last


@dataclass(frozen=True, slots=True)
class Changed:
    """An item of the state of capture that changed.

    Attributes:
        kind: The kind of item.
        name: Its name.
        calls: The functions that it called before and calls now, if it is a trigger.
        made: The transaction that wrote it; None if it vanished, or cannot be compared.
        is_rewritten: Whether nothing of it differs but who wrote it, or whether it is enabled.
    """

    kind: str
    name: str
    calls: tuple[str, ...]
    made: int | None
    is_rewritten: bool

    @property
    def names(self) -> Iterator[str]:
        """The names by which an event may name it, as they are registered."""
        yield self.name if self.kind == "member" else plain_name(table_of(self.kind, self.name))
        yield from map(plain_name, self.calls)
        if _OF_LOG.fullmatch(self.name):
            yield _PARTITIONS

    @property
    def is_own(self) -> bool:
        """Whether an installation makes it: it is of the store, and a trigger calls the store's functions."""
        if self.kind == "event trigger":
            return self.name.startswith("auditctl_")
        if self.kind == "trigger" and not all(map(_OF_STORE.fullmatch, self.calls)):
            return False
        return self.kind in _OF_INSTALLATION or _OF_STORE.fullmatch(self.name) is not None


@dataclass(slots=True)
class Announcements:
    """The events of auditctl between two states that may announce changes."""

    store: list[Announcement] = field(default_factory=list)
    named: dict[str, list[Announcement]] = field(default_factory=dict)

    def add(self, announcement: Announcement, names: Iterable[str]) -> None:
        """Add an event that names relations or functions."""
        if announcement.target == STORE:
            self.store.append(announcement)
        for name in names:
            self.named.setdefault(name, []).append(announcement)

    def cover(self, changed: Changed, *, is_gone: bool = False) -> bool:
        """Whether an event announces a change; `is_gone` if it vanished and its table is still there."""
        if changed.is_own and any(one.is_of(changed.made) for one in self.store):
            return True
        named = (one for name in changed.names for one in self.named.get(name, ()))
        # Upkeep drops whole partitions alone.
        return any(_may_announce(one, changed) for one in named if not (is_gone and one.target == UPKEEP))

    def names_upkeep_of(self, table: str) -> bool:
        """Whether upkeep recorded a step on a partition."""
        return any(one.target == UPKEEP for name in (table, _PARTITIONS) for one in self.named.get(name, ()))


def _may_announce(one: Announcement, changed: Changed) -> bool:
    """Whether an event that names the item announces its change."""
    if one.target == UPKEEP:
        is_of_log = _OF_LOG.fullmatch(changed.name) is not None
        return is_of_log and changed.kind in ("table", "trigger", "policy") and one.is_of(changed.made)
    if one.target == ROLE:
        return changed.kind == "member" and one.is_of(changed.made)
    if changed.kind not in _OF_TABLE or one.target == STORE:
        return False
    # The guard and administrators write in subtransactions, whose numbers are later and no event has.
    is_later = changed.made is not None and changed.made > one.first
    return one.is_of(changed.made) or (is_later and not (one.target == DDL and changed.is_rewritten))


def read(conn: Connection, before: str, after: str, start: str, end: int) -> Announcements:
    """Return the events between two snapshots of one place.

    Args:
        conn: The connection.
        before: The earlier snapshot.
        after: The later snapshot.
        start: The xmin of the earlier one.
        end: The xmax of the later one.
    """
    parameters = {"targets": _TARGETS, "before": before, "after": after, "start": start}
    return _collect(conn.execute(_BETWEEN.encode(), parameters).fetchall(), end)


def read_across(conn: Connection, before: str, sealed: int, end: int) -> Announcements:
    """Return the events since a snapshot of another place: those after the last event that was sealed there, too."""
    parameters = {"targets": _TARGETS, "before": before, "sealed": sealed}
    return _collect(conn.execute(_ACROSS.encode(), parameters).fetchall(), end)


def _collect(rows: Iterable[tuple[Any, ...]], end: int) -> Announcements:
    found = Announcements()
    for number, until, target, target_id, values in rows:
        last = full_transaction(int(until), end) if until is not None and until.isdigit() else number
        found.add(Announcement(target, number, last), _names(target, target_id, values))
    return found


def _names(target: str, target_id: str | None, values: object) -> Iterator[str]:
    """What an event names: tables, each with its functions, and functions."""
    document = values if isinstance(values, dict) else {}
    if target == UPKEEP:
        events = document.get("events")
        yield from {str(target_id), *map(str, events if isinstance(events, dict) else ())}
        if document.get("step") == "move":
            yield _PARTITIONS
        return
    if target == ROLE:
        yield f"{document.get('login')} of {document.get('role')}"
    if target not in (DDL, CAPTURE):
        return
    changes = document.get("changes")
    items = [one for one in changes if isinstance(one, dict)] if isinstance(changes, list) else []
    yield from _functions(items)
    for name in {str(target_id), *(str(one[key]) for one in items for key in _NAMING if key in one)}:
        yield name
        parts = _parts(name)
        if len(parts) == 2:
            for action in ACTIONS:
                yield qualified("auditctl_triggers", function_name(parts[0], parts[1], action.option))


def _functions(changes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The functions of members of an audited table that changes list."""
    lists = (one["functions"] for one in changes if isinstance(one.get("functions"), list))
    return (qualified("auditctl_triggers", str(name)) for names in lists for name in names)


def table_of(kind: str, name: str) -> str:
    """Return the table of an item, such as that of `auditctl_update on public.item`; for other items its name."""
    match = _SUBJECT.fullmatch(name) if kind in ("trigger", "rule", "policy") else None
    return match[1] if match else name


def plain_name(text: str) -> str:
    """Return a name as it is registered, from how PostgreSQL prints it; without parentheses of a function."""
    parts = _parts(text.removesuffix("()"))
    return qualified(parts[0], parts[1]) if len(parts) == 2 else text


def _parts(name: str) -> list[str]:
    found = _PART.finditer(name)
    return [one[1].replace('""', '"') if one[1] is not None else one[2] for one in found]


def function_name(schema: str, table: str, action: str) -> str:
    """Return the name of the function that captures an action of a table, as auditctl_internal.function_name does."""
    head, tail = f"{schema}__{table}", f"__{action}"
    is_ambiguous = "__" in f"{schema}.{table}" or schema.endswith("_") or table.startswith("_") or table.endswith("_")
    if len((head + tail).encode()) > _MAX_BYTES or is_ambiguous:
        full = b"\0".join(part.encode() for part in (schema, table, action))
        tail += f"__{sha256(full).hexdigest()[:_HASH_LENGTH]}"
        while len((head + tail).encode()) > _MAX_BYTES:
            head = head[:-1]
    return head + tail

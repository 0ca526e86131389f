"""Decides which log lines become events, and what the events contain.

Pure: the outcome of a line of auditctl's policy comes from the database with the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from auditctl.log_import.audited_tables import NO_TABLES, AuditedTable, AuditedTables
from auditctl.log_import.event_fields import activity_event, read_event
from auditctl.log_import.files import FilePosition, LogFile
from auditctl.log_import.ordinals import Ordinals
from auditctl.log_import.pairing import WINDOW, Pairing, PendingRead
from auditctl.log_import.records import Record
from auditctl.log_import.report import Summary
from auditctl.log_import.scanner import LogEntry
from auditctl.log_import.sources.source import Activity, OwnRead, Read
from auditctl.names import OWN_SCHEMAS

_FORGED_CHARACTERS = 200
"""Maximum length of a forged line in the event about it."""

_NEVER = (*OWN_SCHEMAS, "pg_catalog", "information_schema", "pg_toast")
"""Schemas whose tables are left out even with all tables."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which lines count, and what their events contain.

    Attributes:
        since: Earlier lines are left out; None for no limit.
        with_query: Whether events contain the statement's text.
        any_table: Whether tables count that are not audited.
    """

    since: datetime | None = None
    with_query: bool = False
    any_table: bool = False


class EventBuilder:
    """Turns the lines of one format, in their order, into reads to import.

    Attributes:
        has_made: Whether a line of auditctl's policy became an event.
    """

    def __init__(self, options: Options, summary: Summary, database: str, *, dry_run: bool) -> None:
        self._tables = NO_TABLES
        self._options = options
        self._summary = summary
        self._database = database
        self._pairing = Pairing()
        self._ordinals = Ordinals()
        self._reads: list[dict[str, Any]] = []
        self._activities: list[dict[str, Any]] = []
        self._forged: list[dict[str, Any]] = []
        self._forged_lines: set[tuple[Any, ...]] = set()
        # A dry run leaves no trace in the database that would identify the second line of a read.
        self._keys: set[str] | None = set() if dry_run else None
        self.has_made = False

    def start(self, tables: AuditedTables) -> None:
        """Start with other files; waiting lines are dropped, as their position was not stored as read."""
        self._tables = tables
        self._pairing = Pairing()
        self._ordinals = Ordinals()

    @property
    def waiting(self) -> int:
        """How many lines of pgaudit wait for a line of the policy."""
        return len(self._pairing)

    def add(self, file: LogFile, entry: LogEntry, read: Read) -> None:
        """Add a line of pgaudit."""
        record = read.record
        self.release(record.at - WINDOW)
        if not self._is_in_scope(record):
            return
        table = self._table(read)
        if table is None:
            return
        pending = PendingRead(
            key=self._read_key(read, table),
            at=record.at,
            session=record.session or record.process,
            transaction=record.transaction,
            target=table.target,
            event=read_event(file, read, table, with_query=self._options.with_query),
            position=entry.start,
        )
        if table.target in self._tables.by_policy:
            for released in self._pairing.add(pending):
                self._add(released)
        else:
            self._add(pending)

    def add_activity(self, file: LogFile, entry: LogEntry, activity: Activity) -> None:
        """Add a line that is about something other than a read."""
        record = activity.record
        self.release(record.at - WINDOW)
        if not self._is_in_scope(record, is_global=activity.is_global):
            return
        if not activity.login:
            self._summary.outcomes["anonymous"] += 1
            return
        key = self._activity_key(entry, activity)
        if self._is_repeated(key):
            self._summary.outcomes["known"] += 1
            return
        event = activity_event(file, activity, with_query=self._options.with_query)
        self._activities.append({**event, "key": key})

    def add_own(self, file: LogFile, entry: LogEntry, read: OwnRead, outcome: str) -> None:
        """Add a line of the policy, with its outcome from the database."""
        if outcome == "forged":
            self.add_forged(file, entry)
            return
        self._summary.outcomes["known" if self._is_repeated(read.json) else outcome] += 1
        self.has_made |= outcome == "made"
        if outcome == "known":
            return  # its read was settled with the line that came first; this one may be a copy in another session
        record = read.record
        pending = self._pairing.match(record.session or record.process, record.transaction, read.target, read.at)
        if pending is not None:
            self._add(pending, already_recorded=True)

    def add_forged(self, file: LogFile, entry: LogEntry) -> None:
        """Add a line that a login forged."""
        record = entry.read.record
        if self.is_foreign(record):
            self._summary.outcomes["foreign"] += 1
            return
        line = (record.session, record.number) if record.number else (file.fingerprint, entry.start.offset)
        if line in self._forged_lines:
            return  # the same line in another format
        self._forged_lines.add(line)
        place = f"{file.path.name}:{entry.start.line + 1}"
        self._summary.forged.add(place)
        self._forged.append({"line": place, "login": record.login, "message": record.message[:_FORGED_CHARACTERS]})

    def release(self, before: datetime) -> None:
        """Stop waiting with lines written before a time."""
        self._ordinals.release(before)
        for read in self._pairing.pop_before(before):
            self._add(read)

    def pop_reads(self) -> list[dict[str, Any]]:
        """Remove and return the reads to import, as auditctl.import_reads takes them."""
        reads, self._reads = self._reads, []
        return reads

    def pop_activities(self) -> list[dict[str, Any]]:
        """Remove and return the other events to import, as auditctl.import_activities takes them."""
        activities, self._activities = self._activities, []
        return activities

    def pop_forged(self) -> list[dict[str, Any]]:
        """Remove and return the forged lines."""
        forged, self._forged = self._forged, []
        return forged

    def waiting_positions(self) -> Iterator[FilePosition]:
        """Yield where the waiting lines begin, oldest first."""
        return chain(self._pairing.positions(), self._ordinals.positions())

    def is_foreign(self, record: Record) -> bool:
        """Whether a record is of another database."""
        return record.database != self._database

    def _is_repeated(self, key: str) -> bool:
        if self._keys is None:
            return False
        is_repeated = key in self._keys
        self._keys.add(key)
        return is_repeated

    def _add(self, read: PendingRead, *, already_recorded: bool = False) -> None:
        if self._is_repeated(read.key):
            self._summary.outcomes["known"] += 1
            return
        self._reads.append({**read.event, "key": read.key, "already_recorded": already_recorded})

    def _is_in_scope(self, record: Record, *, is_global: bool = False) -> bool:
        if not is_global and record.process and not (record.database and record.login):
            self._summary.outcomes["anonymous"] += 1
            return False
        if not is_global and self.is_foreign(record):
            self._summary.outcomes["foreign"] += 1
            return False
        if self._options.since is not None and record.at < self._options.since:
            self._summary.outcomes["earlier"] += 1
            return False
        return True

    def _table(self, read: Read) -> AuditedTable | None:
        if read.relation is None:
            self._summary.outcomes["nameless"] += 1
            return None
        schema = read.relation[0]
        is_never = schema in _NEVER or schema.startswith(("pg_temp_", "pg_toast_"))
        table = self._tables.find(read.relation, read.record.at, any_table=self._options.any_table and not is_never)
        self._summary.outcomes["other"] += table is None
        return table

    @staticmethod
    def _read_key(read: Read, table: AuditedTable) -> str:
        """Return what identifies a read: the statement in its session, or in its process and second."""
        record = read.record
        session = record.session or f"text {record.process} {record.at.isoformat()}"
        return f"{session} {read.statement} {record.host} {record.port} {table.target}"

    def _activity_key(self, entry: LogEntry, activity: Activity) -> str:
        """Return what identifies a line: its number in its session, or the line itself where the format has none."""
        record = activity.record
        parts: tuple[object, ...] = (record.session, record.number)
        if record.process and not (record.session and activity.statement):
            process = record.session or record.process
            parts = ("text", process, record.at.isoformat(), activity.login, record.line, record.message)
            if not activity.statement:
                parts = (*parts, self._ordinals.next(f"{entry.start.fingerprint} {parts}", record.at, entry.start))
        elif activity.statement:
            parts = (record.session, activity.statement, record.host, record.port, activity.name)
        return " ".join(map(str, (activity.target, *parts)))

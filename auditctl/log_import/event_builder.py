"""Decides which log lines become events, and what the events contain.

Pure: the outcome of a line of auditctl's policy comes from the database with the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditctl.log_import.audited_tables import NO_TABLES, AuditedTable, AuditedTables
from auditctl.log_import.files import FilePosition, LogFile
from auditctl.log_import.pairing import WINDOW, Pairing, PendingRead
from auditctl.log_import.records import Record
from auditctl.log_import.report import Summary
from auditctl.log_import.scanner import LogEntry
from auditctl.log_import.sources.source import OwnRead, Read
from auditctl.names import OWN_SCHEMAS

QUERY_BYTES = 10_240
"""Maximum length of a statement's text in an event."""

_FORGED_CHARACTERS = 200
"""Maximum length of a forged line in the event about it."""

_NEVER = (*OWN_SCHEMAS, "pg_catalog", "information_schema", "pg_toast")
"""Schemas whose tables are left out even with all tables."""

_PROTOCOL = ("", "PARSE", "BIND", "idle")
"""Command tags that are about the protocol and not about the statement."""


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
        self._reads: list[dict[str, Any]] = []
        self._forged: list[dict[str, Any]] = []
        self._forged_lines: set[tuple[str, int]] = set()
        # A dry run leaves no trace in the database that would identify the second line of a read.
        self._keys: set[str] | None = set() if dry_run else None
        self.has_made = False

    def start(self, tables: AuditedTables) -> None:
        """Start with other files; waiting lines are dropped, as their position was not stored as read."""
        self._tables = tables
        self._pairing = Pairing()

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
            key=f"{record.session} {read.statement} {record.host} {record.port} {table.target}",
            at=record.at,
            session=record.session,
            transaction=record.transaction,
            target=table.target,
            event=self._event(file, read, table),
            position=entry.start,
        )
        if table.target in self._tables.by_policy:
            for released in self._pairing.add(pending):
                self._add(released)
        else:
            self._add(pending)

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
        pending = self._pairing.match(record.session, record.transaction, read.target, read.at)
        if pending is not None:
            self._add(pending, already_recorded=True)

    def add_forged(self, file: LogFile, entry: LogEntry) -> None:
        """Add a line that a login forged."""
        record = entry.read.record
        if self.is_foreign(record):
            self._summary.outcomes["foreign"] += 1
            return
        if (record.session, record.number) in self._forged_lines:
            return  # the same line in another format
        self._forged_lines.add((record.session, record.number))
        place = f"{file.path.name}:{entry.start.line + 1}"
        self._summary.forged.add(place)
        self._forged.append({"line": place, "login": record.login, "message": record.message[:_FORGED_CHARACTERS]})

    def release(self, before: datetime) -> None:
        """Stop waiting with lines written before a time."""
        for read in self._pairing.pop_before(before):
            self._add(read)

    def pop_reads(self) -> list[dict[str, Any]]:
        """Remove and return the reads to import, as auditctl.import_reads takes them."""
        reads, self._reads = self._reads, []
        return reads

    def pop_forged(self) -> list[dict[str, Any]]:
        """Remove and return the forged lines."""
        forged, self._forged = self._forged, []
        return forged

    def waiting_positions(self) -> Iterator[FilePosition]:
        """Yield where the waiting lines begin, oldest first."""
        return self._pairing.positions()

    def context(self, file: LogFile, read: Read | OwnRead) -> dict[str, Any]:
        """Return the part of the event's context that describes the line."""
        record = read.record
        return {
            "source": "auditctl",
            "session_id": record.session,
            "line": record.number,
            "application_name": record.application or None,
            "imported_from": file.path.name,
        }

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

    def _is_in_scope(self, record: Record) -> bool:
        if self.is_foreign(record):
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

    def _event(self, file: LogFile, read: Read, table: AuditedTable) -> dict[str, Any]:
        record = read.record
        context = {
            **self.context(file, read),
            **read.context,
            "source": read.source,
            "leaf": table.leaf,
            "remote_host": None if record.address or record.host in ("", "[local]") else record.host,
            "transaction": None if record.xact_id == "0" else record.xact_id,
        }
        if record.command not in _PROTOCOL:
            context["command"] = record.command
        if self._options.with_query and read.query is not None:
            context["query"] = read.query.encode()[:QUERY_BYTES].decode(errors="ignore")
        return {
            "at": record.at.isoformat(),
            "login": record.login,
            "host": record.address,
            "target": table.target,
            "context": context,
        }

"""Imports reads from the files of the server's log into the store.

A batch of reads and how far the files were read are stored in one transaction, so that no interruption loses or
doubles a read. Never prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditctl import revision
from auditctl.database import Connection
from auditctl.log_import import audited_tables, batches, files, log_settings
from auditctl.log_import.batches import FileProgress
from auditctl.log_import.event_builder import EventBuilder, Options
from auditctl.log_import.event_fields import line_context
from auditctl.log_import.files import FilePosition, LogFile
from auditctl.log_import.pairing import WINDOW
from auditctl.log_import.records import Clock
from auditctl.log_import.report import Summary
from auditctl.log_import.scanner import LogEntry, Scanner
from auditctl.log_import.sources.source import Activity, ForgedRecord, OwnRead, Read, UnverifiableRecord

BATCH = 1000
"""How many records are stored in one transaction."""

_LISTED = 100
"""Maximum number of paths and forged lines in an event."""

OnProgress = Callable[[Summary], None]
"""Called from time to time with the counts so far."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import.

    Attributes:
        paths: Files, and folders of files.
        options: Which lines count, and what their events contain.
        restart: Whether files are read from their start, however far they were read before.
        dry_run: Whether everything is counted and nothing stored.
        prefix: The log_line_prefix of text; None for the server's.
        time_zone: The log_timezone of text; None for the server's.
    """

    paths: Sequence[Path]
    options: Options
    restart: bool = False
    dry_run: bool = False
    prefix: str | None = None
    time_zone: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as the data of the import's event."""
        options = {
            "since": self.options.since and self.options.since.isoformat(),
            "query": self.options.with_query,
            "all_tables": self.options.any_table,
            "again": self.restart,
            "prefix": self.prefix,
            "time_zone": self.time_zone,
        }
        paths = [str(path) for path in self.paths[:_LISTED]]
        return {"paths": paths, **{name: value for name, value in options.items() if value}}


class Importer:
    """An import, which may make several passes over the same files.

    Attributes:
        summary: The counts so far.
    """

    def __init__(self, conn: Connection, request: ImportRequest, on_progress: OnProgress) -> None:
        self.summary = Summary()
        self._conn = conn
        self._request = request
        self._on_progress = on_progress
        self._is_recorded = False
        self._started: set[str] = set()
        self._advanced: set[str] = set()
        self._pending: list[tuple[LogFile, LogEntry]] = []
        self._ends: dict[str, tuple[LogFile, FilePosition, bool]] = {}
        self._progress: dict[str, FileProgress] = {}
        self._builder = EventBuilder(request.options, self.summary, conn.info.dbname, dry_run=request.dry_run)

    def run(self) -> None:
        """Import what is new in the files.

        Raises:
            UsageError: A path cannot be read or is not a log.
            DatabaseError: The login may not import, or the connection is lost; what was stored before stays.
            StoreError: Another version was installed since.
        """
        revision.require(self._conn)  # --follow may last longer than a version
        batches.require_privilege(self._conn)
        self.summary.unfinished = self.summary.outcomes["waiting"] = 0
        with batches.batch(self._conn, dry_run=self._request.dry_run):
            self.summary.outcomes.update(batches.settle_reads(self._conn))
        tables = audited_tables.load(self._conn)
        settings = log_settings.load(self._conn, self._request.prefix, self._request.time_zone)
        log_files, self.summary.left_out = files.find(self._request.paths, settings)
        for name in dict.fromkeys(file.form.name for file in log_files):
            self._builder.start(tables)
            clock = Clock(settings.zone)
            for file in log_files:
                if file.form.name == name:
                    with suppress(FileNotFoundError):  # renamed meanwhile; the next import finds it
                        self._read(file, clock)
            self._builder.release(datetime.now(UTC) - WINDOW)
            self._store()
            self.summary.outcomes["waiting"] += self._builder.waiting
            self._ends.clear()

    def _read(self, file: LogFile, clock: Clock) -> None:
        restart = self._request.restart and file.fingerprint not in self._started
        self._started.add(file.fingerprint)
        if file.form.prefix is not None and file.form.prefix.missing:
            self.summary.prefixes.setdefault(file.form.prefix.text, file.form.prefix.missing)
        progress = None if restart else batches.read_progress(self._conn, file.fingerprint)
        if progress is not None and file.is_compressed and progress.size == file.size:
            return
        with files.opened(file) as stream:
            start = FilePosition(file.fingerprint, 0, 0, files.digest(b""))
            recent = b""
            if progress is not None and (before := files.continued(stream, progress.position)) is not None:
                start, recent = progress.position, before
                self._progress[file.fingerprint] = progress
            lines = files.TruncatedGzip(stream) if file.is_compressed else stream
            scanner = Scanner(file, start, recent, clock, self.summary)
            for entry in scanner.entries(lines, lambda: self._on_progress(self.summary)):
                self._pending.append((file, entry))
                self._ends[file.fingerprint] = (file, entry.end, False)
                if len(self._pending) == BATCH:
                    self._store()
            self._ends[file.fingerprint] = (file, scanner.end, True)
            if scanner.end != start:
                self._advanced.add(file.fingerprint)
                self.summary.files = len(self._advanced)
            self.summary.unfinished += files.has_more(stream, scanner.end.offset)
        self._store()

    def _store(self) -> None:
        """Store the pending entries, and how far the files were read, in one transaction."""
        with batches.batch(self._conn, dry_run=self._request.dry_run):
            outcomes = iter(self._store_own_reads())
            for file, entry in self._pending:
                match entry.read:
                    case ForgedRecord():
                        self._builder.add_forged(file, entry)
                    case OwnRead() if self._builder.is_foreign(entry.read.record):
                        self.summary.outcomes["foreign"] += 1
                    case OwnRead():
                        self._builder.add_own(file, entry, entry.read, next(outcomes))
                    case Read():
                        self._builder.add(file, entry, entry.read)
                    case Activity():
                        self._builder.add_activity(file, entry, entry.read)
                    case UnverifiableRecord():
                        self.summary.outcomes["unverifiable"] += 1
            made = self._store_reads() + self._store_activities()
            self._record(made)
            self._save_progress()
        self._pending.clear()
        self._on_progress(self.summary)

    def _store_own_reads(self) -> list[str]:
        lines = [
            {"json": entry.read.json, "context": line_context(file, entry.read)}
            for file, entry in self._pending
            # A database made from this one as a template has the same key; what was read there was not read here.
            if isinstance(entry.read, OwnRead) and not self._builder.is_foreign(entry.read.record)
        ]
        return batches.import_own_reads(self._conn, lines) if lines else []

    def _store_reads(self) -> int:
        lines = self._builder.pop_reads()
        if not lines:
            return 0
        outcomes = batches.import_reads(self._conn, lines)
        self.summary.outcomes.update(outcomes)
        self.summary.outcomes["known"] += len(lines) - sum(outcomes.values())
        return outcomes["made"]

    def _store_activities(self) -> int:
        lines = self._builder.pop_activities()
        if not lines:
            return 0
        outcomes = batches.import_activities(self._conn, lines)
        self.summary.outcomes.update(outcomes)
        self.summary.outcomes["known"] += len(lines) - sum(outcomes.values())
        return sum(outcomes.values()) - outcomes.get("expired", 0)

    def _record(self, made: int) -> None:
        if forged := self._builder.pop_forged():
            data = {"count": len(forged), "lines": forged[:_LISTED]}
            batches.record_import(self._conn, data, f"forged lines in the server's log: {len(forged)}")
        if not self._is_recorded and (made or self._builder.has_made):
            batches.record_import(self._conn, self._request.as_dict(), "server's log imported")
            self._is_recorded = True

    def _save_progress(self) -> None:
        waiting: dict[str, FilePosition] = {}
        for position in self._builder.waiting_positions():
            waiting.setdefault(position.fingerprint, position)
        for fingerprint, (file, end, is_whole) in self._ends.items():
            position = waiting.get(fingerprint, end)
            progress = FileProgress(position, file.size if is_whole and position is end else -1)
            if self._progress.get(fingerprint) != progress:
                batches.save_progress(self._conn, progress, file.path.name, file.form.name)
                self._progress[fingerprint] = progress

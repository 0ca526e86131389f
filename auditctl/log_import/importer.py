"""The import: files in, events out.

Decides which lines count, and that what is stored and how far the files were read are one transaction, so that an end
at any point loses no read and doubles none. Never prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditctl.database import Connection
from auditctl.log_import import audited_tables, batches, files
from auditctl.log_import.event_builder import Matching, Options
from auditctl.log_import.files import LogFile
from auditctl.log_import.pairing import HELD, Place
from auditctl.log_import.records import Clock
from auditctl.log_import.report import Summary
from auditctl.log_import.scanner import Found, Scan
from auditctl.log_import.sources.source import Forged, OwnRead, Read

BATCH = 1000
"""How many records are stored in one transaction."""

_LISTED = 100
"""How many paths and forged lines an event lists."""

Report = Callable[[Summary], None]
"""Called now and then with what was found so far."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to import.

    Attributes:
        paths: Files, and folders of files.
        options: Which lines count, and what their events say.
        is_again: Whether files are read from their start, whatever was read of them before.
        is_kept: Whether anything is stored.
    """

    paths: Sequence[Path]
    options: Options
    is_again: bool = False
    is_kept: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return it as the event of the import says it."""
        options = {
            "since": self.options.since and self.options.since.isoformat(),
            "query": self.options.with_query,
            "all_tables": self.options.any_table,
            "again": self.is_again,
        }
        paths = [str(path) for path in self.paths[:_LISTED]]
        return {"paths": paths, **{name: value for name, value in options.items() if value}}


class Import:
    """An import that may make several passes over the same files.

    Attributes:
        summary: What was found so far.
    """

    def __init__(self, conn: Connection, request: Request, report: Report | None = None) -> None:
        self.summary = Summary()
        self._conn = conn
        self._request = request
        self._report = report
        self._is_recorded = False
        self._begun: set[str] = set()
        self._touched: set[str] = set()
        self._pending: list[tuple[LogFile, Found]] = []
        self._ends: dict[str, tuple[LogFile, Place, bool]] = {}
        self._noted: dict[str, batches.Noted] = {}
        self._matching = Matching(request.options, self.summary, conn.info.dbname, is_kept=request.is_kept)

    def run(self) -> None:
        """Read what is new in the files and import it.

        Raises:
            UsageError: A path cannot be read or is no log.
            DatabaseError: The login may not import, or the connection is lost; what was stored before stays.
        """
        self.summary.waiting = self.summary.unfinished = 0
        with batches.batch(self._conn, is_kept=self._request.is_kept):
            for outcome, lines in batches.settle_reads(self._conn).items():
                self.summary.add(outcome, lines)
        known = audited_tables.load(self._conn)
        found = files.find(self._request.paths)
        for name in dict.fromkeys(file.form.name for file in found):
            self._matching.begin(known)
            clock = Clock()
            for file in found:
                if file.form.name == name:
                    with suppress(FileNotFoundError):  # renamed meanwhile; the next import finds it
                        self._read(file, clock)
            self._matching.release(datetime.now(UTC) - HELD)
            self._store()
            self.summary.waiting += self._matching.held
            self._ends.clear()

    def _read(self, file: LogFile, clock: Clock) -> None:
        is_again = self._request.is_again and file.fingerprint not in self._begun
        self._begun.add(file.fingerprint)
        noted = None if is_again else batches.noted(self._conn, file.fingerprint)
        if noted is not None and file.is_compressed and noted.size == file.size:
            return
        with files.opened(file) as stream:
            start = Place(file.fingerprint, 0, 0, files.digest(b""))
            recent = b""
            if noted is not None and (before := files.continued(stream, noted.place)) is not None:
                start, recent = noted.place, before
                self._noted[file.fingerprint] = noted
            lines = files.Unbroken(stream) if file.is_compressed else stream
            scan = Scan(file, start, recent, clock, self.summary)
            for entry in scan.found(lines, self._tell):
                self._pending.append((file, entry))
                self._ends[file.fingerprint] = (file, entry.after, False)
                if len(self._pending) == BATCH:
                    self._store()
            self._ends[file.fingerprint] = (file, scan.end, True)
            if scan.end != start:
                self._touched.add(file.fingerprint)
                self.summary.files = len(self._touched)
            self.summary.unfinished += files.has_more(stream, scan.end.position)
        self._store()

    def _tell(self) -> None:
        if self._report is not None:
            self._report(self.summary)

    def _store(self) -> None:
        """Store what is pending, and how far the files were read, in one transaction."""
        with batches.batch(self._conn, is_kept=self._request.is_kept):
            outcomes = iter(self._store_own())
            for file, found in self._pending:
                match found.entry:
                    case Forged():
                        self._matching.forged(file, found)
                    case OwnRead() if self._matching.is_foreign(found.entry.record):
                        self.summary.foreign += 1
                    case OwnRead():
                        self._matching.take_own(file, found, found.entry, next(outcomes))
                    case Read():
                        self._matching.take(file, found, found.entry)
            made = self._store_told()
            self._record(made)
            self._note()
        self._pending.clear()
        self._tell()

    def _store_own(self) -> list[str]:
        lines = [
            {"json": found.entry.json, "context": self._matching.context(file, found.entry)}
            for file, found in self._pending
            # A database made from this one as a template has the same key; what was read there was not read here.
            if isinstance(found.entry, OwnRead) and not self._matching.is_foreign(found.entry.record)
        ]
        return batches.import_own_reads(self._conn, lines) if lines else []

    def _store_told(self) -> int:
        lines = self._matching.taken()
        if not lines:
            return 0
        outcomes = batches.import_reads(self._conn, lines)
        for outcome in ("made", "recorded", "expired"):
            self.summary.add(outcome, outcomes[outcome])
        self.summary.known += len(lines) - sum(outcomes.values())
        return outcomes["made"]

    def _record(self, made: int) -> None:
        if forged := self._matching.taken_forged():
            data = {"count": len(forged), "lines": forged[:_LISTED]}
            batches.record_import(self._conn, data, f"forged lines in the server's log: {len(forged)}")
        if not self._is_recorded and (made or self._matching.has_made):
            batches.record_import(self._conn, self._request.as_dict(), "server's log imported")
            self._is_recorded = True

    def _note(self) -> None:
        held: dict[str, Place] = {}
        for place in self._matching.places():
            held.setdefault(place.fingerprint, place)
        for fingerprint, (file, place, is_whole) in self._ends.items():
            kept = held.get(fingerprint, place)
            size = file.size if is_whole and kept is place else -1
            noted = batches.Noted(kept, size)
            if self._noted.get(fingerprint) != noted:
                batches.note(self._conn, kept, file.path.name, file.form.name, size)
                self._noted[fingerprint] = noted

"""Writes months that are over into files, reads them back, and records them; from then on, upkeep may drop them.

A month is written in one snapshot. Its files count once the manifest is there, and the month may be dropped once the
log has the manifest's digest. Killed anywhere, the next run removes an unfinished month, or records a complete one.
Sources: sql/functions/60_upkeep/archive.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from psycopg.sql import SQL

from auditctl import database
from auditctl.archive import closed_months, events, evidence, known_names, origin, written_files
from auditctl.archive.closed_months import ClosedMonth
from auditctl.archive.events import EventRow
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.month_files import MonthFiles
from auditctl.archive.packed import ContentDigest
from auditctl.archive.parts import PartWriter
from auditctl.database import Connection
from auditctl.errors import AuditctlError, DatabaseError, OutputError, UsageError
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.row_prover import is_sealed

_COPY = SQL(
    "copy (select {} from auditctl.event as e where {} order by e.occurred_at, e.event_id) to stdout (format binary)"
)

_State = tuple[int, Decimal]
"""The number of events of a month, and their fingerprint."""

Report = Callable[[str, int, int], None]
"""Takes what is being done, and how many events of how many are done."""


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """A month that was archived and recorded.

    Attributes:
        month: The month in UTC, such as 2026-05.
        rows: How many events it has.
        files: How many files they are in.
        bytes: The size of these files.
        location: The archive.
        manifest: The digest of its manifest.
        event_id: The event that records it.
        was_complete: Whether an earlier run had written the files, and only recording them was left.
    """

    month: str
    rows: int
    files: int
    bytes: int
    location: str
    manifest: str
    event_id: int
    was_complete: bool


@dataclass(slots=True)
class Archiver:
    """Archives months of one database.

    Attributes:
        conn: An administrator's connection.
        files: The archive.
        report: What takes the progress.
        store: Which database it is.
        problems: Why months were left to a later run, by `run`.
    """

    conn: Connection
    files: Files
    report: Report = lambda _what, _done, _total: None
    store: dict[str, Any] = field(init=False)
    problems: list[AuditctlError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = origin.read(self.conn)

    def run(self, months: Iterable[ClosedMonth]) -> Iterator[ArchivedMonth]:
        """Archive months; yield each when it is recorded. One that cannot be archived now is left, see `problems`.

        Raises:
            OutputError: As `archive`: what one month cannot write, no other can.
            DatabaseError: The connection is gone.
        """
        for month in months:
            try:
                with database.errors_translated():
                    archived = self.archive(month)
            except (DatabaseError, ArchiveError, EvidenceError, UsageError) as error:
                if not database.is_at_rest(self.conn):
                    raise
                self.problems.append(error)
            else:
                if archived is not None:
                    yield archived

    def archive(self, month: ClosedMonth) -> ArchivedMonth | None:
        """Archive a month.

        Returns:
            What was archived; None if that was done before, or the month is gone.

        Raises:
            ArchiveError: The month's folder has something else, or the files are not as they were written.
            EvidenceError: An event is not as it was sealed.
            UsageError: Events of a sealed log are not sealed yet.
            OutputError: A file cannot be written or read; an unfinished month is removed if that is possible.
            DatabaseError: A transaction may still write to the month, or it was changed meanwhile.
        """
        folder = MonthFiles(self.files, MonthKey(self.conn.info.dbname, month.name), self.store)
        found = folder.manifest()
        if self._is_recorded(month, found):
            folder.finish()
            return None
        complete = found if found is not None and self._is_sound(found) else None
        with database.transaction(self.conn):
            if self.conn.execute("select auditctl.begin_month(%s)", [month.name]).fetchone() != (True,):
                return None
        try:
            manifest, state = self._made(folder, complete)
        except BaseException:
            folder.give_up()
            raise
        event_id = self._record(manifest, state)
        return ArchivedMonth(
            month.name, manifest.rows, len(manifest.parts), sum(part.bytes for part in manifest.parts), self.files.name,
            manifest.digest, event_id, manifest is complete,
        )  # fmt: skip

    def _made(self, folder: MonthFiles, complete: Manifest | None) -> tuple[Manifest, _State]:
        """Return the manifest of a complete month, whose files are written unless they have its events already."""
        month = folder.key.month
        with self._snapshot(month) as state:
            if complete is not None and self._has_same_events(complete):
                folder.finish()
                return complete, state
            manifest = self._written(folder, state[0])
        self._check(manifest)
        folder.commit(manifest)
        return manifest, state

    def _is_proved(self, manifest: Manifest) -> bool:
        """Whether the month has what proves its events, if the log is sealed."""
        return manifest.evidence is not None or not is_sealed(self.conn)

    def _is_sound(self, manifest: Manifest) -> bool:
        if not self._is_proved(manifest):
            return False
        try:
            self._check(manifest)
        except (ArchiveError, OutputError):
            return False
        return True

    def _check(self, manifest: Manifest) -> None:
        title = f"reading {manifest.key.month} back"
        written_files.check(self.files, manifest, lambda done: self.report(title, done, manifest.rows))

    def _is_recorded(self, month: ClosedMonth, found: Manifest | None) -> bool:
        if found is None or (month.location, month.manifest) != (self.files.name, found.digest) or month.is_dropped:
            return False
        if not self._is_proved(found):
            return False
        return closed_months.fingerprint(self.conn, month.name) == (month.rows, month.fingerprint)

    @contextmanager
    def _snapshot(self, month: str) -> Iterator[_State]:
        """Run the block in one snapshot; yield the number of events of the month in it, and their fingerprint."""
        with database.read_transaction(self.conn):
            state = closed_months.fingerprint(self.conn, month)
            if state is None:
                raise DatabaseError(f"the month {month} is gone from the log", hint="Run it again.")
            yield state

    def _events(self, key: MonthKey) -> Iterator[EventRow]:
        query = _COPY.format(events.projection("e"), evidence.month_condition(key))
        with self.conn.cursor().copy(query) as copy:
            yield from events.rows(copy)

    def _has_same_events(self, manifest: Manifest) -> bool:
        content = ContentDigest()
        for row in self._events(manifest.key):
            content.add(events.fields_of(row))
        return (content.events, content.hexdigest()) == (manifest.rows, manifest.content)

    def _written(self, folder: MonthFiles, rows: int) -> Manifest:
        month = folder.key.month
        writer = PartWriter(self.files, folder.key)
        span = _Span()
        folder.begin()
        for done in writer.write(span.watch(self._events(folder.key))):
            self.report(f"writing {month}", done, rows)
        proof = evidence.collect(self.conn, self.files, folder.key)
        if writer.content.events != rows:
            raise ArchiveError(f"{writer.content.events} events of {month} were read, and {rows} counted")
        return Manifest(
            key=folder.key, rows=rows, first_event_id=span.first, last_event_id=span.last,
            content=writer.content.hexdigest(), parts=tuple(writer.parts), targets=known_names.targets(self.conn),
            renames=known_names.renames(self.conn), store=self.store,
            archived_at=datetime.now(UTC).isoformat(timespec="microseconds"), evidence=proof,
        )  # fmt: skip

    def _record(self, manifest: Manifest, state: _State) -> int:
        parameters = [
            manifest.key.month, self.files.name, manifest.key.database, *state, manifest.content, manifest.digest,
            manifest.evidence is not None,
        ]  # fmt: skip
        query = "select auditctl.record_archive(%s, %s, %s, %s, %s, %s, %s, %s)"
        with database.transaction(self.conn):
            row = self.conn.execute(query, parameters).fetchone()
        return int(row[0]) if row else 0


@dataclass(slots=True)
class _Span:
    """The range of the numbers of events that pass."""

    first: int | None = None
    last: int | None = None

    def watch(self, rows: Iterator[EventRow]) -> Iterator[EventRow]:
        for row in rows:
            number = int.from_bytes(row[0] or b"", "big", signed=True)
            self.first = number if self.first is None else min(self.first, number)
            self.last = number if self.last is None else max(self.last, number)
            yield row

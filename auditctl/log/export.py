"""Exports the log in constant memory: COPY on the server writes the bytes, the client passes them on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from psycopg.errors import ReadOnlySqlTransaction
from psycopg.sql import SQL, Composed, Literal
from psycopg.types.json import Jsonb

from auditctl import database, place
from auditctl.database import Connection, read_transaction
from auditctl.errors import DatabaseError
from auditctl.log import predicates
from auditctl.log import snapshot as log_snapshot
from auditctl.log.columns import Columns
from auditctl.log.filters import Filters
from auditctl.log.formats import Format
from auditctl.log.formats.format import Record
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Order, Selection, with_number
from auditctl.log.snapshot import Snapshot
from auditctl.output import Sink

READ_ONLY = ReadOnlySqlTransaction.sqlstate
"""The SQLSTATE of a standby, or of a session that may not write."""

REPORTED_EVERY = 4096
"""How many events pass between two reports of progress."""

ReportProgress = Callable[[int, int], None]
"""Takes the number of events and of bytes so far."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """An export to make.

    Attributes:
        filters: Which events; names not yet looked up.
        format: A format with copy options.
        order: Oldest or newest first.
        raw: Whether cells are left as recorded, even where a spreadsheet would take them for a formula.
        committed_since: Only what was committed since that snapshot; None for all.
        has_snapshot: Whether to find out the snapshot from which the next export goes on.
        columns: The columns that were chosen; None for all.
        everywhere: Whether archived months are exported, too.

    Raises:
        UsageError: The format takes no columns.
    """

    filters: Filters
    format: Format
    order: Order = Order.ASC
    raw: bool = False
    committed_since: Snapshot | None = None
    has_snapshot: bool = False
    columns: Columns | None = None
    everywhere: bool = False

    def __post_init__(self) -> None:
        self.format.require_columns(self.columns)

    @property
    def is_safe(self) -> bool:
        """Whether cells that a spreadsheet would take for formulas have an apostrophe."""
        return self.format.has_header and not self.raw

    def as_dict(self) -> dict[str, object]:
        """Return what the log records of the export."""
        since = {} if self.committed_since is None else {"committed_since": str(self.committed_since)}
        columns = {} if self.columns is None else {"columns": list(self.columns)}
        return {
            "format": self.format.name, "order": str(self.order), "filters": self.filters.as_dict(), "raw": self.raw,
            **since, **columns, **({"everywhere": True} if self.everywhere else {}),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A complete export.

    Attributes:
        events: The number of events.
        size: The number of bytes.
        event_id: The event that records its beginning; None where the server is read-only.
        sha256: The SHA-256 of the bytes, in hexadecimal digits.
        running: How many transactions were open, which may commit events of earlier times.
        snapshot: The snapshot that was read, from where the next export goes on without a gap or a repetition; None on
            a standby.
        first_event_id: The number of the first event; None without events.
        last_event_id: The number of the last event; None without events.
    """

    events: int
    size: int
    event_id: int | None
    sha256: str
    running: int = 0
    snapshot: Snapshot | None = None
    first_event_id: int | None = None
    last_event_id: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return what the log records of the end of the export."""
        facts = {
            "rows": self.events, "bytes": self.size, "sha256": self.sha256,
            "snapshot": None if self.snapshot is None else str(self.snapshot),
            "first_event_id": self.first_event_id, "last_event_id": self.last_event_id,
        }  # fmt: skip
        return {name: value for name, value in facts.items() if value is not None}


@dataclass(slots=True)
class RunningExport:
    """An export that has been recorded; iterating over it, once, reads it in constant memory.

    Attributes:
        conn: The connection, busy until the end.
        query: What COPY writes: the number of each event, which is left out, and its record.
        format: The format.
        event_id: The event that records its beginning; None where the server is read-only.
        transaction: The transaction that recorded it; None where the server is read-only.
        events: The number of events read so far.
        running: How many transactions were open, once the reading began.
        snapshot: The snapshot that is read, once the reading began; None on a standby.
        first_event_id: The number of the first event; None before it.
        last_event_id: The number of the last event, once the reading ended; None without events.
        then: What is called after the last record, in the transaction that read them; None for nothing.
    """

    conn: Connection
    query: Composed
    format: Format
    event_id: int | None
    transaction: int | None = None
    events: int = 0
    running: int = 0
    snapshot: Snapshot | None = None
    first_event_id: int | None = None
    last_event_id: int | None = None
    then: Callable[[], None] | None = None

    def __iter__(self) -> Generator[Record]:
        """Yield the records as the server writes them, headers first.

        Raises:
            DatabaseError: The connection is lost.
        """
        command = SQL("copy ({}) to stdout with ({}, encoding 'UTF8')").format(self.query, self.format.copy_options)
        events = -int(self.format.has_header)
        number = b""
        with read_transaction(self.conn):
            self._read_snapshot()
            if self.format.prefix:
                yield self.format.prefix
            with self.conn.cursor() as cursor, cursor.copy(command) as copy:
                while data := copy.read():  # one message for each record
                    number, record = self.format.split(data)
                    events += 1
                    self.events = max(0, events)
                    if events == 1:
                        self.first_event_id = int(number)
                    yield record
            if self.then is not None:
                self.then()
        if self.events:
            self.last_event_id = int(number)

    def result(self, size: int, sha256: str) -> ExportResult:
        """Return the complete export, of which so many bytes with this hash were written."""
        return ExportResult(
            self.events, size, self.event_id, sha256, self.running, self.snapshot, self.first_event_id,
            self.last_event_id,
        )  # fmt: skip

    def _read_snapshot(self) -> None:
        """Find out what the transaction sees."""
        self.running = log_snapshot.count_running(self.conn)
        if (current := log_snapshot.read(self.conn)) is not None:
            # The event that records this export is not in it, so it is left to the next one.
            self.snapshot = current if self.transaction is None else current.without(self.transaction)


def begin(conn: Connection, request: ExportRequest) -> RunningExport:
    """Record the export, and return it ready to be read, without the event that records it.

    The record is committed first: an interrupted export is recorded too.

    Raises:
        UsageError: The log knows no such table or column, or the snapshot is not one of its past; nothing is recorded.
        PlaceError: The store was restored or copied, and is not adopted yet, so that a snapshot says nothing about it.
        DatabaseError: The login may not export, or the connection is lost.
    """
    filters = request.filters.resolve(conn)
    since = request.committed_since
    adoption = None
    if since is not None or request.has_snapshot:
        place.require(conn)
        with read_transaction(conn):
            last = log_snapshot.last_adoption(conn)
            log_snapshot.require_past(since, log_snapshot.read(conn), last)
        adoption = None if last is None else last.event_id
    event_id, transaction = record_begin(conn, request)
    own = [] if event_id is None else [Predicate(SQL("event_id <> {}::bigint").format(Literal(event_id)))]
    recent = [] if since is None else [predicates.committed_since(since, adoption)]
    selection = Selection((*filters.predicates(), *recent, *own), request.order)
    query = selection.query(with_number(request.format.projection(not request.raw, request.columns)))
    return RunningExport(conn, query, request.format, event_id, transaction)


def export(
    conn: Connection,
    request: ExportRequest,
    sink: Sink,
    report: ReportProgress | None = None,
    then: Callable[[], None] | None = None,
) -> ExportResult:
    """Record the beginning of the export, then write its events; `record_end` is left to the caller.

    Args:
        conn: The connection.
        request: What to export.
        sink: Where to write.
        report: What takes the progress.
        then: What is called once they are written, in the transaction that read them.

    Raises:
        UsageError: The log knows no such table or column; nothing is recorded or written.
        DatabaseError: The login may not export, or the connection is lost.
        OutputError: The sink cannot be written.
    """
    running = begin(conn, request)
    running.then = then
    sink.hashed = sha256 = hashlib.sha256()
    with closing(iter(running)) as records:
        for data in records:
            sink.write(data)
            if report is not None and running.events % REPORTED_EVERY == 0:
                report(running.events, sink.written)
        sink.flush()
    if report is not None:
        report(running.events, sink.written)
    return running.result(sink.written, sha256.hexdigest())


def record_end(conn: Connection, filters: Filters, result: ExportResult, manifest: str | None = None) -> int | None:
    """Record what an export has written, once it is complete (function auditctl.record_export_end).

    Args:
        conn: The connection.
        filters: Its filters.
        result: What was written.
        manifest: The SHA-256 of its manifest; None without one.

    Returns:
        The event; None on a read-only server.

    Raises:
        DatabaseError: The connection is lost.
    """
    if result.event_id is None:
        return None
    data = {**result.as_dict(), "selection": filters.describe(), **({} if manifest is None else {"manifest": manifest})}
    row = conn.execute("select auditctl.record_export_end(%s, %s)", [result.event_id, Jsonb(data)]).fetchone()
    return row[0] if row else None


def record_begin(conn: Connection, request: ExportRequest) -> tuple[int | None, int | None]:
    """Record that an export begins (function auditctl.record_export).

    Returns:
        The event and its transaction; None on a read-only server.

    Raises:
        DatabaseError: The login may not export, or the connection is lost.
    """
    try:
        with database.errors_translated():
            row = conn.execute(
                "select auditctl.record_export(%s), pg_current_xact_id()::text::numeric", [Jsonb(request.as_dict())]
            ).fetchone()
    except DatabaseError as error:
        if error.sqlstate == READ_ONLY:
            return None, None
        raise
    return (None, None) if row is None else (row[0], int(row[1]))

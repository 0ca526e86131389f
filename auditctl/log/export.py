"""Exports the log: the server writes the bytes, the client passes them on, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg.sql import SQL, Composed, Literal
from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log import conditions
from auditctl.log.events import Order, Selection
from auditctl.log.filters import Filters
from auditctl.log.formats import Format
from auditctl.log.output import Sink
from auditctl.log.reading import reading

READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction: a standby, or a session that may not write."""

REPORTED_EVERY = 4096
"""How many events pass between two reports of progress."""

Report = Callable[[int, int], None]
"""Takes the events and the bytes so far."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be exported.

    Attributes:
        filters: Which events; names not yet looked up.
        form: A format with copy options.
        order: Oldest or newest first.
        raw: Whether cells are left as recorded, even where a spreadsheet would take them for a formula.
    """

    filters: Filters
    form: Format
    order: Order = Order.ASC
    raw: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return what the log records of the export."""
        return {
            "format": self.form.name, "order": str(self.order), "filters": self.filters.as_dict(), "raw": self.raw,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes:
        events: How many events.
        size: How many bytes.
        event_id: The event that records the export; None where the server is read-only.
    """

    events: int
    size: int
    event_id: int | None


def export(conn: Connection, request: Request, sink: Sink, report: Report | None = None) -> Exported:
    """Record that the log is exported, then write the events that were there before.

    The record is committed first: an export that is interrupted has been one.

    Raises:
        UsageError: The log knows no such table or column; nothing is recorded or written.
        DatabaseError: The login may not export, or the connection is lost.
        OutputError: The sink cannot be written.
    """
    filters = request.filters.resolved(conn)
    event_id = _record(conn, request)
    own = [] if event_id is None else [SQL("event_id <> {}::bigint").format(Literal(event_id))]
    selection = Selection(conditions.all_of([filters.condition(), *own]), request.order)
    query = selection.query(request.form.projection(not request.raw))
    events = _copy(conn, query, request.form, sink, report)
    return Exported(events=events, size=sink.written, event_id=event_id)


def _record(conn: Connection, request: Request) -> int | None:
    try:
        with database.errors_translated():
            row = conn.execute("select audit.record_export(%s)", [Jsonb(request.as_dict())]).fetchone()
    except DatabaseError as error:
        if error.sqlstate == READ_ONLY:
            return None
        raise
    return None if row is None else row[0]


def _copy(conn: Connection, query: Composed, form: Format, sink: Sink, report: Report | None) -> int:
    assert form.copy_options is not None  # noqa: S101 - a Request has such a format
    command = SQL("copy ({}) to stdout with ({}, encoding 'UTF8')").format(query, form.copy_options)
    headers = int(form.has_header)
    messages = 0
    with reading(conn), conn.cursor() as cursor, cursor.copy(command) as copy:
        while data := copy.read():  # one message for each record
            sink.write(data)
            messages += 1
            if report is not None and messages % REPORTED_EVERY == 0:
                report(messages - headers, sink.written)
        sink.flush()
    if report is not None:
        report(messages - headers, sink.written)
    return messages - headers

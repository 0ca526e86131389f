"""Exports the whole log, in parts while it is written to, and counts its events on the server.

Never records the export, unlike auditctl.log.export: it is for a log that is about to be dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from psycopg.sql import SQL

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import OutputError
from auditctl.log import predicates
from auditctl.log import snapshot as log_snapshot
from auditctl.log.formats import Format
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Order, Selection
from auditctl.log.snapshot import Snapshot
from auditctl.names import ROLE_OWNER
from auditctl.output import Sink
from auditctl.text import plural

Report = Callable[[int, str], None]
"""Takes the number of events that were exported so far, and a remark."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Which events the log has.

    Attributes:
        events: How many.
        newest: The highest number; 0 without any.
        total: The sum of the numbers.
    """

    events: int
    newest: int
    total: Decimal

    def __add__(self, later: Extent) -> Extent:
        """Return the extent of these events and others."""
        return Extent(self.events + later.events, max(self.newest, later.newest), self.total + later.total)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported of the log.

    Attributes:
        extent: Which events.
        snapshot: Which transactions had committed, where an export of the rest goes on; None on a standby.
    """

    extent: Extent
    snapshot: Snapshot | None


def export(
    conn: Connection, output_format: Format, sink: Sink, report: Report, earlier: Exported | None = None
) -> Exported:
    """Write the whole log, or the rest of it; oldest first and as recorded.

    Args:
        conn: The connection.
        output_format: The format.
        sink: Where to write.
        report: What takes the progress.
        earlier: What was exported to the sink before; None for nothing.

    Returns:
        What was exported, with the earlier part. Where that is the whole log, its extent is the log's.

    Raises:
        OutputError: It cannot be written, or other events were written than there are: upkeep deleted some meanwhile,
            or their transactions were counted by another server.
        DatabaseError: The login may not read the log.
    """
    with database.read_transaction(conn):
        conn.execute("set local statement_timeout = 0")
        snapshot = log_snapshot.read(conn)
        rest = () if earlier is None else _committed_since(conn, earlier)
        written = _copy(conn, Selection(rest, Order.ASC), output_format, sink, report, has_header=earlier is None)
        found = extent(conn, *rest)
        there = extent(conn) if rest else found
    total = found if earlier is None else earlier.extent + found
    if written != found.events or total != there:
        raise OutputError(
            f"{total.events - found.events + written} of {plural(there.events, 'event')} were exported",
            hint="Nothing was dropped. Run it again.",
        )
    return Exported(there, snapshot)


def _committed_since(conn: Connection, earlier: Exported) -> tuple[Predicate, ...]:
    if earlier.snapshot is None:
        return ()
    adoption = log_snapshot.last_adoption(conn)
    return (predicates.committed_since(earlier.snapshot, adoption.event_id if adoption else None),)


def _copy(
    conn: Connection, selection: Selection, output_format: Format, sink: Sink, report: Report, *, has_header: bool
) -> int:
    """Write events; return how many."""
    projection = selection.query(output_format.projection(False))
    command = SQL("copy ({}) to stdout with ({}, encoding 'UTF8')").format(projection, output_format.copy_options)
    written = 0
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        header = copy.read() if output_format.has_header else b""
        if has_header:
            sink.write(output_format.prefix + bytes(header))
        while data := copy.read():  # one message for each record
            written += 1
            sink.write(data)
            if written % 4096 == 0:
                report(written, f"{sink.written / 1e6:,.1f} MB")
    sink.sync()
    return written


def extent(conn: Connection, *conditions: Predicate) -> Extent:
    """Return which events the log has, or which of them fulfil conditions."""
    # Numbers are never used again, so that another event cannot take the place of one that upkeep deleted meanwhile.
    query = SQL("select count(*), coalesce(max(event_id), 0), coalesce(sum(event_id), 0) from auditctl.event where {}")
    with database.acting_as(conn, ROLE_OWNER):
        row = conn.execute(query.format(predicates.conjunction(conditions))).fetchone()
    return Extent(*row) if row else Extent(0, 0, Decimal(0))

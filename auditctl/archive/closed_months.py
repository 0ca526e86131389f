"""The months of the log that are over, and what was archived of each.

Sources: auditctl.archived_month, queries/archive/closed_month.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg.rows import class_row

from auditctl import resources
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A month that is over, and that the log has a partition for.

    Attributes:
        name: The month in UTC, such as 2026-05.
        has_events: Whether its partition has events but those that stay hot.
        location: Where it was archived; None if it was not.
        manifest: The digest of the manifest that was recorded.
        rows: How many events were archived.
        fingerprint: Their fingerprint.
        is_dropped: Whether the archived events were dropped, so that the partition has later ones.
        is_restored: Whether the month was brought back, and not archived since.
    """

    name: str
    has_events: bool
    location: str | None = None
    manifest: str | None = None
    rows: int | None = None
    fingerprint: Decimal | None = None
    is_dropped: bool = False
    is_restored: bool = False


def read(
    conn: Connection, *, before: date | None = None, keep_hot: str | None = None, include_restored: bool = False
) -> list[ClosedMonth]:
    """Return the months that are over and have events to archive, oldest first.

    Args:
        conn: The connection.
        before: Only months that ended before this day began in UTC.
        keep_hot: Only months that ended so long ago, such as `6 months`.
        include_restored: Also months that somebody brought back from the archive.

    Raises:
        DatabaseError: The login may not read the log.
    """
    query = resources.sql_text("queries/archive/closed_month.sql").encode()
    with conn.cursor(row_factory=class_row(ClosedMonth)) as cursor:
        months = cursor.execute(query, {"before": before, "keep": keep_hot}).fetchall()
    return [month for month in months if month.has_events and (include_restored or not month.is_restored)]


def fingerprint(conn: Connection, month: str) -> tuple[int, Decimal] | None:
    """Return the number of events of a month and their fingerprint; None if the log has no partition for it."""
    row = conn.execute("select rows, fingerprint from auditctl.month_fingerprint(%s)", [month]).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])

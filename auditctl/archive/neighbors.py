"""The events right before and after one, in a log with its archived months."""

from __future__ import annotations

from psycopg.sql import SQL

from auditctl.archive.everywhere import MergedPage
from auditctl.archive.search import Search
from auditctl.database import Connection
from auditctl.log import predicates
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.selection import Cursor, Order, Selection


def neighbors(
    conn: Connection, search: Search, at: Cursor, row: tuple[str, str] | None = None
) -> tuple[int | None, int | None]:
    """Return the events right before and after one, by time, within `everywhere.snapshot`; None where there is none.

    Args:
        conn: The connection.
        search: The archived months.
        at: The event.
        row: The name of the target and the key of the row among whose events they are; None for the whole log.

    Raises:
        ArchiveError: A file is missing, was altered, or cannot be read.
        DatabaseError: The login may not read the log.
    """
    return _neighbor(conn, search, at, row, Order.DESC), _neighbor(conn, search, at, row, Order.ASC)


def _neighbor(conn: Connection, search: Search, at: Cursor, row: tuple[str, str] | None, order: Order) -> int | None:
    hot = (predicates.row(*row),) if row else ()
    cold = (_of_row(*row),) if row else ()
    page = MergedPage(
        conn, Selection(hot, order, at, 1), cold, SQL("event_id::text"), search, lambda texts: (texts["event_id"],)
    )
    return next((int(event_id or 0) for (event_id,) in list(page)), None)


def _of_row(target: str, key: str) -> ArchivePredicate:
    return ArchivePredicate(lambda events: (events.target == target) & (events.target_id == key).fill_null(False))

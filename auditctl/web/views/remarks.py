"""The remarks that pages show beside an answer."""

from __future__ import annotations

from psycopg.errors import QueryCanceled

from auditctl import remarks
from auditctl.coverage import Coverage
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log.filters import Filters
from auditctl.remarks import Remarks
from auditctl.web.request import Visit


def read(visit: Visit, conn: Connection, filters: Filters, *, is_empty: bool, is_everywhere: bool = False) -> Remarks:
    """Return what to say beside an answer; its filters are resolved.

    A part of a page leaves out coverage, which stands beside it; one that refreshes itself has no remarks.

    Args:
        visit: The request.
        conn: The visitor's connection.
        filters: The filters.
        is_empty: Whether nothing was found.
        is_everywhere: Whether archived months were to be searched, too.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    if visit.is_automatic:
        return Remarks(is_empty)
    is_whole = is_everywhere and not visit.unsearched
    covered = Coverage() if visit.is_fragment else _coverage(conn, filters, is_everywhere=is_whole)
    return remarks.read(conn, filters, covered, is_empty=is_empty)


def _coverage(conn: Connection, filters: Filters, *, is_everywhere: bool) -> Coverage:
    """Return what was recorded of what is selected; that it is not known, where reading it takes too long."""
    try:
        return remarks.coverage_of(conn, filters, is_everywhere=is_everywhere)
    except DatabaseError as error:
        if error.sqlstate != QueryCanceled.sqlstate:
            raise
        return Coverage(gaps=("It took too long to find out what was recorded. Choose a target, or a shorter time.",))

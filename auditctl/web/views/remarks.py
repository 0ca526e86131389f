"""What pages say beside an answer: what its filters may have meant instead, and what the log did not record of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg.errors import QueryCanceled

from auditctl import coverage
from auditctl.coverage import Coverage
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log.filters import Filters
from auditctl.web.request import Visit


@dataclass(frozen=True, slots=True)
class Remarks:
    """What is said of an answer.

    Attributes:
        is_empty: Whether nothing was found.
        hint: A question that names values like those that were not found; empty without one.
        doubts: A sentence about each value that has no effect.
        coverage: What was recorded of what was searched for; empty in a part of a page, which stands beside it.
    """

    is_empty: bool = False
    hint: str = ""
    doubts: tuple[str, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)


def read(visit: Visit, conn: Connection, filters: Filters, *, is_empty: bool) -> Remarks:
    """Return what is said of an answer; its filters are resolved.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    covered = Coverage() if visit.is_fragment else _coverage(conn, filters)
    if visit.is_automatic:
        return Remarks(is_empty, coverage=covered)
    return Remarks(is_empty, filters.suggest(conn) if is_empty else "", filters.doubts(conn), covered)


def _coverage(conn: Connection, filters: Filters) -> Coverage:
    """Return what was recorded of what is selected; that it is not known, where reading it takes too long."""
    try:
        return coverage.read(conn, filters)
    except DatabaseError as error:
        if error.sqlstate != QueryCanceled.sqlstate:
            raise
        return Coverage(gaps=("It took too long to find out what was recorded. Choose a target, or a shorter time.",))

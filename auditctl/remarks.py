"""What to say beside an answer: what its filters may have meant instead, and what the log did not record of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from auditctl.coverage import Coverage
from auditctl.database import Connection
from auditctl.log.filters import Filters


@dataclass(frozen=True, slots=True)
class Remarks:
    """What to say of an answer.

    Attributes:
        is_empty: Whether nothing was found.
        hint: A question that names values like those that were not found; empty without one.
        doubts: A sentence about each value that has no effect.
        coverage: What was recorded of what was searched for; empty where something else says it.
    """

    is_empty: bool = False
    hint: str = ""
    doubts: tuple[str, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)


def read(conn: Connection, filters: Filters, covered: Coverage, *, is_empty: bool) -> Remarks:
    """Return what to say of an answer.

    Args:
        conn: The connection.
        filters: The filters, resolved.
        covered: What was recorded of what was searched for.
        is_empty: Whether nothing was found.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    return Remarks(is_empty, filters.suggest(conn) if is_empty else "", filters.doubts(conn), covered)

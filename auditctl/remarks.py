"""What to say beside an answer: what its filters may have meant instead, and what the log did not record of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from auditctl import coverage
from auditctl.coverage import Coverage
from auditctl.database import Connection
from auditctl.log import archived_months
from auditctl.log.archived_months import ArchivedMonths
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


def coverage_of(
    conn: Connection, filters: Filters, now: datetime | None = None, *, is_everywhere: bool = False
) -> Coverage:
    """Return what was recorded of what is selected, and which months were not searched.

    Args:
        conn: The connection.
        filters: The filters, resolved.
        now: The time at which durations are evaluated; None for the clock's.
        is_everywhere: Whether months that are in an archive alone were searched, too.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    covered = coverage.read(conn, filters, now)
    sentence = "" if is_everywhere else unsearched(conn, filters, now)
    return replace(covered, gaps=(sentence, *covered.gaps)) if sentence else covered


def unsearched(conn: Connection, filters: Filters, now: datetime | None = None) -> str:
    """Return a sentence about the months of `archived`, which were not searched; empty without any."""
    return archived_months.sentence(archived(conn, filters, now))


def archived(conn: Connection, filters: Filters, now: datetime | None = None) -> ArchivedMonths:
    """Return the months that may have what is selected, and are in an archive alone.

    Args:
        conn: The connection.
        filters: The filters, resolved.
        now: The time at which durations are evaluated; None for the clock's.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    now = now or datetime.now(UTC)
    since, until = (filters.values[name][0].at(now) if name in filters.values else None for name in ("since", "until"))
    return archived_months.find(conn, filters.targets, since, until)


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

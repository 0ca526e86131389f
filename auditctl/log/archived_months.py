"""Says which months an answer does not have, because the log has them in an archive alone.

Source: auditctl.archived_month, which is empty where nothing was archived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.rows import class_row

from auditctl.database import Connection, read_transaction

_DROPPED = """
    select a.month, a.location, a.targets from auditctl.archived_month as a
     where a.dropped_at is not null and a.ended_at is null
     order by a.month
"""


def exist(conn: Connection) -> bool:
    """Return whether months of the log are in an archive alone.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn):
        return conn.execute(_DROPPED).fetchone() is not None


_RECORDED = """
    select a.month, a.rows as events, a.location, a.archived_at, a.dropped_at from auditctl.archived_month as a
     where a.ended_at is null
     order by a.month
"""


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """A month of a log that is in an archive.

    Attributes:
        month: The month, such as 2026-05.
        events: How many events it has.
        location: The archive.
        archived_at: When its files were complete.
        dropped_at: When the database dropped it; None if it has the events, too.
    """

    month: str
    events: int
    location: str
    archived_at: datetime
    dropped_at: datetime | None


def read(conn: Connection) -> list[ArchivedMonth]:
    """Return the months that are in an archive, oldest first.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn), conn.cursor(row_factory=class_row(ArchivedMonth)) as cursor:
        return cursor.execute(_RECORDED.encode()).fetchall()


@dataclass(frozen=True, slots=True)
class ArchivedMonths:
    """Months of a log that are in an archive alone.

    Attributes:
        months: Each, such as 2026-05, in their order.
        places: The archives that have them.
    """

    months: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def names(self) -> str:
        """The months as text, of which several in a row are one: `2026-08 to 2026-10`."""
        return month_ranges(self.months)

    def has_some(self, since: datetime, until: datetime) -> bool:
        """Return whether a part of one of them is in a period, whose end is not part of it."""
        return any(_overlaps(month, since, until) for month in self.months)

    @property
    def verb(self) -> str:
        """What stands behind the months: is, or are."""
        return "is" if len(self.months) == 1 else "are"

    @property
    def archive(self) -> str:
        """The archives as text."""
        return f"the archive {' and '.join(self.places)}"


def find(
    conn: Connection,
    targets: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ArchivedMonths:
    """Return the months that are in an archive alone.

    Args:
        conn: The connection.
        targets: Only those with events of these registered names; None for all.
        since: Only those with a time from this one on; None for the beginning.
        until: Only those with a time before this one; None for the end.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn):
        rows = conn.execute(_DROPPED).fetchall()
    found = [
        (month, location)
        for month, location, names in rows
        if _overlaps(month, since, until) and (targets is None or not set(names).isdisjoint(targets))
    ]
    return ArchivedMonths(tuple(month for month, _ in found), tuple(dict.fromkeys(location for _, location in found)))


def sentence(found: ArchivedMonths) -> str:
    """Return a sentence about months that were not searched; empty without any."""
    if not found.months:
        return ""
    return (
        f"Not searched: {found.names}, which {found.verb} in {found.archive}."
        " With --everywhere, the commands log, show, history, export and stats read it, too."
    )


def _overlaps(month: str, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or _month(since) <= month) and (
        until is None or month < _month(until) or (month == _month(until) and not _begins(until))
    )


def _month(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.year:04}-{utc.month:02}"


def _begins(at: datetime) -> bool:
    """Return whether a time is the first moment of its month in UTC."""
    return at == at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_ranges(months: Iterable[str]) -> str:
    """Return months in their order as text, of which several in a row are a range: `2026-05, 2026-08 to 2026-10`."""
    return ", ".join(_ranges(months))


def _ranges(months: Iterable[str]) -> Iterator[str]:
    first = last = ""
    for month in (*months, ""):
        if first and month != following(last):
            yield first if first == last else f"{first} to {last}"
            first = ""
        first, last = first or month, month


def following(month: str) -> str:
    """Return the month after one."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"

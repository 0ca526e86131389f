"""Says which months an answer does not have, because the log has them in an archive alone.

Source: auditctl.archived_month, which is empty where nothing was archived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

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


def sentence(
    conn: Connection,
    targets: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> str:
    """Return a sentence about the months that were not searched; empty if all were.

    Args:
        conn: The connection.
        targets: The registered names that were searched for; None for all.
        since: The time from which on was searched; None for the beginning.
        until: The time before which was searched; None for the end.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn):
        rows = conn.execute(_DROPPED).fetchall()
    found = [
        (month, location)
        for month, location, names in rows
        if (since is None or _month(since) <= month)
        and (until is None or month < _month(until) or (month == _month(until) and not _begins(until)))
        and (targets is None or not set(names).isdisjoint(targets))
    ]
    if not found:
        return ""
    places = " and ".join(dict.fromkeys(location for _, location in found))
    months = month_ranges(month for month, _ in found)
    return (
        f"Not searched: {months}, which {'is' if len(found) == 1 else 'are'} in the archive {places}."
        " With --everywhere, the commands log, show, history, export and stats read it, too."
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
        if first and month != _next(last):
            yield first if first == last else f"{first} to {last}"
            first = ""
        first, last = first or month, month


def _next(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"

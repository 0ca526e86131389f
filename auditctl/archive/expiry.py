"""Deletes the files of archived months whose events have all expired. The database decides which these are.

The log announces each deletion before it begins; from then on, the month counts as deleted. What the files do not let
one do is a problem of that month alone. Source: sql/functions/60_upkeep/archive_expiry.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row

from auditctl import database, place
from auditctl.archive import layout, month_place, origin, settings
from auditctl.archive.layout import MonthKey
from auditctl.archive.month_deletion import MonthDeletion
from auditctl.database import Connection
from auditctl.errors import AuditctlError, DatabaseError
from auditctl.text import plural

Report = Callable[[str, int, int], None]
"""Takes the month, and how many bytes of how many are read."""


@dataclass(frozen=True, slots=True)
class ExpiredMonth:
    """A month whose files should be deleted.

    Attributes:
        archive_id: The number of its record.
        month: The month in UTC, such as 2026-05.
        location: Where it was written to.
        database: The name of the database in the paths of its files.
        rows: How many events it has.
        manifest: The digest of its manifest.
        is_announced: Whether the log says already that it is deleted.
    """

    archive_id: int
    month: str
    location: str
    database: str
    rows: int
    manifest: str
    is_announced: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of such a month.

    Attributes:
        month: The month.
        location: The archive.
        rows: How many events it has.
        kept: The files that stay, as they are not those that were written.
        problem: Why nothing was deleted; empty if the month was.
    """

    month: str
    location: str
    rows: int
    kept: tuple[str, ...] = ()
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What was deleted, for people; empty for nothing."""
        if self.problem:
            return ""
        return f"{self.month}: {plural(self.rows, 'event')} deleted from {self.location}; their time is over."

    @property
    def warning(self) -> str:
        """What stays, for people; empty for nothing."""
        if self.problem:
            return f"{self.month} has expired, but its files in {self.location} stay: {self.problem}"
        if self.kept:
            return f"these files stay, as they are not what auditctl wrote: {', '.join(self.kept)}"
        return ""

    @property
    def data(self) -> dict[str, Any]:
        """What was deleted, for JSON."""
        return {
            "step": "delete", "month": self.month, "location": self.location, "dropped": self.rows,
            "kept_files": list(self.kept),
        }  # fmt: skip


def read(conn: Connection) -> list[ExpiredMonth]:
    """Return the months whose files should be deleted, oldest first.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with conn.cursor(row_factory=class_row(ExpiredMonth)) as cursor:
        return cursor.execute("select * from auditctl.expired_archives()").fetchall()


def run(conn: Connection, report: Report = lambda _month, _done, _total: None) -> Iterator[Deletion]:
    """Delete the files of expired months; yield each month when that is done, or when it cannot be.

    Args:
        conn: An administrator's connection. Another one makes sure that nobody else archives: `exclusive.alone`.
        report: What takes the progress.

    Raises:
        DatabaseError: The connection is gone, or the login is not an administrator.
        PlaceError: The store was restored or copied: the files may be those of the original.
    """
    months = read(conn)
    if not months:
        return
    place.require(conn)
    store, elsewhere = origin.read(conn), settings.read(conn).to
    for month in months:
        try:
            done = _delete(conn, month, store, elsewhere, report)
        except AuditctlError as error:
            if isinstance(error, DatabaseError) and not database.is_at_rest(conn):
                raise
            done = Deletion(month.month, month.location, month.rows, problem=str(error))
        if done is not None:
            yield done


def _delete(
    conn: Connection, month: ExpiredMonth, store: dict[str, Any], elsewhere: str | None, report: Report
) -> Deletion | None:
    """Delete the files of a month; return None if it may not be deleted any more."""
    key = MonthKey(month.database, month.month)
    files = month_place.find(key, month.location, elsewhere, (layout.MANIFEST, layout.DELETION))
    deletion = MonthDeletion(files, key, store, month.manifest)
    manifest = deletion.manifest()
    if manifest is None:
        raise AuditctlError(f"{files.shown(key.folder)} is missing, as seen from this machine")
    total = sum(part.bytes for part in manifest.parts)
    kept = deletion.kept(manifest, lambda done: report(month.month, done, total))
    if not month.is_announced and not _announce(conn, month, kept):
        return None
    deletion.begin(manifest)
    deletion.remove(manifest, kept)
    with database.transaction(conn):
        conn.execute("select auditctl.end_expiry(%s)", [month.archive_id])
    deletion.end()
    shown = tuple(files.shown(key.path(name)) for name in kept)
    return Deletion(month.month, files.name, month.rows, shown)


def _announce(conn: Connection, month: ExpiredMonth, kept: tuple[str, ...]) -> bool:
    with database.errors_translated(), database.transaction(conn):
        conn.execute("set transaction isolation level read committed")
        row = conn.execute("select auditctl.announce_expiry(%s, %s)", [month.archive_id, list(kept)]).fetchone()
    return row is not None and row[0] is not None

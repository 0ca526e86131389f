"""The months that are in files alone; and what is left where the writing anew of one was stopped.

Needs no library of the extra `archive`. Source: auditctl.archived_month.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.rows import class_row

from auditctl.archive import layout, month_place, origin, settings
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.month_files import MonthFiles
from auditctl.database import Connection

_MONTHS = """
    select a.archive_id, a.month, a.location, a.database, a.manifest, a.dropped_at < a.archived_at as is_rewritten
      from auditctl.archived_month as a
     where a.dropped_at is not null and a.ended_at is null and a.expired_at is null
     order by a.month, a.archive_id
"""


@dataclass(frozen=True, slots=True)
class DroppedMonth:
    """A month that is in files alone.

    Attributes:
        archive_id: The number of its record.
        month: The month in UTC, such as 2026-05.
        location: Where it was written to.
        database: The name of the database in the paths of its files.
        manifest: The digest of its manifest.
        is_rewritten: Whether it was written anew after it was dropped, as values were erased.
    """

    archive_id: int
    month: str
    location: str
    database: str
    manifest: str
    is_rewritten: bool

    @property
    def key(self) -> MonthKey:
        """The month in the layout of archives."""
        return MonthKey(self.database, self.month)


def read(conn: Connection) -> list[DroppedMonth]:
    """Return the months, oldest first.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with conn.cursor(row_factory=class_row(DroppedMonth)) as cursor:
        return cursor.execute(_MONTHS).fetchall()


def place(conn: Connection, month: DroppedMonth) -> Files:
    """Return the archive that has a month. Raises as `month_place.find`."""
    return month_place.find(month.key, month.location, settings.read(conn).to)


def is_unfinished(conn: Connection, month: DroppedMonth) -> bool:
    """Return whether the writing anew of a month is not finished: it goes on, or was stopped.

    Raises:
        UsageError, OutputError: As `month_place.find`.
    """
    return layout.is_unfinished(place(conn, month).names(month.key.folder))


def settle(conn: Connection, months: Iterable[DroppedMonth]) -> list[str]:
    """Finish the writing anew of months that the log has recorded, undo others; return the folders of both.

    Args:
        conn: An administrator's connection. Another one makes sure that nobody else archives: `exclusive.alone`.
        months: The months to look at.

    Raises:
        ArchiveError: The files are not those that the log recorded.
        OutputError: A file cannot be read, written or removed.
    """
    done, store = [], origin.read(conn)
    for month in months:
        files = place(conn, month)
        if MonthFiles(files, month.key, store).settle(month.manifest):
            done.append(files.shown(month.key.folder))
    return done

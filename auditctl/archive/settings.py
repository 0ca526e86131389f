"""Where months are archived, and which ones stay in the database: what [archive] in the file states.

Sources: auditctl.archiving, auditctl.archived_month.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class Settings:
    """What is stated about archives.

    Attributes:
        to: The archive, a folder or `s3://BUCKET/PREFIX`; None for where a month was archived last.
        keep_hot: Months that ended within this time stay in the database, such as `6 months`; None to archive every
            month that is over.
    """

    to: str | None = None
    keep_hot: str | None = None


def read(conn: Connection) -> Settings:
    """Return what is stated.

    Raises:
        DatabaseError: The login may not read the configuration.
    """
    row = conn.execute("select location, keep_hot from auditctl.archiving").fetchone()
    return Settings(*row) if row else Settings()


def last_location(conn: Connection) -> str | None:
    """Return where a month was archived last; None if none ever was.

    Raises:
        DatabaseError: The login may not read the log.
    """
    row = conn.execute("select location from auditctl.archived_month order by archive_id desc limit 1").fetchone()
    return None if row is None else row[0]

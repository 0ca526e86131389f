"""Lets one session at a time change the archive of a database. Needs no library of the extra `archive`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError


@contextmanager
def alone(conn: Connection) -> Iterator[None]:
    """Make this the one session that changes the archive during the block, which leaves the connection alone.

    Raises:
        DatabaseError: Another one is running, or the login is not an administrator.
    """
    with database.transaction(conn):
        row = conn.execute("select auditctl.begin_archiving()").fetchone()
        if row and row[0]:
            raise DatabaseError(
                f"another auditctl archive is running: {row[0]}",
                hint="Run it again when that one has ended.",
                sqlstate=database.LOCKED,
            )
        yield

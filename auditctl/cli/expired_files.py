"""Deletes the files of archived months whose events have all expired, for `maintain` and `archive`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from auditctl.archive import exclusive, expiry
from auditctl.archive.expiry import Deletion
from auditctl.cli import progress
from auditctl.cli.printing import print_warning
from auditctl.cli.session import ADMIN, Session
from auditctl.database import LOCKED, Connection
from auditctl.errors import DatabaseError


def delete(session: Session, conn: Connection, say: Callable[[str], None], *, is_alone: bool = False) -> list[Deletion]:
    """Delete them, and say so; warn of what stays.

    Args:
        session: The options before the command.
        conn: An administrator's connection.
        say: What takes a sentence about each month that was deleted.
        is_alone: Whether another connection makes sure already that nobody else changes the archive.

    Returns:
        The months that were deleted.

    Raises:
        DatabaseError: The connection is gone, or the login is not an administrator.
        PlaceError: The store was restored or copied.
    """
    if not expiry.read(conn):
        return []
    deleted: list[Deletion] = []
    try:
        with nullcontext() if is_alone else _alone(session), progress.bar(session, "reading expired files") as show:
            for one in expiry.run(conn, lambda _month, done, total: show(done, total)):
                if one.warning:
                    print_warning(one.warning)
                if one.sentence:
                    deleted.append(one)
                    say(one.sentence)
    except DatabaseError as error:
        if error.sqlstate != LOCKED:
            raise
        session.say(f"{error}. The files of expired months are left to the next run.")
    return deleted


@contextmanager
def _alone(session: Session) -> Iterator[None]:
    with session.connect(ADMIN) as holder, exclusive.alone(holder):
        yield

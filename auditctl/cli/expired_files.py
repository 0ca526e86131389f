"""Deletes the files of expired months, and finishes the writing anew of others, for `maintain` and `archive`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from auditctl.archive import dropped_months, exclusive, expiry
from auditctl.archive.expiry import Deletion
from auditctl.cli import progress
from auditctl.cli.printing import print_warning
from auditctl.cli.session import ADMIN, Session
from auditctl.database import LOCKED, Connection
from auditctl.errors import AuditctlError, DatabaseError


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
    _settle(session, conn, is_alone=is_alone)
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


def _settle(session: Session, conn: Connection, *, is_alone: bool) -> None:
    """Finish or undo the writing anew of months that was stopped; maintain, which runs often, looks at few months."""
    for month in dropped_months.read(conn):
        try:
            if (is_alone or month.is_rewritten) and dropped_months.is_unfinished(conn, month):
                with nullcontext() if is_alone else _alone(session):
                    for folder in dropped_months.settle(conn, [month]):
                        session.say(f"Finished what was stopped while {folder} was written anew.")
        except AuditctlError as error:
            if isinstance(error, DatabaseError) and error.sqlstate != LOCKED:
                raise
            print_warning(f"whether erased values are left in the files of {month.month} is not known: {error}")


@contextmanager
def _alone(session: Session) -> Iterator[None]:
    with session.connect(ADMIN) as holder, exclusive.alone(holder):
        yield

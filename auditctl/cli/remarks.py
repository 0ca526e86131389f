"""Says the remarks on an answer on standard error."""

from __future__ import annotations

from auditctl import remarks
from auditctl.cli.session import Session
from auditctl.database import Connection
from auditctl.log.filters import Filters
from auditctl.remarks import Remarks


def read(conn: Connection, filters: Filters, *, is_empty: bool, is_everywhere: bool = False) -> Remarks:
    """Return what to say of an answer.

    Args:
        conn: The connection.
        filters: The filters, resolved.
        is_empty: Whether nothing was found.
        is_everywhere: Whether months that are in an archive alone were searched, too.

    Raises:
        DatabaseError: The login may not read the log.
    """
    covered = remarks.coverage_of(conn, filters, is_everywhere=is_everywhere)
    return remarks.read(conn, filters, covered, is_empty=is_empty)


def say(session: Session, said: Remarks, *, nothing: str, is_verbose: bool) -> None:
    """Say it.

    Args:
        session: Where to.
        said: What to say.
        nothing: The sentence for an empty answer.
        is_verbose: Whether to say of each table what was not recorded, however many there are.
    """
    covered = said.coverage
    if said.is_empty:
        say_nothing(session, nothing, said.hint)
    details = covered.details if is_verbose else ("Add -v to see each of them.",) if covered.details else ()
    for sentence in (*said.doubts, *covered.gaps, *details, *(covered.notes if said.is_empty else ())):
        session.say(sentence)


def say_nothing(session: Session, message: str, hint: str) -> None:
    """Say that nothing was found, and what may have been meant."""
    session.say(message)
    if hint:
        session.say(f"hint: {hint}")

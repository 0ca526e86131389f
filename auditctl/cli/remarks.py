"""Says beside an answer what its filters may have meant instead, and what the log did not record of it."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl import coverage
from auditctl.cli.session import Session
from auditctl.coverage import Coverage
from auditctl.database import Connection
from auditctl.log.filters import Filters


@dataclass(frozen=True, slots=True)
class Remarks:
    """What to say of an answer.

    Attributes:
        is_empty: Whether nothing was found.
        hint: A question that names values like those that were not found; empty without one.
        doubts: A sentence about each value that has no effect.
        coverage: What was recorded of what was searched for.
    """

    is_empty: bool
    hint: str
    doubts: tuple[str, ...]
    coverage: Coverage


def read(conn: Connection, filters: Filters, *, is_empty: bool) -> Remarks:
    """Return what to say of an answer; its filters are resolved.

    Raises:
        DatabaseError: The login may not read the log.
    """
    hint = filters.suggest(conn) if is_empty else ""
    return Remarks(is_empty, hint, filters.doubts(conn), coverage.read(conn, filters))


def say(session: Session, remarks: Remarks, *, nothing: str, is_verbose: bool) -> None:
    """Say it.

    Args:
        session: Where to.
        remarks: What to say.
        nothing: The sentence for an empty answer.
        is_verbose: Whether to say of each table what was not recorded, however many there are.
    """
    covered = remarks.coverage
    if remarks.is_empty:
        say_nothing(session, nothing, remarks.hint)
    details = covered.details if is_verbose else ("Add -v to see each of them.",) if covered.details else ()
    for sentence in (*remarks.doubts, *covered.gaps, *details, *(covered.notes if remarks.is_empty else ())):
        session.say(sentence)


def say_nothing(session: Session, message: str, hint: str) -> None:
    """Say that nothing was found, and what may have been meant."""
    session.say(message)
    if hint:
        session.say(f"hint: {hint}")

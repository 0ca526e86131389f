"""Places, releases and lists legal holds: events that maintain may not delete.

Source: auditctl.hold and its functions (sql/functions/60_upkeep/hold.sql).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from auditctl import table_names
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log import target_names
from auditctl.text import in_quotes, is_glob


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold, in force or released.

    Attributes:
        hold_id: Its number.
        target: A target, or a glob over targets.
        target_id: The object; None for all of the target.
        reason: Why it was placed.
        placed_by: The login that placed it.
        placed_at: When.
        released_by: The login that released it; None while it is in force.
        released_at: When it was released.
        release_reason: Why it was released.
    """

    hold_id: int
    target: str
    target_id: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    release_reason: str | None


MOST_COUNTED = 1_000_000
"""Of a hold on a whole target no more events are counted."""


def count(conn: Connection, target: str, target_id: str | None) -> int:
    """Return how many events a hold would keep now, of a whole target at most `MOST_COUNTED`.

    Raises:
        DatabaseError: The target is not a valid glob, or the login may not read the log.
    """
    row = conn.execute("select auditctl.count_held(%s, %s, %s)", [target, target_id, MOST_COUNTED]).fetchone()
    events: int = row[0] if row else 0
    return events


def count_archives(conn: Connection, target: str) -> int:
    """Return how many archived months have files with events of a target, which a hold on it or an object of it keeps.

    Raises:
        DatabaseError: The target is not a valid glob, or the login may not read the log.
    """
    row = conn.execute("select auditctl.count_held_archives(%s)", [target]).fetchone()
    months: int = row[0] if row else 0
    return months


def resolve_target(conn: Connection, text: str) -> str:
    """Return what the store takes for the target of a hold: a glob as it is, so that it means later targets too.

    Raises:
        UsageError: It is empty, or the log knows no such target.
    """
    if not text.strip():
        raise UsageError("the target is empty", hint="Name what to hold, for example billing.invoice.")
    targets = target_names.read(conn)
    text = text if any(target.name == text for target in targets) else table_names.canonical(text)
    if any(target.name == text for target in targets) or not is_glob(text):
        return target_names.resolve_one(text, targets)
    if not any(fnmatchcase(target.name, text) for target in targets):
        raise UsageError(f"the log knows no table {in_quotes(text)}", hint="List what is audited with: auditctl tables")
    return text


def add(conn: Connection, target: str, target_id: str | None, reason: str) -> int:
    """Place a hold; return its number.

    Raises:
        DatabaseError: The target or the reason is not valid, or the login may not place holds.
    """
    row = conn.execute("select auditctl.place_hold(%s, %s, %s)", [target, target_id, reason]).fetchone()
    number: int = row[0] if row else 0
    return number


def release(conn: Connection, hold_id: int, reason: str) -> None:
    """Release a hold.

    Raises:
        DatabaseError: There is no such hold in force, or the login may not release it.
    """
    conn.execute("select auditctl.release_hold(%s, %s)", [hold_id, reason])


def read(conn: Connection, *, released: bool = False) -> tuple[Hold, ...]:
    """Return the holds by number; with `released` those that were released too."""
    rows = conn.execute(
        "select hold_id, target, target_id, reason, placed_by, placed_at, released_by, released_at, release_reason "
        "from auditctl.hold where released_at is null or %s order by hold_id",
        [released],
    )
    return tuple(Hold(*row) for row in rows)

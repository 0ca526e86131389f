"""Says who holds the lock for want of which a command failed: process, program and login.

Source: queries/lock_holders.sql, which sees what commands of auditctl lock, also for logins without privileges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditctl import resources
from auditctl.errors import DatabaseError
from auditctl.names import INSTALL_LOCK

if TYPE_CHECKING:
    import psycopg

IS_LOCKED = "is locked by another session"
"""The end of a message that does not name the session yet."""


def is_unexplained(error: DatabaseError) -> bool:
    """Whether an error is for want of a lock, and does not say who holds it."""
    return str(error).endswith(IS_LOCKED)


def explain(conn: psycopg.Connection[Any], error: DatabaseError) -> DatabaseError:
    """Return the error with the names of up to three sessions; the same if they are gone by now."""
    rows = conn.execute(resources.sql_text("queries/lock_holders.sql").encode(), {"install": INSTALL_LOCK}).fetchall()
    if not rows:
        return error
    return DatabaseError(
        f"{error}: {', '.join(holder for (holder,) in rows)}", hint=error.hint, sqlstate=error.sqlstate
    )

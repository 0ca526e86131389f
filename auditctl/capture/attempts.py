"""Decides whether a plan that failed is made anew: the database may have changed after it was made."""

from __future__ import annotations

from auditctl import database
from auditctl.errors import AuditctlError, DatabaseError

MAX_PLANS = 20
"""How many plans in a row may become outdated before anything of them is done."""


def count(error: AuditctlError, attempts: int) -> int:
    """Return how many plans in a row became outdated; raise the error if a new plan would not help, or none has."""
    if not _may_be_outdated(error):
        raise error
    if attempts + 1 == MAX_PLANS:
        raise DatabaseError(
            f"the database changed {MAX_PLANS} times while a plan for it was being applied",
            hint="Each table is as before or done. Look for a session that changes tables or rules all the time; then "
            "repeat the command, for fewer tables at once with --only or --batch.",
        ) from error
    return attempts + 1


def _may_be_outdated(error: AuditctlError) -> bool:
    """Whether an error may come from a plan that somebody else has carried out, or made impossible, meanwhile."""
    if not isinstance(error, DatabaseError):
        return True
    return error.sqlstate is not None and error.sqlstate[:2] in ("42", "2B", "XX") and error.sqlstate != database.DENIED

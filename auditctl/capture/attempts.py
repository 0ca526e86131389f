"""Decides whether a plan that failed is made anew: the database may have changed after it was made."""

from __future__ import annotations

from collections.abc import Iterable

from auditctl import database, resources
from auditctl.capture.execute import OutdatedPlanError, UnfinishedError
from auditctl.capture.model import Audited
from auditctl.database import Connection
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


def may_recur(error: AuditctlError) -> bool:
    """Whether the same plan could fail so again in the same database; if not, the database has changed meanwhile."""
    return not isinstance(error, OutdatedPlanError) or isinstance(error, UnfinishedError)


def version(conn: Connection, audited: Iterable[Audited]) -> object:
    """Return what differs if tables were changed meanwhile, also if back again (sql/queries/relation_version.sql)."""
    relations = [relation.oid for one in audited for relation in (one.root, *one.members)]
    return conn.execute(resources.sql_text("queries/relation_version.sql"), {"relations": relations}).fetchone()


def _may_be_outdated(error: AuditctlError) -> bool:
    """Whether an error may come from a plan that somebody else has carried out, or made impossible, meanwhile."""
    if not isinstance(error, DatabaseError):
        return True
    return error.sqlstate is not None and error.sqlstate[:2] in ("42", "2B", "XX") and error.sqlstate != database.DENIED

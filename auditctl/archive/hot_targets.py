"""Which events stay in the database when maintain drops their archived month: hot ones. The files have them, too.

They are what auditctl recorded of itself, such as rules, grants, upkeep and erasures: by them coverage and verify know
what to say of all other events. What nothing else needs may be much: who looked at the log, and what import-log found
in the server's log. Source: auditctl.stays_hot (sql/functions/60_upkeep/hot.sql), which must say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Table

_OWN = "auditctl."
_COLD = (
    "auditctl.ddl_statement", "auditctl.export", "auditctl.lookup", "auditctl.refusal", "auditctl.role_statement",
    "auditctl.session", "auditctl.sign_in",
)  # fmt: skip


def stays_hot(target: str) -> bool:
    """Return whether the events of a target stay in the database."""
    return target.startswith(_OWN) and target not in _COLD


def condition(events: Table) -> BooleanValue:
    """Return what is true of the archived events that stay in the database."""
    return events.target.startswith(_OWN) & events.target.notin(_COLD)

"""Reads what keeps writes from the log, or repeats them there, although every trigger is in place.

No change of a plan repairs it. A table or view may have the former name of an audited table, a rewrite rule may take
the place of writes, and logical replication may bring events that capture records again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from auditctl import resources
from auditctl.capture.scope import Scope
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class FormerName:
    """A relation that is not audited and has the former name of an audited table.

    Attributes:
        name: Its registered name.
        target: The present name of the table that was audited under it.
        capture: That table's row of auditctl.capture; empty if it is no longer audited.
        columns: The columns of both.
        kind: `table`, `view` or `materialized view`.
    """

    name: str
    target: str
    capture: dict[str, Any]
    columns: tuple[str, ...]
    kind: str


def former_names(conn: Connection) -> tuple[FormerName, ...]:
    """Return the relations with the former name of an audited table (sql/queries/former_name.sql), by name."""
    ((has_names,),) = conn.execute("select exists (select from auditctl.rename)")
    if not has_names:  # the rule, and it takes a tenth of the time of `enable` to find that out below
        return ()
    rows = conn.execute(resources.sql_text("queries/former_name.sql").encode()).fetchall()
    return tuple(
        FormerName(name, target, capture or {}, tuple(columns), kind) for name, target, capture, columns, kind in rows
    )


def sentences(conn: Connection, covered: Collection[str], limits: Scope | None = None) -> tuple[str, ...]:
    """Return a sentence for each thing that keeps writes from the log, or repeats them there.

    Args:
        conn: The connection; needs SELECT on auditctl.capture.
        covered: The registered names of the tables that a rule covers.
        limits: The tables to look at; None for all, and what concerns the whole log.
    """
    names = [
        f"{former.name} is a {former.kind} that is not audited: the table that had this name is {former.target} now. "
        "See: auditctl doctor"
        for former in former_names(conn)
        if former.name not in covered and (limits is None or limits.includes(former.name))
    ]
    rules = [
        f"rule {rule} keeps writes to {target} from its triggers, and was created or replaced after them. "
        "See: auditctl doctor"
        for target, rule in conn.execute("select target, rule from auditctl.new_write_rules()")
        if limits is None or limits.includes(target)
    ]
    if limits is not None:
        return (*names, *rules)
    replicated = [
        f"{problem}. See: auditctl doctor"
        for _, problem, *_ in conn.execute(resources.sql_text("queries/doctor/log_subscribed.sql").encode())
    ]
    return (*names, *rules, *replicated)

"""Counts the events that hold in the clear what a plan hides from now on: masking changes nothing that was recorded."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg.types.json import Jsonb

from auditctl import resources
from auditctl.capture.model import Audited
from auditctl.database import Connection
from auditctl.text import plural

_MAY_READ = "select has_table_privilege('auditctl.event', 'select')"

MOST = 100_000
"""How many events of a column are counted."""


def sentences(conn: Connection, audited: Iterable[Audited]) -> tuple[str, ...]:
    """Return a sentence for each column that a plan hides and that earlier events hold (queries/still_clear.sql).

    Args:
        conn: The connection; needs SELECT on auditctl.event, without which nothing is counted.
        audited: The tables with the rules that should be in force.
    """
    tables = [
        {"relation": one.root.oid, "target": one.target, "hidden": one.rule.hidden}
        for one in audited
        if one.rule.hidden
    ]
    if not tables or conn.execute(_MAY_READ).fetchone() != (True,):
        return ()
    parameters = {"tables": Jsonb(tables), "most": MOST}
    rows = conn.execute(resources.sql_text("queries/still_clear.sql").encode(), parameters).fetchall()
    return tuple(_sentence(*row) for row in rows)


def _sentence(target: str, column: str, events: int) -> str:
    least = "at least " if events == MOST else ""
    number = plural(events, "earlier event")
    return f"{target}: {least}{number} {'holds' if events == 1 else 'hold'} {column} in the clear, and will go on to"

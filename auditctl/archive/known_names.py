"""What readers of an archive need beside the events: labels, keys and former names of tables, as the log knows them.

Sources: auditctl.target, auditctl.event_type, auditctl.rename, and the targets of the log's events.
"""

from __future__ import annotations

from psycopg.sql import SQL

from auditctl import resources
from auditctl.archive.manifest import Rename, Target
from auditctl.database import Connection

_RENAMES = """
    select to_char(r.renamed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), r.old_target, r.new_target
      from auditctl.rename as r order by r.renamed_at, r.new_target
"""


def targets(conn: Connection) -> tuple[Target, ...]:
    """Return every target of the log by name (queries/archive/target.sql)."""
    names = SQL(resources.sql_text("queries/event_target.sql"))
    known = SQL(resources.sql_text("queries/known_target.sql")).format(event_target=names)
    query = SQL(resources.sql_text("queries/archive/target.sql")).format(known_target=known)
    return tuple(
        Target(name, label, later_name, tuple(key_columns), tuple(key_types))
        for name, label, later_name, key_columns, key_types in conn.execute(query)
    )


def renames(conn: Connection) -> tuple[Rename, ...]:
    """Return every rename of an audited table, in their order."""
    return tuple(Rename(*row) for row in conn.execute(_RENAMES.encode()))

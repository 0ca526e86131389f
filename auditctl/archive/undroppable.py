"""Finds archived months that must stay in the database, as their files are not where the log says.

The database compares events; only a program that reaches the files can see that these are there. `maintain` asks before
it drops a month.
"""

from __future__ import annotations

from datetime import date

from psycopg.rows import class_row

from auditctl.archive import inspection
from auditctl.archive.inspection import RecordedMonth
from auditctl.database import Connection

_MAY_READ = "select has_table_privilege('auditctl.archived_month', 'select')"

_DUE = """
    select month, location, database, manifest, (select location from auditctl.archiving) as elsewhere
      from auditctl.archived_month where dropped_at is null and ended_at is null
"""


def find(conn: Connection) -> dict[str, str]:
    """Return what is wrong with months that maintain would drop, by the month; what is sound is left out.

    Manifests and the sizes of files are compared; doctor compares their bytes, too. Nothing is found for a login that
    may not read the log: it is refused to drop anything.
    """
    if conn.execute(_MAY_READ).fetchone() != (True,):
        return {}
    with conn.cursor(row_factory=class_row(RecordedMonth)) as cursor:
        return inspection.inspect(cursor.execute(_DUE).fetchall(), date.min, most=0)

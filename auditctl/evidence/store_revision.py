"""Compares the store's revision with the one that the log recorded: a false one must not keep anybody from verifying.

Sources: auditctl.alembic_version, and the newest event of auditctl.store.
"""

from __future__ import annotations

from auditctl import revision
from auditctl.database import Connection
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.stored_tables import REVISION, TABLES
from auditctl.names import STORE_REVISION

_STORED = "select v.version_num::text from auditctl.alembic_version as v order by v.version_num"

_RECORDED = """
    select e.target_id
      from auditctl.event as e
     where e.action = 'EVENT' and e.target = 'auditctl.store'
     order by e.event_id desc
     limit 1
"""

_IS_EMPTY = """
    select not exists (select from auditctl.event)
       and not exists (select from auditctl.block)
       and not exists (select from auditctl.checkpoint)
"""


def report_difference(conn: Connection, report: Report, readable: frozenset[str]) -> None:
    """Report a revision that is not this tool's, unless the log shows that an installation wrote it.

    Args:
        conn: The connection, in a transaction that reads the log.
        report: What is found.
        readable: The tables that are as they were created.

    Raises:
        StoreError: The store is one of another version of this tool.
        PlaceError: The store was restored without its rows.
    """
    if REVISION not in readable:
        return  # reported as a table
    stored = [row[0] for row in conn.execute(_STORED).fetchall()]
    if stored == [STORE_REVISION]:
        return
    is_whole = readable.issuperset(TABLES)
    if not stored and is_whole and conn.execute(_IS_EMPTY).fetchone() == (True,):
        revision.require(conn)
    row = conn.execute(_RECORDED).fetchone() if "event" in readable else None
    recorded = row[0] if row else None
    if len(stored) == 1 and "event" in readable and (stored == [recorded] or (recorded is None and not is_whole)):
        revision.require(conn)
    names = " and ".join(stored) or "none"
    if len(stored) == 1 and "event" in readable and recorded is None:
        report.note(f"the store has revision {names}, and the log no longer has the event that recorded it")
        return
    expected = f"the log recorded {recorded}" if recorded is not None else f"this auditctl has {STORE_REVISION}"
    sentence = f"the revision in auditctl.{REVISION} is {names}, and {expected}"
    report.add(Finding("table", sentence, column="version_num"))

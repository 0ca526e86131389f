"""What the database says of its archive: which months it recorded, and the tree that it has sealed.

Source: events of target auditctl.archive, and the stored tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auditctl.archive import month_place, settings
from auditctl.archive.announced_months import TARGET, AnnouncedMonths
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey, is_month
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.evidence import stored_tree
from auditctl.evidence.checkpoint import EvidenceError

_EVENTS = """
    select e.event_id, e.new_values from auditctl.event as e
     where e.target = %s and e.action = 'EVENT' order by e.event_id
"""

_SIZE = "select coalesce(max(b.first_leaf + b.events + 1), 0) from auditctl.block as b"


@dataclass(slots=True)
class LogRecord:
    """What a database says of its archive.

    Attributes:
        conn: The connection, in the transaction in which the log is verified.
        databases: The names that the database had when months were archived, and its name now.
        announced: The months that its events record.
        newest: The month that was archived last, and where it was written to; None if none was.
    """

    conn: Connection
    databases: set[str] = field(default_factory=set)
    announced: AnnouncedMonths = field(default_factory=AnnouncedMonths)
    newest: tuple[MonthKey, str] | None = None

    def place(self) -> Files:
        """Return the archive: where a month was archived last, or where the file says that archives are now.

        Raises:
            UsageError: No month was archived, or the place is not one of an archive.
            OutputError: A place cannot be read.
            DatabaseError: The login may not read the configuration.
        """
        if self.newest is None:
            raise UsageError("no month was archived", hint="Name the archive: --archive PATH")
        return month_place.find(*self.newest, settings.read(self.conn).to)

    def root(self, size: int) -> bytes | None:
        """Return the root of the first leaves of the log's tree; None if it has fewer, or hashes are missing."""
        (stored,) = self.conn.execute(_SIZE).fetchone() or (0,)
        try:
            return stored_tree.root(self.conn, size) if size <= stored else None
        except EvidenceError:
            return None


def read(conn: Connection) -> LogRecord:
    """Return what the database of a connection says.

    Raises:
        DatabaseError: The login may not read the log.
    """
    (name,) = conn.execute("select current_database()").fetchone() or ("",)
    record = LogRecord(conn, {str(name)})
    for event_id, values in conn.execute(_EVENTS, [TARGET]).fetchall():
        document: dict[str, Any] = values if isinstance(values, dict) else {}
        record.announced.add_values(str(name), event_id, document)
        if isinstance(database := document.get("database"), str):
            record.databases.add(database)
        location, month = document.get("location"), document.get("month")
        if isinstance(location, str) and isinstance(month, str) and is_month(month):
            record.newest = MonthKey(database if isinstance(database, str) else str(name), month), location
    return record

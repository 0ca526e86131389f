"""Decides where a request reads events: in the log alone, or with its archived months, as the settings say."""

from __future__ import annotations

from auditctl.database import Connection
from auditctl.web.reading import LogReading, Reading
from auditctl.web.request import Visit


def of(visit: Visit, conn: Connection) -> Reading:
    """Return what reads events for a request.

    Args:
        visit: The request.
        conn: The visitor's connection.
    """
    if visit.app.archive is None:
        return LogReading(conn)
    from auditctl.web.everywhere import EverywhereReading  # the extra `archive` is there

    return EverywhereReading(visit, conn, visit.app.archive)

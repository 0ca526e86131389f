"""Writes the configuration that the database has as the file that states it."""

from __future__ import annotations

from auditctl.archive import settings
from auditctl.capture import accepted, admin_limit, event_types, rule_store
from auditctl.capture.config import document
from auditctl.database import Connection
from auditctl.retention import times


def read(conn: Connection) -> str:
    """Return the file: all sections.

    Raises:
        DatabaseError: The login may not read the configuration.
    """
    parts = rule_store.read(conn), event_types.read(conn), times.read(conn), admin_limit.read(conn)
    return document.dump(*parts, accepted.read(conn), settings.read(conn))

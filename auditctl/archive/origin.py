"""Which database the files of an archive come from, so that those of another one are never taken for its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditctl import resources
from auditctl.database import Connection

_IDENTITY = ("system_identifier", "database_oid")


def read(conn: Connection) -> dict[str, Any]:
    """Return what manifests say of the database (queries/archive/origin.sql).

    Returns:
        `system_identifier` as text, `database_oid`, `server_version` as a number such as 150013, and `lower_is_ascii`:
        whether the database's lower() changes ASCII letters alone.
    """
    row = conn.execute(resources.sql_text("queries/archive/origin.sql").encode()).fetchone()
    return dict(row[0]) if row else {}


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two descriptions are of one database."""
    return all(name in one and one[name] == other.get(name) for name in _IDENTITY)

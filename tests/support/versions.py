"""What a version of PostgreSQL knows, and how a test makes sure of it on the servers that do not."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

MERGE = 150000
MERGE_BY_SOURCE = 170000
COPY_ON_ERROR = 170000
VIRTUAL_COLUMNS = 180000


def knows(conn: psycopg.Connection, since: int, statement: LiteralString) -> bool:
    """Run a statement that PostgreSQL has known since a version; an older server must refuse its syntax."""
    if conn.info.server_version >= since:
        conn.execute(statement)
        return True
    with pytest.raises(psycopg.errors.SyntaxError):
        conn.execute(statement)
    return False

"""Runs the statements of a plan in as few round trips as possible, and says which one failed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg import sql

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError


def run(conn: Connection, statements: Iterable[tuple[str, str]]) -> None:
    """Run statements that need no result, inside the caller's transaction, in one round trip if libpq can.

    Args:
        conn: The connection.
        statements: What each is about, for an error, and its text.

    Raises:
        DatabaseError: One failed.
    """
    sent: list[tuple[str, psycopg.Cursor[Any]]] = []
    try:
        with database.errors_translated(), conn.pipeline() if psycopg.Pipeline.is_supported() else nullcontext():
            for subject, text in statements:
                cursor = conn.cursor()
                sent.append((subject, cursor))
                # The database wrote it: in binary mode, the server accepts a single statement only.
                cursor.execute(sql.SQL(text.replace("{", "{{").replace("}", "}}")).format(), binary=True, prepare=False)
    except DatabaseError as error:
        subject = next((subject for subject, cursor in sent if cursor.statusmessage is None), "")
        if isinstance(error.__cause__, psycopg.Error):
            raise database.translate(error.__cause__, subject) from error.__cause__
        raise

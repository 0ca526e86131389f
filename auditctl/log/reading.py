"""The transaction that the log is read in: it disturbs no writer, and no text that was recorded can end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.abc import Buffer
from psycopg.adapt import Loader

from auditctl import database, resources
from auditctl.database import Connection

_TEXTS = ("text", "name")
"""The types that the queries of the log return, beside numbers."""


class _LenientText(Loader):
    """Takes what is no UTF-8 for U+FFFD: PostgreSQL does not check every text that reaches a table."""

    def load(self, data: Buffer) -> str:
        """Return the text."""
        return str(data, "utf-8", "replace")


@contextmanager
def reading(conn: Connection) -> Iterator[None]:
    """Run the block in a transaction made for reading the log (queries/reading.sql), errors translated."""
    for name in _TEXTS:
        conn.adapters.register_loader(name, _LenientText)
    with database.errors_translated(), database.transaction(conn):
        conn.execute(resources.sql_text("queries/reading.sql"), prepare=False)  # two statements
        yield

"""Indexes the recorded values of the current month, up to its last full hour, without making writers wait.

Months that are over are indexed by the steps of upkeep, which are functions. In the current month only `create index
concurrently` makes no writer wait, and no function can run it: a session that acts as the log's owner has to. It may be
ended at any point; the next run drops what is incomplete.
Source: auditctl.value_index_work (sql/functions/60_upkeep/value_index.sql).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.names import ROLE_OWNER
from auditctl.text import iso_utc

PATIENCE = "60s"
"""How long a statement waits for transactions that are older than it; nobody waits for it meanwhile."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done about the current month.

    Attributes:
        partition: Its partition.
        month: The month, such as 2026-11.
        until: Before when events are indexed; None if an index is only dropped.
        index: The name of the index that is made; None for none.
        statements: What does it, one by one, outside of a transaction.
    """

    partition: str
    month: str
    until: datetime | None
    index: str | None
    statements: tuple[str, ...]


def find(conn: Connection) -> Work | None:
    """Return what is to be done, None if nothing is; the caller's transaction says whether indexes are wanted.

    Raises:
        DatabaseError: The login may not do upkeep.
    """
    row = conn.execute("select partition, month, until, index, statements from auditctl.value_index_work()").fetchone()
    return Work(row[0], row[1], row[2], row[3], tuple(row[4])) if row and row[4] else None


def run(conn: Connection, work: Work) -> Iterator[Mapping[str, Any]]:
    """Do it, and record it; yield the data of its step, or those of a skipped one.

    Args:
        conn: The connection, outside of a transaction.
        work: From `find`.

    Raises:
        DatabaseError: A statement failed, other than for want of a lock.
    """
    data = {"step": "index", "partition": work.partition, "month": work.month}
    skipped = {"step": "skip", "partition": work.partition, "reason": None}
    if not _may_own(conn):
        if work.until is not None:
            yield {**skipped, "note": f"its values are indexed once the month is over; before, it takes {_WHO}"}
        return
    try:
        with _owning(conn):
            for statement in work.statements:
                conn.execute(statement.encode())
        if work.until is None or work.index is None:
            return
        with database.transaction(conn), database.acting_as(conn, ROLE_OWNER):
            data["until"] = iso_utc(work.until)
            conn.execute(
                "select auditctl_internal.record_upkeep(%s, 'values indexed', %s::jsonb"
                " || jsonb_build_object('bytes', pg_relation_size(%s::regclass)))",
                [work.partition, Jsonb(data), work.index],
            )
    except DatabaseError as error:
        if error.sqlstate not in database.BUSY:
            raise
        reason = "its values could not be indexed, as a transaction that was running did not end within a minute"
        yield {**skipped, "reason": f"{work.partition}: {reason}"}
        return
    yield data


_WHO = "a superuser, or where none installed, the login that did"


def _may_own(conn: Connection) -> bool:
    """Return whether the login may change the log's tables: the coverage guard lets nobody but superusers."""
    row = conn.execute(resources.sql_text("queries/may_index.sql").encode()).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _owning(conn: Connection) -> Iterator[None]:
    """Run the block's statements as the log's owner, each in a transaction of its own."""
    try:
        with database.errors_translated():
            conn.execute("set role auditctl_owner")
            conn.execute(
                "select set_config('lock_timeout', %s, false), set_config('default_tablespace', '', false)", [PATIENCE]
            )
            yield
    finally:
        if database.is_at_rest(conn):
            conn.execute("reset role")
            conn.execute("reset lock_timeout")
            conn.execute("reset default_tablespace")

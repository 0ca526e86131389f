"""Indexes the recorded values of the current month, up to its last full hour, without making writers wait.

Months that are over are indexed by the steps of upkeep, which are functions. In the current month only `create index
concurrently` makes no writer wait, and no function can run it: a session that acts as the log's owner has to. It may be
ended at any point; the next run drops what is incomplete.
Source: auditctl.value_index_work (sql/functions/60_upkeep/value_index.sql).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.names import ROLE_OWNER, VALUE_INDEX_LOCK
from auditctl.session_settings import SETTINGS
from auditctl.text import iso_utc

PATIENCE = "60s"
"""How long a statement waits for transactions that are older than it; no writer waits for it meanwhile."""

_WHO = "a superuser, or where none installed, the login that did"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done about the current month.

    Attributes:
        partition: Its partition.
        month: The month, such as 2026-11.
        until: The time before which events are indexed; None if indexes are only dropped.
        index: The name of the index that is made; None for none.
        statements: What does it, one by one, outside of a transaction.
    """

    partition: str
    month: str
    until: datetime | None
    index: str | None
    statements: tuple[str, ...]


def run(conn: Connection, ask: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
    """Do what is due, and record it; yield the data of each step, or those of a skipped one.

    Args:
        conn: The connection, outside of a transaction.
        ask: Says in a transaction whether indexes are wanted.

    Raises:
        DatabaseError: The login may not do upkeep, or a statement failed, other than for want of a lock.
    """
    work = _find(conn, ask)
    if work is None:
        return
    skipped = {"step": "skip", "partition": work.partition, "reason": None}
    if not _may_own(conn):
        if work.until is not None:
            yield {**skipped, "note": f"its values are indexed once the month is over; before, it takes {_WHO}"}
        return
    with _alone(conn) as is_alone:
        if not is_alone:
            yield {**skipped, "note": "another session is indexing its values"}
            return
        try:
            yield from _work(conn, ask)
        except DatabaseError as error:
            if error.sqlstate not in database.BUSY:
                raise
            reason = "an index of its values has to wait, as a transaction that was running did not end within a minute"
            yield {**skipped, "reason": f"{skipped['partition']}: {reason}"}


def _work(conn: Connection, ask: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
    """Do and record what is due by now, and after it the removal of what it replaces."""
    while work := _find(conn, ask):
        with _owning(conn):
            for statement in work.statements:
                conn.execute(statement.encode())
        if work.until is None or work.index is None:
            return
        yield _record(conn, work, work.index, work.until)


def _find(conn: Connection, ask: Callable[[], None]) -> Work | None:
    """Return what is to be done, None if nothing is."""
    with database.transaction(conn):
        ask()
        row = conn.execute(
            "select partition, month, until, index, statements from auditctl.value_index_work()"
        ).fetchone()
    return Work(row[0], row[1], row[2], row[3], tuple(row[4])) if row and row[4] else None


def _record(conn: Connection, work: Work, index: str, until: datetime) -> Mapping[str, Any]:
    """Record that an index was made; return the data of the step."""
    data = {"step": "index", "partition": work.partition, "month": work.month, "until": iso_utc(until)}
    with database.transaction(conn), database.acting_as(conn, ROLE_OWNER):
        conn.execute(
            "select auditctl_internal.record_upkeep(%s, 'values indexed', %s::jsonb"
            " || jsonb_build_object('bytes', pg_relation_size(%s::regclass)))",
            [work.partition, Jsonb(data), index],
        )
    return data


def _may_own(conn: Connection) -> bool:
    """Return whether the login may change the log's tables: the coverage guard lets nobody but superusers."""
    row = conn.execute(resources.sql_text("queries/may_index.sql").encode()).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _alone(conn: Connection) -> Iterator[bool]:
    """Keep other runs away during the block; whether none was there."""
    row = conn.execute("select pg_try_advisory_lock(%s)", [VALUE_INDEX_LOCK]).fetchone()
    is_alone = row is not None and bool(row[0])
    try:
        yield is_alone
    finally:
        if is_alone and database.is_at_rest(conn):
            conn.execute("select pg_advisory_unlock(%s)", [VALUE_INDEX_LOCK])


@contextmanager
def _owning(conn: Connection) -> Iterator[None]:
    """Run the block's statements as the log's owner, each in a transaction of its own."""
    try:
        with database.errors_translated():
            conn.execute("set role auditctl_owner")
            conn.execute("select set_config('lock_timeout', %s, false)", [PATIENCE])
            yield
    finally:
        if database.is_at_rest(conn):
            conn.execute("reset role")
            conn.execute("select set_config('lock_timeout', %s, false)", [SETTINGS["lock_timeout"]])

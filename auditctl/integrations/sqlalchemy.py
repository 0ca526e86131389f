"""Names the user of `auditctl.acting_as` on the connections of a SQLAlchemy engine, sync or async.

What the ORM, Core, bulk operations and executemany send is covered: whatever an engine's connection executes. What goes
to the driver's connection past SQLAlchemy is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine, event

from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations import current, psycopg_connections
from auditctl.integrations.current import LOOK_UP, Reads, Sent, Settings
from auditctl.integrations.statements import undoes_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

_KEY = "auditctl"
"""The name under which the state stands in the `info` of a connection."""

_PLACEHOLDERS = {"pyformat": "%s %s %s", "format": "%s %s %s", "numeric_dollar": "$1 $2 $3", "qmark": "? ? ?"}
"""By the driver's style: the placeholders of three parameters that are given as a sequence."""

_ENDS = ("begin", "commit", "rollback", "begin_twophase", "prepare_twophase", "commit_twophase", "rollback_twophase")
"""The events of a connection at which a transaction begins or ends."""


def instrument(engine: Engine | AsyncEngine, *, reads: bool | None = None) -> None:
    """Send the user of `auditctl.acting_as` with each transaction of an engine that may write.

    It costs one statement for each such transaction, in one round trip with BEGIN where the driver is psycopg 3; a
    transaction that only reads costs nothing, unless reads are recorded.

    Args:
        engine: The engine, of a driver for PostgreSQL.
        reads: Whether statements that only read need the user, too; None to look up once whether a rule records reads.

    Raises:
        UsageError: It is not an engine, or not for PostgreSQL, or connections are in use already, which might miss it.
        TransactionRequired: By a statement that may write, inside `acting_as`: of an engine in autocommit, or in a text
            that also begins or ends a transaction.
    """
    # The class of async engines cannot be loaded without greenlet, which sync applications need not have.
    sync = getattr(engine, "sync_engine", engine)
    if not isinstance(sync, Engine):
        raise UsageError(f"{type(engine).__name__} is not an engine", hint="Pass what create_engine returned.")
    if sync.dialect.name != "postgresql":
        raise UsageError(f"the engine is for {sync.dialect.name}, and auditctl works in PostgreSQL")
    if getattr(sync.pool, "checkedout", int)():
        raise UsageError("connections of the engine are in use", hint="Call instrument right after create_engine.")
    if event.contains(sync, "before_cursor_execute", _Instrument.marker):
        return
    _Instrument(sync, Reads(reads))


class _Instrument:
    def __init__(self, engine: Engine, reads: Reads) -> None:
        self._reads = reads
        self._sql = current.SQL.format(*_PLACEHOLDERS[engine.dialect.paramstyle].split())
        event.listen(engine, "before_cursor_execute", self._before_execute)
        event.listen(engine, "rollback_savepoint", self._doubt)
        for name in _ENDS:
            event.listen(engine, name, self._forget)
        event.listen(engine, "before_cursor_execute", self.marker)

    @staticmethod
    def marker(*_: Any) -> None:
        """Mark an engine that is instrumented."""

    def _before_execute(self, conn: Connection, cursor: Any, statement: str, *execution: Any) -> None:
        sent = conn.info.setdefault(_KEY, Sent())
        if self._reads.must_look_up(statement):
            with _part_of(conn, cursor, statement, *execution):
                self._reads.are_recorded = _look_up(conn)
        due = sent.due(statement, self._reads)
        if due is not None and _may_send(conn, due):
            with _part_of(conn, cursor, statement, *execution):
                self._send(conn.connection.dbapi_connection, due)
            sent.note(due)
        if undoes_settings(statement):  # Also where it fails in part.
            sent.doubt()

    def _send(self, driver: Any, due: Settings) -> None:
        if isinstance(driver, psycopg.Connection):
            psycopg_connections.send(driver, due)
        elif isinstance(getattr(driver, "driver_connection", None), psycopg.AsyncConnection):
            driver.run_async(lambda conn: psycopg_connections.send_async(conn, due))
        else:
            cursor = driver.cursor()
            try:
                cursor.execute(self._sql, tuple(due))
            finally:
                cursor.close()

    def _forget(self, conn: Connection, *_: Any) -> None:
        if (sent := _sent(conn)) is not None:
            sent.forget()

    def _doubt(self, conn: Connection, *_: Any) -> None:
        if (sent := _sent(conn)) is not None:
            sent.doubt()


def _sent(conn: Connection) -> Sent | None:
    """Return what the transaction was sent; None if nothing was yet, or the connection is lost, which has no `info`."""
    return None if conn.invalidated else conn.info.get(_KEY)


def _may_send(conn: Connection, due: Settings) -> bool:
    """Return whether there is a transaction for settings; False where none are needed."""
    if not getattr(conn.connection.dbapi_connection, "autocommit", False):
        return True
    if due == current.NOBODY:
        return False
    raise TransactionRequired(hint="Use an engine without AUTOCOMMIT for statements that write.")


@contextmanager
def _part_of(conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, _: bool) -> Iterator[None]:
    """Raise errors as those of the statement: SQLAlchemy translates them, and drops connections that are gone."""
    # SQLAlchemy 2.0 calls what comes before a statement outside of where it does that; 2.1 does not.
    try:
        yield
    except BaseException as error:
        conn._handle_dbapi_exception(error, statement, parameters, cursor, context)
        raise


def _look_up(conn: Connection) -> bool:
    cursor: Any = conn.connection.cursor()
    try:
        cursor.execute(LOOK_UP)
        return bool(cursor.fetchone()[0])
    finally:
        cursor.close()

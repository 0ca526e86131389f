"""Names the user of `auditctl.acting_as` on the connections of a pool of psycopg, or on one connection."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, Connection

from auditctl.errors import UsageError
from auditctl.integrations.current import Reads
from auditctl.integrations.psycopg_connections import prepare

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

_MARK = "_auditctl"


def instrument(
    pool: ConnectionPool[Any] | AsyncConnectionPool[Any] | Connection[Any] | AsyncConnection[Any],
    *,
    reads: bool | None = None,
) -> None:
    """Send the user of `auditctl.acting_as` with each transaction that may write.

    Whatever cursors of the connections execute, stream and copy is covered, also connections that the pool has open. It
    costs one statement for each transaction that may write, in one round trip with BEGIN, or in autocommit with the
    statement; a transaction that only reads costs nothing, unless reads are recorded. Cursors that are made by their
    class, such as `ClientCursor(conn)`, are not covered: set `conn.cursor_factory` instead.

    Args:
        pool: The pool, or one connection.
        reads: Whether statements that only read need the user, too; None to look up once whether a rule records reads.

    Raises:
        UsageError: Connections of the pool are in use, which would miss it.
        TransactionRequired: By a text of several statements that writes, and begins or ends a transaction.
    """
    known = Reads(reads)
    if isinstance(pool, Connection | AsyncConnection):
        prepare(pool, known)
        return
    if hasattr(pool, _MARK):
        return
    stats = pool.get_stats()
    # A new pool opens its first connections in the background, so that none is available yet.
    if stats.get("requests_num") and stats["pool_size"] > stats["pool_available"]:
        raise UsageError("connections of the pool are in use", hint="Call instrument right after you make the pool.")
    setattr(pool, _MARK, known)
    pool.getconn = _preparing(pool.getconn, known)  # type: ignore[method-assign]


def _preparing(getconn: Any, reads: Reads) -> Any:
    if inspect.iscoroutinefunction(getconn):

        @wraps(getconn)
        async def getconn_async(*args: Any, **options: Any) -> Any:
            conn = await getconn(*args, **options)
            prepare(conn, reads)
            return conn

        return getconn_async

    @wraps(getconn)
    def getconn_sync(*args: Any, **options: Any) -> Any:
        conn = getconn(*args, **options)
        prepare(conn, reads)
        return conn

    return getconn_sync

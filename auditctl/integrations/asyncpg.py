"""Names the user of `auditctl.acting_as` on the connections of a pool of asyncpg, or on one connection.

Whatever a connection executes, its prepared statements, cursors and COPY included, goes through the object that speaks
the protocol: there the settings are sent, in front of what may write.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from asyncpg import Connection, InterfaceError, Pool
from asyncpg.protocol import Protocol

from auditctl.errors import UsageError
from auditctl.integrations import current
from auditctl.integrations.current import LOOK_UP, Reads, Sent, Settings
from auditctl.integrations.statements import runs_alone, undoes_settings

_EXECUTE = frozenset({"query", "bind_execute", "bind_execute_many", "bind", "execute", "copy_in", "copy_out"})
"""The methods of the protocol that execute a statement, which is their first argument."""

_LOOK_UP = f"select from ({LOOK_UP}) as answer (is_recorded) where is_recorded"
"""Returns a row if reads are recorded: of a simple query, asyncpg returns the number of rows alone."""


def instrument(pool: Pool[Any] | Connection[Any], *, reads: bool | None = None) -> None:
    """Send the user of `auditctl.acting_as` with each transaction that may write.

    It costs one statement for each transaction that may write; a statement that may write outside of a transaction gets
    one of its own, with BEGIN and COMMIT. What only reads costs nothing, unless reads are recorded.

    Args:
        pool: The pool, or one connection of `asyncpg.connect`.
        reads: Whether statements that only read need the user, too; None to look up once whether a rule records reads.

    Raises:
        UsageError: Connections of the pool are in use, which would miss it, or this version of asyncpg is not known.
        TransactionRequired: By a text of several statements that writes, and begins or ends a transaction.
    """
    if missing := [name for name in (*_EXECUTE, "is_in_transaction") if not hasattr(Protocol, name)]:
        raise UsageError(f"this version of asyncpg is not known: its protocol has no {', '.join(missing)}")
    known = Reads(reads)
    if isinstance(pool, Connection):
        _prepare(pool, known)
    elif not hasattr(pool, "_auditctl"):
        if pool.get_size() > pool.get_idle_size():
            raise UsageError("connections of the pool are in use", hint="Call instrument right after create_pool.")
        pool.__class__ = _pool_class(type(pool), known)


def _pool_class(base: Any, reads: Reads) -> Any:
    async def acquire(pool: Any, *args: Any, **options: Any) -> Any:
        conn = await base._acquire(pool, *args, **options)
        _prepare(conn._con, reads)
        return conn

    return type(base.__name__, (base,), {"__slots__": (), "_auditctl": reads, "_acquire": acquire})


def _prepare(conn: Any, reads: Reads) -> None:
    if not isinstance(conn._protocol, _ActingProtocol):
        conn._protocol = _ActingProtocol(conn._protocol, reads)


class _ActingProtocol:
    """Stands before what speaks the protocol, and sends settings before statements."""

    __slots__ = ("_is_busy", "_owns_transaction", "_protocol", "_reads", "_sent")

    def __init__(self, protocol: Any, reads: Reads) -> None:
        self._protocol, self._reads = protocol, reads
        self._sent = Sent()
        self._is_busy = self._owns_transaction = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._protocol, name)
        return partial(self._execute, method) if name in _EXECUTE else method

    async def _execute(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        statement = args[0] if args else options["state"]
        text = statement if isinstance(statement, str) else statement.query
        if self._is_busy:
            # As asyncpg does: else another task's statement could come between settings and theirs.
            raise InterfaceError("cannot perform operation: another operation is in progress")
        self._is_busy = True
        try:
            if self._owns_transaction:
                await self._end("rollback")
            due = await self._due(text)
            if due is not None and not (self._is_idle() and runs_alone(text)):
                if self._is_idle():
                    return await self._execute_in_transaction(due, method, *args, **options)
                await self._query(current.command(due))
                self._sent.note(due)
            return await method(*args, **options)
        finally:
            self._is_busy = False
            if self._sent.is_certain and undoes_settings(text):
                self._sent.doubt()

    async def _due(self, text: str) -> Settings | None:
        """Return the settings to send before a statement; looks up at most once whether reads are recorded."""
        if self._is_idle():
            self._sent.forget()
        if self._reads.must_look_up(text):
            self._reads.are_recorded = await self._query(_LOOK_UP) != "SELECT 0"
        return self._sent.due(text, self._reads)

    async def _execute_in_transaction(
        self, due: Settings, method: Callable[..., Any], *args: Any, **options: Any
    ) -> Any:
        """Execute a statement in a transaction of its own, which it would have been by itself."""
        self._owns_transaction = True
        try:
            await self._query(f"begin; {current.command(due)}")
            result = await method(*args, **options)
        except BaseException:
            # Also where BEGIN was cancelled: whether it took effect is not known yet. Where the connection is gone, the
            # error of the statement says more. If this is cancelled, too, the next statement does it.
            with suppress(Exception):
                await self._end("rollback")
            raise
        await self._end("commit")
        return result

    async def _end(self, command: str) -> None:
        await self._query(command)
        self._owns_transaction = False

    async def _query(self, text: str) -> Any:
        return await self._protocol.query(text, None)

    def _is_idle(self) -> bool:
        return not self._protocol.is_in_transaction()

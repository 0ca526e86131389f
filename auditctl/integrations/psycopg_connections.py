"""Makes connections of psycopg, sync and async, send the user of `auditctl.acting_as` before what may write.

What psycopg sends it sends in generators, the same ones for sync and async, while it holds the lock of the connection.
Those that send a statement are wrapped, once in a process; each asks its connection whether it is instrumented. So
every cursor is covered, no matter who made it, and no other statement can come between the settings and theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, Connection, Cursor, ServerCursor, sql

from auditctl.errors import UsageError
from auditctl.integrations.current import Reads, Sent, Settings
from auditctl.integrations.psycopg_steps import State, Steps, end_after, send_settings, with_settings

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

_STATE = "_auditctl"
"""The attribute of a connection with its `State`, and of a pool with its `Reads`."""

_PLAIN = (Cursor, "_execute_gen")
"""What sends a statement that may be part of a pipeline."""

_STATEMENTS = (
    _PLAIN,
    (Cursor, "_executemany_gen_pipeline"),
    (Cursor, "_executemany_gen_no_pipeline"),
    (Cursor, "_stream_send_gen"),
    (Cursor, "_start_copy_gen"),
    (ServerCursor, "_declare_gen"),
)
"""Whatever sends a statement of an application, which is its first argument."""

_LOCK = Lock()


def instrument(
    pool: ConnectionPool[Any] | AsyncConnectionPool[Any] | Connection[Any] | AsyncConnection[Any],
    *,
    reads: bool | None = None,
) -> None:
    """Send the user of `auditctl.acting_as` with each transaction that may write.

    Whatever cursors of the connections execute, stream and copy is covered, also of connections that are open or in
    use. It costs one statement for each transaction that may write, in one round trip with BEGIN, or in autocommit with
    the statement; a transaction that only reads costs nothing, unless reads are recorded.

    Args:
        pool: The pool, or one connection.
        reads: Whether statements that only read need the user, too; None to look up once whether a rule records reads.

    Raises:
        UsageError: It is neither, or this version of psycopg is not known.
        TransactionRequired: By a text of several statements that writes, and begins or ends a transaction.
    """
    if isinstance(pool, Connection | AsyncConnection):
        prepare(pool, Reads(reads))
    elif hasattr(pool, "getconn"):
        _wrap_psycopg()
        vars(pool).setdefault(_STATE, Reads(reads))
    else:
        raise UsageError(f"{type(pool).__name__} is not a pool or connection of psycopg")


def prepare(conn: Connection[Any] | AsyncConnection[Any], reads: Reads) -> None:
    """Make a connection send the user; one that does already takes over whether reads are recorded.

    Raises:
        UsageError: This version of psycopg is not known.
    """
    _wrap_psycopg()
    vars(conn).setdefault(_STATE, State(reads)).reads = reads


def send(conn: Connection[Any], due: Settings) -> None:
    """Send settings in the running transaction of a connection, or with the BEGIN of a new one."""
    with conn.lock:
        conn.wait(send_settings(conn, due))


async def send_async(conn: AsyncConnection[Any], due: Settings) -> None:
    """Do the same for an async connection."""
    async with conn.lock:
        await conn.wait(send_settings(conn, due))


def sent_on(conn: Any) -> Sent | None:
    """Return what the running transaction of a connection was sent; None if it is not instrumented."""
    state = _state(conn)
    return None if state is None else state.sent


def _state(conn: Any) -> State | None:
    """Return the state of a connection that is instrumented, itself or its pool; None for others."""
    names = vars(conn)
    state: State | None = names.get(_STATE)
    if state is None and (reads := getattr(names.get("_pool"), _STATE, None)) is not None:
        state = names[_STATE] = State(reads)
    return state


def _wrap_psycopg() -> None:
    """Wrap what psycopg sends with, if it is not yet."""
    wrappers: list[tuple[type[Any], str, Callable[..., Any]]] = [
        (_owner(*place), place[1], partial(_sending, is_plain=place is _PLAIN)) for place in _STATEMENTS
    ]
    wrappers += [(_owner(Connection, "_exec_command"), "_exec_command", _noting)]
    for kind in (Connection, AsyncConnection):
        wrappers += [(_owner(kind, "_try_cancel"), "_try_cancel", _cancelling), (_owner(kind, "wait"), "wait", _ending)]
    with _LOCK:
        if hasattr(AsyncConnection.wait, _STATE):
            return
        for owner, name, wrapper in wrappers:
            wrapped = wraps(vars(owner)[name])(wrapper(vars(owner)[name]))
            setattr(wrapped, _STATE, True)
            setattr(owner, name, wrapped)


def _owner(kind: type[Any], name: str) -> type[Any]:
    """Return the class that defines a method of a class of psycopg."""
    for owner in kind.__mro__:
        if name in vars(owner):
            return owner
    raise UsageError(f"this version of psycopg is not known: {kind.__name__} has no {name}")


def _sending(method: Callable[..., Steps], *, is_plain: bool) -> Callable[..., Steps]:
    """Return a method of a cursor that sends what is due before its statement."""

    def send(cursor: Any, query: Any, *args: Any, **options: Any) -> Steps:
        state = _state(cursor._conn)
        steps = method(cursor, query, *args, **options)
        if state is None or cursor.closed:
            return steps
        return with_settings(cursor._conn, state, _text_of(cursor._conn, query), steps, is_plain=is_plain)

    return send


def _noting(method: Callable[..., Steps]) -> Callable[..., Steps]:
    """Return the method of a connection for commands of its own, BEGIN and SAVEPOINT for example, which notes them."""

    def execute(conn: Any, command: Any, *args: Any, **options: Any) -> Steps:
        if (state := _state(conn)) is not None:
            state.note_command(conn, _text_of(conn, command))
        return method(conn, command, *args, **options)

    return execute


def _cancelling(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a connection that cancels what runs, so that what would follow is not sent."""

    def cancel(conn: Any, *args: Any, **options: Any) -> Any:
        if (state := _state(conn)) is not None:
            state.is_cancelled = True
        return method(conn, *args, **options)

    return cancel


def _ending(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a connection that takes the steps of others, and ends a transaction of one statement."""

    def wait(conn: Any, steps: Steps, *args: Any, **options: Any) -> Any:
        state = _state(conn)
        return method(conn, steps if state is None else end_after(conn, state, steps), *args, **options)

    return wait


def _text_of(conn: Any, query: Any) -> str:
    """Return the text of a query, in any form that psycopg takes."""
    if isinstance(query, sql.Composable):
        return query.as_string(conn)
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    # A form that is not known may do anything, as CALL may.
    return query if isinstance(query, str) else "call"

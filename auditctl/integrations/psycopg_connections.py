"""Connections of psycopg, sync and async, that send the user of `auditctl.acting_as` before what may write.

In a transaction the settings go first, in one round trip with BEGIN. In autocommit they and the statement are one
implicit transaction in one round trip; what cannot be part of a pipeline gets a transaction of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, AsyncCursor, AsyncServerCursor, Connection, Cursor, Pipeline, ServerCursor
from psycopg.rows import tuple_row

from auditctl.integrations.current import LOOK_UP, Reads
from auditctl.integrations.psycopg_state import SETTINGS, How, State, text_of

_ENDS = ("commit", "rollback", "tpc_begin", "tpc_prepare", "tpc_commit", "tpc_rollback")

if TYPE_CHECKING:
    _SyncCursor = Cursor[Any]
    _AsyncCursor = AsyncCursor[Any]
else:
    _SyncCursor = _AsyncCursor = object


def prepare(conn: Connection[Any] | AsyncConnection[Any], reads: Reads) -> None:
    """Make a connection send the user; harmless for one that does already."""
    if "_auditctl" in vars(conn):
        return
    state = State(conn, reads, asyncio.Lock() if isinstance(conn, AsyncConnection) else threading.RLock())
    vars(conn)["_auditctl"] = state
    base: Any = type(conn)
    conn.__class__ = _connection_class(base)


def prepare_cursor(cursor: Cursor[Any] | AsyncCursor[Any]) -> None:
    """Make a cursor of an instrumented connection send the user, though it was made by its class."""
    base: Any = type(cursor)
    cursor.__class__ = _cursor_class(base)


def _acting(cursor: Any, query: Any, *, is_plain: bool) -> Any:
    before = _before_async if isinstance(cursor, AsyncCursor) else _before
    return before(cursor.connection, query, is_plain=is_plain)


@cache
def _connection_class(base: Any) -> Any:
    """Return a class of connections derived from another, of the same layout, so that a connection can change to it."""
    methods = {name: _noting(getattr(base, name)) for name in _ENDS}
    factories = {name: _factory(name) for name in ("cursor_factory", "server_cursor_factory")}
    transaction = _noting_block(base.transaction, is_async=issubclass(base, AsyncConnection))
    names = {"__slots__": (), "__module__": base.__module__}
    return type(base.__name__, (base,), {**methods, **factories, "transaction": transaction, **names})


@cache
def _cursor_class(base: Any) -> Any:
    if issubclass(base, _ActingCursor | _AsyncActingCursor):
        return base
    acting = _AsyncActingCursor if issubclass(base, AsyncCursor) else _ActingCursor
    return type(base.__name__, (acting, base), {"__slots__": (), "__module__": base.__module__})


def _factory(name: str) -> property:
    def read(conn: Any) -> Any:
        return _cursor_class(vars(conn)[name])

    def write(conn: Any, factory: Any) -> None:
        vars(conn)[name] = factory

    return property(read, write)


def _noting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a connection that notes that a transaction began or ended."""
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def noting_async(conn: Any, *args: Any, **options: Any) -> Any:
            try:
                return await method(conn, *args, **options)
            finally:
                conn._auditctl.note_change()

        return noting_async

    @wraps(method)
    def noting(conn: Any, *args: Any, **options: Any) -> Any:
        try:
            return method(conn, *args, **options)
        finally:
            conn._auditctl.note_change()

    return noting


def _noting_block(block: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """Return the method `transaction` of a connection, which notes that one begins and ends."""

    @contextmanager
    def noting(conn: Any, *args: Any, **options: Any) -> Iterator[Any]:
        conn._auditctl.note_begin()
        try:
            with block(conn, *args, **options) as transaction:
                yield transaction
        finally:
            conn._auditctl.note_change()

    @asynccontextmanager
    async def noting_async(conn: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        conn._auditctl.note_begin()
        try:
            async with block(conn, *args, **options) as transaction:
                yield transaction
        finally:
            conn._auditctl.note_change()

    return noting_async if is_async else noting


@contextmanager
def _before(conn: Any, query: Any, *, is_plain: bool) -> Iterator[Callable[[], None]]:
    """Send what is due before a statement, which is the block; it gets what lets other threads use the connection."""
    state, text = conn._auditctl, text_of(conn, query)
    with ExitStack() as lock:
        lock.enter_context(state.lock)
        if state.reads.must_look_up(text):
            row = Cursor(conn, row_factory=tuple_row).execute(LOOK_UP).fetchone()
            state.reads.are_recorded = row == (True,)
        how, due = state.plan(text, is_plain=is_plain)
        is_batch = how in (How.WITH_BEGIN, How.TOGETHER) and Pipeline.is_supported()
        try:
            with conn.transaction() if how is How.IN_TRANSACTION else nullcontext():
                with conn.pipeline() if is_batch else nullcontext():
                    if how is not How.NOT:
                        Cursor(conn).execute(SETTINGS, due, prepare=False)
                        state.note(due)
                    if how is How.TOGETHER:
                        yield lock.close
                if how is not How.TOGETHER:
                    yield lock.close
        finally:
            state.note_statement(text)


class _ActingCursor(_SyncCursor):
    __slots__ = ()

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        with _acting(self, query, is_plain=not isinstance(self, ServerCursor)):
            return super().execute(query, *args, **options)

    def executemany(self, query: Any, *args: Any, **options: Any) -> None:
        with _acting(self, query, is_plain=True):
            super().executemany(query, *args, **options)

    def stream(self, query: Any, *args: Any, **options: Any) -> Iterator[Any]:
        # What is streamed may be read in another thread, which could not release the lock.
        rows: Any = super().stream(query, *args, **options)
        with _acting(self, query, is_plain=False) as unlock, closing(rows):
            for row in rows:
                unlock()
                yield row

    @contextmanager
    def copy(self, statement: Any, *args: Any, **options: Any) -> Iterator[Any]:
        with _acting(self, statement, is_plain=False) as unlock, super().copy(statement, *args, **options) as copy:
            unlock()
            yield copy


@asynccontextmanager
async def _before_async(conn: Any, query: Any, *, is_plain: bool) -> AsyncIterator[None]:
    """Send what is due before a statement, which is the block."""
    state, text, task = conn._auditctl, text_of(conn, query), asyncio.current_task()
    async with nullcontext() if state.task is task else _held(state):
        if state.reads.must_look_up(text):
            row = await (await AsyncCursor(conn, row_factory=tuple_row).execute(LOOK_UP)).fetchone()
            state.reads.are_recorded = row == (True,)
        how, due = state.plan(text, is_plain=is_plain)
        is_batch = how in (How.WITH_BEGIN, How.TOGETHER) and Pipeline.is_supported()
        try:
            async with conn.transaction() if how is How.IN_TRANSACTION else nullcontext():
                async with conn.pipeline() if is_batch else nullcontext():
                    if how is not How.NOT:
                        await AsyncCursor(conn).execute(SETTINGS, due, prepare=False)
                        state.note(due)
                    if how is How.TOGETHER:
                        yield
                if how is not How.TOGETHER:
                    yield
        finally:
            state.note_statement(text)


@asynccontextmanager
async def _held(state: State) -> AsyncIterator[None]:
    """Hold the lock of a connection in this task, which may then execute more, as a cursor of an application may."""
    async with state.lock:
        state.task = asyncio.current_task()
        try:
            yield
        finally:
            state.task = None


class _AsyncActingCursor(_AsyncCursor):
    __slots__ = ()

    async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        async with _acting(self, query, is_plain=not isinstance(self, AsyncServerCursor)):
            return await super().execute(query, *args, **options)

    async def executemany(self, query: Any, *args: Any, **options: Any) -> None:
        async with _acting(self, query, is_plain=True):
            await super().executemany(query, *args, **options)

    async def stream(self, query: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async with _acting(self, query, is_plain=False):
            async for row in super().stream(query, *args, **options):
                yield row

    @asynccontextmanager
    async def copy(self, statement: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async with (
            _acting(self, statement, is_plain=False),
            super().copy(statement, *args, **options) as copy,
        ):
            yield copy

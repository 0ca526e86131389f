"""Pools of each driver, used by tests alike: an application that speaks to the driver itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from auditctl.integrations import asyncpg as for_asyncpg
from auditctl.integrations import psycopg as for_psycopg

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

KINDS = ("psycopg", "psycopg autocommit", "psycopg async", "psycopg async autocommit", "asyncpg")

Work = Callable[["Session"], Awaitable[Any]]


class Session:
    """A connection of whichever driver; outside of `transaction` it has what the driver's has."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    async def execute(self, statement: str) -> None:
        result = self.conn.execute(statement)
        if hasattr(result, "__await__"):
            await result

    async def fetch(self, query: str) -> Any:
        """The first column of the first row."""
        if isinstance(self.conn, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
            return await self.conn.fetchval(query)
        cursor = self.conn.execute(query)
        if hasattr(cursor, "__await__"):
            return (await (await cursor).fetchone())[0]
        return cursor.fetchone()[0]

    async def add(self, value: str) -> int:
        """Insert a row; return its key."""
        key = await self.fetch(f"insert into thing (v) values ('{value}') returning id")
        assert isinstance(key, int)
        return key

    async def add_many(self, values: Sequence[str]) -> None:
        """Insert rows by executemany."""
        rows = [(value,) for value in values]
        if isinstance(self.conn, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
            await self.conn.executemany("insert into thing (v) values ($1)", rows)
            return
        cursor = self.conn.cursor()
        result = cursor.executemany("insert into thing (v) values (%s)", rows)
        if hasattr(result, "__await__"):
            await result
        assert cursor.rowcount == len(rows)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        block = self.conn.transaction()
        if hasattr(block, "__aenter__"):
            async with block:
                yield
        else:
            with block:
                yield


class Application:
    """A pool of a driver."""

    def __init__(self, kind: str, login: Login, size: int = 1, **connect: Any) -> None:
        self.kind, self._login, self._size, self._connect = kind, login, size, connect
        self.pool: Any = None

    def instrument(self, **options: Any) -> None:
        (for_asyncpg if self.kind == "asyncpg" else for_psycopg).instrument(self.pool, **options)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Application]:
        connect: Any = {"autocommit": self.kind.endswith("autocommit")} | self._connect
        sizes: Any = {"min_size": self._size, "max_size": self._size}
        if self.kind == "asyncpg":
            known = conninfo_to_dict(self._login.dsn)
            names = {name: known.get(name) for name in ("host", "port", "user", "password")}
            async with asyncpg.create_pool(database=known["dbname"], **names, **sizes, **self._connect) as self.pool:
                yield self
        elif "async" in self.kind:
            async with AsyncConnectionPool(self._login.dsn, kwargs=connect, open=False, **sizes) as self.pool:
                yield self
        else:
            with ConnectionPool(self._login.dsn, kwargs=connect, open=True, **sizes) as self.pool:
                yield self

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        if isinstance(self.pool, ConnectionPool):
            with self.pool.connection() as conn:
                yield Session(conn)
        elif isinstance(self.pool, AsyncConnectionPool):
            async with self.pool.connection() as conn:
                yield Session(conn)
        else:
            async with self.pool.acquire() as conn:
                yield Session(conn)

    async def bulk(self, values: Sequence[str]) -> None:
        """Insert rows by the driver's calls for many: executemany, and COPY."""
        async with self.session() as session:
            conn, rows = session.conn, [(value,) for value in values]
            await session.add_many(values)
            if self.kind == "asyncpg":
                await conn.copy_records_to_table("thing", records=rows, columns=["v"])
            elif "async" in self.kind:
                async with conn.cursor().copy("copy thing (v) from stdin") as copy:
                    for row in rows:
                        await copy.write_row(row)
            else:
                with conn.cursor().copy("copy thing (v) from stdin") as copy:
                    for row in rows:
                        copy.write_row(row)

"""An application on SQLAlchemy, with each driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

if TYPE_CHECKING:
    from tests.fixtures.databases import Login
    from tests.integrations.wire import Traffic, Wire

KINDS = ("psycopg", "psycopg async", "asyncpg")

Work = Callable[[Session], Any]


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    v: Mapped[str | None]


class Application:
    """An application with an engine; each piece of work has a session of its own."""

    def __init__(self, kind: str, login: Login, **options: Any) -> None:
        driver, _, is_async = kind.partition(" ")
        known = {name: str(value) for name, value in conninfo_to_dict(login.dsn).items()}
        # The directory of a socket is no host of a URL.
        url = URL.create(
            f"postgresql+{driver}", known["user"], known.get("password"), None, None, known["dbname"],
            {"host": known["host"], "port": known["port"]},
        )  # fmt: skip
        if is_async or driver == "asyncpg":
            self.engine: Engine | AsyncEngine = create_async_engine(url, **options)
        else:
            self.engine = create_engine(url, **options)

    @property
    def sync(self) -> Engine:
        return self.engine if isinstance(self.engine, Engine) else self.engine.sync_engine

    @property
    def asynchronous(self) -> AsyncEngine:
        assert isinstance(self.engine, AsyncEngine)
        return self.engine

    def run(self, *works: Work) -> list[Any]:
        """Do one piece of work after the other, each in a transaction of its own; return their results."""
        if isinstance(self.engine, Engine):
            return [self._run(self.engine, work) for work in works]
        return asyncio.run(self._run_async(self.engine, works))

    def count(self, wire: Wire, works: Sequence[Work]) -> list[Traffic]:
        """Do each piece of work twice; return what the second time sends."""
        if isinstance(self.engine, Engine):
            return [self._count(self.engine, wire, work) for work in works]
        return asyncio.run(self._count_async(self.engine, wire, works))

    def _count(self, engine: Engine, wire: Wire, work: Work) -> Traffic:
        self._run(engine, work)
        with wire.counting() as traffic:
            self._run(engine, work)
        return traffic

    async def _count_async(self, engine: AsyncEngine, wire: Wire, works: Sequence[Work]) -> list[Traffic]:
        counts = []
        for work in works:
            for _ in range(2):
                async with AsyncSession(engine) as session:
                    with wire.counting() as traffic:
                        await session.run_sync(work)
                        await session.commit()
            counts.append(traffic)
        await engine.dispose()
        return counts

    def _run(self, engine: Engine, work: Work) -> Any:
        with Session(engine) as session:
            result = work(session)
            session.commit()
            return result

    async def _run_async(self, engine: AsyncEngine, works: tuple[Work, ...]) -> list[Any]:
        results = []
        try:
            for work in works:
                async with AsyncSession(engine) as session:
                    results.append(await session.run_sync(work))
                    await session.commit()
        finally:
            await engine.dispose()
        return results

"""Connections of an instrumented pool that several threads use, or that are lost."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest
from psycopg_pool import ConnectionPool

from auditctl import acting_as
from auditctl.errors import UsageError
from auditctl.integrations.psycopg import instrument
from tests.fixtures import templates
from tests.integrations.drivers import KINDS, Application
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


def copied(conn: psycopg.Connection[Any]) -> Iterator[str]:
    with conn.cursor() as cursor, cursor.copy("copy (select write_thing('part')) to stdout") as copy:
        for data in copy:
            yield bytes(data).decode()


def streamed(conn: psycopg.Connection[Any]) -> Iterator[str]:
    with conn.cursor() as cursor:
        for (value,) in cursor.stream("insert into thing (v) values ('part') returning v"):
            yield value


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("answer", [copied, streamed])
def test_each_part_of_an_answer_may_be_read_in_another_thread(
    web: Login, who: Who, answer: Any, autocommit: bool
) -> None:
    with ExitStack() as stack:
        # As a web server does, which asks whatever thread of its pool is free for the next part.
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(4)]
        pool = stack.enter_context(
            ConnectionPool(web.dsn, kwargs={"autocommit": autocommit}, min_size=1, max_size=1, open=True)
        )
        instrument(pool)
        with pool.connection() as conn:
            parts = answer(conn)
            assert threads[0].submit(named, next, parts).result()
            assert [thread.submit(next, parts, "end").result() for thread in threads[1:3]] == ["end", "end"]
            threads[3].submit(named, conn.execute, "insert into thing (v) values ('after')").result()
    assert (who.did("part"), who.did("after")) == (["alice"], ["alice"])


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_connection_that_was_lost_before_raises_the_error_of_a_lost_connection(
    web: Login, who: Who, *, autocommit: bool
) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        instrument(app)
        who.conn.execute("select pg_terminate_backend(%s, 5000)", [app.info.backend_pid])
        with acting_as("alice"), pytest.raises(psycopg.OperationalError, match="terminat"):
            app.execute("insert into thing (v) values ('lost')")
        assert app.closed


def test_a_task_cancelled_at_any_moment_leaves_no_transaction_of_one_statement(web: Login, who: Who) -> None:
    async def serve() -> None:
        app = Application("asyncpg", web)
        async with app.opened():
            app.instrument()
            async with app.session() as session:
                for moment in range(6):
                    with acting_as("alice"):
                        task = asyncio.create_task(session.execute("insert into thing (v) values ('cancelled')"))
                    for _ in range(moment):
                        await asyncio.sleep(0)
                    for _ in range(1 + moment % 2):
                        task.cancel()
                        await asyncio.sleep(0)
                    await asyncio.gather(task, return_exceptions=True)
                    await session.execute("insert into thing (v) values ('after')")
                    assert not session.conn.is_in_transaction()

    asyncio.run(serve())
    assert who.did("after") == ["System"] * 6


def test_a_connection_that_is_lost_raises_what_it_raises_without_auditctl(web: Login) -> None:
    async def serve() -> None:
        app = Application("asyncpg", web)
        async with app.opened():
            app.instrument()
            async with app.session() as session:
                with acting_as("alice"), pytest.raises(asyncpg.ConnectionDoesNotExistError):
                    await session.execute("select pg_terminate_backend(pg_backend_pid())")

    asyncio.run(serve())


@pytest.mark.parametrize("kind", KINDS)
def test_connections_that_are_open_are_covered_and_those_in_use_are_covered_or_refused(
    kind: str, web: Login, who: Who
) -> None:
    app = Application(kind, web)

    async def serve() -> None:
        async with app.opened():
            async with app.session() as session:
                await session.add("before")
                if app.kind == "asyncpg":
                    with pytest.raises(UsageError, match="in use"):
                        app.instrument()
                else:
                    app.instrument()
                    with acting_as("alice"):
                        await session.add("in use")
            app.instrument()
            app.instrument()
            with acting_as("alice"):
                async with app.session() as session:
                    await session.add("after")

    asyncio.run(serve())
    assert (who.did("before"), who.did("after")) == (["System"], ["alice"])
    assert who.did("in use") == ([] if app.kind == "asyncpg" else ["alice"])


def named(call: Any, *args: Any) -> Any:
    with acting_as("alice"):
        return call(*args)


class LockOfTwo:
    """The lock of a connection; another thread gets it between the next release and the acquire after it."""

    def __init__(self, inner: Any, other: threading.Thread) -> None:
        self.inner, self.other, self.is_due = inner, other, False

    def acquire(self) -> bool:
        if self.is_due:
            self.is_due = False
            self.other.start()
            self.other.join()
        return bool(self.inner.acquire())

    def release(self) -> None:
        self.inner.release()

    def __enter__(self) -> None:
        self.inner.acquire()

    def __exit__(self, *_: object) -> None:
        self.inner.release()


def test_what_another_thread_does_while_the_name_is_read_is_heeded(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn) as app:
        instrument(app)

        def write(name: str) -> None:
            with acting_as(name):
                app.execute("insert into thing (v) values (%s)", [name])

        write("alice")
        lock = LockOfTwo(app.lock, threading.Thread(target=write, args=["bob"]))
        app.lock = lock  # type: ignore[assignment]

        def name() -> str:
            lock.is_due = True
            return "alice"

        with acting_as(name):
            app.execute("insert into thing (v) values ('of alice')")
    assert [who.did(value) for value in ("alice", "bob", "of alice")] == [["alice"], ["bob"], ["alice"]]

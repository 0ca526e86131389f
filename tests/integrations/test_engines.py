"""Engines of SQLAlchemy in other uses: several, derived ones, two-phase commits, streams, autocommit, after a fork."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from auditctl import acting_as
from auditctl.errors import TransactionRequired
from auditctl.integrations.sqlalchemy import instrument
from tests.fixtures import templates
from tests.integrations.recorded import THING, Who
from tests.integrations.shop import KINDS, Application, Base, Thing

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))

WRITE = text("insert into thing (v) values (:v)")


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest, web: Login) -> Iterator[Application]:
    made = Application(request.param, web)
    instrument(made.engine)
    yield made
    made.sync.dispose()


@pytest.fixture
def sync(web: Login) -> Iterator[Application]:
    made = Application("psycopg", web)
    instrument(made.engine)
    yield made
    made.sync.dispose()


def test_one_connection_in_autocommit_refuses_to_write_and_the_others_do_not(app: Application, who: Who) -> None:
    def write(session: Session) -> None:
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        session.execute(select(Thing)).all()
        with pytest.raises(TransactionRequired, match="autocommit"):
            session.execute(WRITE, {"v": "refused"})

    with acting_as("alice"):
        app.run(write, lambda session: session.execute(WRITE, {"v": "after"}))
    assert who.facts() == [("after", "alice", None, None, None)]


def test_a_connection_that_is_gone_is_dropped_with_the_error_of_the_statement(
    app: Application, conn: psycopg.Connection, who: Who
) -> None:
    def end_and_write(session: Session) -> None:
        conn.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and usename <> current_user"
        )
        with pytest.raises(DBAPIError) as raised:
            session.execute(WRITE, {"v": "lost"})
        assert raised.value.connection_invalidated
        assert raised.value.statement is not None
        assert "insert into thing" in raised.value.statement
        session.rollback()

    def write(value: str) -> Callable[[Session], object]:
        return lambda session: session.execute(WRITE, {"v": value})

    with acting_as("alice"):
        app.run(write("before"), end_and_write, write("after"))
    assert who.did("before") + who.did("lost") + who.did("after") == ["alice", "alice"]


def test_engines_derived_from_an_instrumented_one_name_the_user_and_others_do_not(
    sync: Application, web: Login, who: Who
) -> None:
    other = Application("psycopg", web)
    derived = sync.sync.execution_options(isolation_level="SERIALIZABLE")
    autocommit = sync.sync.execution_options(isolation_level="AUTOCOMMIT")
    with acting_as("alice"):
        with derived.begin() as conn:
            conn.execute(WRITE, {"v": "derived"})
        with autocommit.connect() as conn, pytest.raises(TransactionRequired):
            conn.execute(WRITE, {"v": "refused"})
        with Session(binds={Base: other.sync}) as session:
            session.add(Thing(v="other"))
            session.commit()
        with Session(binds={Base: sync.sync}) as session:
            session.add(Thing(v="bound"))
            session.commit()
    other.sync.dispose()
    assert [who.did(value) for value in ("derived", "refused", "other", "bound")] == [
        ["alice"], [], ["System"], ["alice"],
    ]  # fmt: skip


def test_a_session_goes_on_after_its_connection_is_lost(app: Application, who: Who) -> None:
    def write(session: Session) -> None:
        who.conn.execute("select pg_terminate_backend(%s, 5000)", [session.scalar(text("select pg_backend_pid()"))])
        with pytest.raises(DBAPIError) as lost:
            session.execute(WRITE, {"v": "lost"})
        assert lost.value.connection_invalidated
        session.rollback()
        session.execute(WRITE, {"v": "after"})

    with acting_as("alice"):
        app.run(write)
    assert who.facts() == [("after", "alice", None, None, None)]


def test_both_phases_of_a_commit_and_savepoints_in_them_carry_the_user(sync: Application, who: Who) -> None:
    for name in ("alice", "bob"):
        with acting_as(name), Session(sync.sync, twophase=True) as session:
            session.add(Thing(v="one"))
            with session.begin_nested():
                session.add(Thing(v="two"))
            session.commit()
    with Session(sync.sync) as session:
        session.add(Thing(v="after"))
        session.commit()
    assert (who.did("one"), who.did("two"), who.did("after")) == (["alice", "bob"], ["alice", "bob"], ["System"])


def test_streams_and_many_rows_with_their_keys_carry_the_user(app: Application, who: Who) -> None:
    def write(session: Session) -> list[int]:
        streamed = text("select write_thing('streamed') from generate_series(1, 3)")
        assert len(list(session.execute(streamed, execution_options={"yield_per": 2}))) == 3
        many = insert(Thing).returning(Thing.id, sort_by_parameter_order=True)
        return list(session.scalars(many, [{"v": f"{number}"} for number in range(1500)]))

    with acting_as("alice"):
        (keys,) = app.run(write)
    assert len(keys) == 1500
    assert keys == sorted(keys)
    assert who.counted() == {"alice": 1503}


@pytest.mark.parametrize("kind", ["psycopg async", "asyncpg"])
def test_streams_and_tasks_of_async_sessions_carry_their_user(kind: str, web: Login, who: Who) -> None:
    async def serve() -> None:
        app = Application(kind, web)
        instrument(app.engine)

        async def write(name: str) -> None:
            async with AsyncSession(app.asynchronous) as session, session.begin():
                with acting_as(name):
                    rows = await session.stream(text("select write_thing('streamed') from generate_series(1, 3)"))
                    assert len([row async for row in rows]) == 3
                await session.execute(WRITE, {"v": "after the block"})

        await asyncio.gather(*(write(name) for name in ("alice", "bob")))
        await app.asynchronous.dispose()

    asyncio.run(serve())
    assert who.counted() == {"alice": 3, "bob": 3, "System": 2}


def test_a_process_that_was_forked_names_the_user_on_connections_of_its_own(sync: Application, who: Who) -> None:
    def write(value: str) -> None:
        with acting_as(value), sync.sync.begin() as conn:
            conn.execute(WRITE, {"v": value})

    write("parent")
    child = os.fork()
    if child == 0:  # As a server does that loads the application before it forks.
        status = 1
        try:
            sync.sync.dispose(close=False)
            write("child")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    write("parent")
    assert (who.did("parent"), who.did("child")) == (["parent", "parent"], ["child"])


def test_a_text_that_ends_a_transaction_and_then_fails_loses_no_user(sync: Application, who: Who) -> None:
    with acting_as("alice"), sync.sync.begin() as conn:
        conn.execute(WRITE, {"v": "before"})
        with pytest.raises(DBAPIError):
            conn.exec_driver_sql("commit; select 1 / 0")
        conn.execute(WRITE, {"v": "after"})
    assert [who.did(value) for value in ("before", "after")] == [["alice"], ["alice"]]


def test_a_sync_engine_needs_no_greenlet() -> None:
    code = """
import sys
sys.modules["greenlet"] = None
from sqlalchemy import create_engine
from auditctl.integrations.sqlalchemy import instrument
instrument(create_engine("postgresql+psycopg://"))
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)

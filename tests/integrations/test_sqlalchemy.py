"""`auditctl.integrations.sqlalchemy`: the user of `acting_as` on engines of each driver, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from sqlalchemy import StaticPool, create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from auditctl import acting_as
from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations.sqlalchemy import instrument
from tests.fixtures import templates
from tests.integrations.recorded import THING, Who
from tests.integrations.shop import KINDS, Application, Thing, Work

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest, web: Login) -> Iterator[Application]:
    with application(request.param, web) as made:
        instrument(made.engine)
        yield made


@contextmanager
def application(kind: str, web: Login, **options: Any) -> Iterator[Application]:
    made = Application(kind, web, **options)
    yield made
    made.sync.dispose()


def add(*values: str) -> Work:
    return lambda session: session.add_all([Thing(v=value) for value in values])


def test_rows_of_each_way_to_write_carry_the_user(app: Application, who: Who) -> None:
    thousand = [{"v": f"row {number}"} for number in range(1000)]

    def write(session: Session) -> list[int]:
        session.add(Thing(v="unit of work"))
        session.flush()
        session.execute(insert(Thing), thousand)
        session.bulk_insert_mappings(Thing.__mapper__, thousand)
        session.connection().execute(text("insert into thing (v) values (:v)"), thousand[:3])
        session.connection().exec_driver_sql("update thing set v = 'changed' where v = 'row 1'")
        return list(session.scalars(insert(Thing).returning(Thing.id), [{"v": "a"}, {"v": "b"}]))

    with acting_as("alice"):
        ((first, second),) = app.run(write)
    assert second == first + 1
    assert who.counted() == {"alice": 1 + 1000 + 1000 + 3 + 3 + 2}


def test_a_function_that_writes_and_a_query_with_an_insert_carry_the_user(app: Application, who: Who) -> None:
    with acting_as("alice"):
        app.run(
            lambda session: session.scalar(text("select write_thing('function')")),
            lambda session: session.scalar(
                text("with made as (insert into thing (v) values ('query') returning id) select id from made")
            ),
        )
    assert (who.did("function"), who.did("query")) == (["alice"], ["alice"])


def test_all_that_is_stated_is_recorded_and_inner_blocks_add_to_it(app: Application, who: Who) -> None:
    def write(session: Session) -> None:
        add("outer")(session)
        session.flush()
        with acting_as("bob", reason="on behalf"):
            add("inner")(session)
            session.flush()
        with acting_as(reason="refund"):
            add("refunded")(session)
            session.flush()
        add("again")(session)
        session.flush()

    with acting_as("alice", ip="203.0.113.7", reason="ticket 4711", request_id="4f2a"):
        app.run(write)
    app.run(add("after"))
    assert who.facts() == [
        ("outer", "alice", "203.0.113.7", "ticket 4711", "4f2a"),
        ("inner", "bob", "203.0.113.7", "on behalf", "4f2a"),
        ("refunded", "alice", "203.0.113.7", "refund", "4f2a"),
        ("again", "alice", "203.0.113.7", "ticket 4711", "4f2a"),
        ("after", "System", None, None, None),
    ]


def test_a_transaction_that_outlives_the_block_names_nobody_after_it(app: Application, who: Who) -> None:
    def write(session: Session) -> None:
        with acting_as("alice"):
            add("inside")(session)
            session.flush()
        add("outside")(session)

    app.run(write)
    assert (who.did("inside"), who.did("outside")) == (["alice"], ["System"])


@pytest.mark.parametrize("is_stated_before", [False, True])
def test_a_savepoint_that_is_rolled_back_does_not_take_the_user_with_it(
    app: Application, who: Who, *, is_stated_before: bool
) -> None:
    def write(session: Session) -> None:
        if is_stated_before:
            add("before")(session)
            session.flush()
        nested = session.begin_nested()
        with acting_as("bob"):
            add("undone")(session)
            session.flush()
            nested.rollback()
            add("bob's")(session)
            session.flush()
        session.execute(text("savepoint own"))
        add("undone")(session)
        session.flush()
        session.execute(text("rollback to own"))
        add("alice's")(session)

    with acting_as("alice"):
        app.run(write)
    assert who.did("undone") == []
    assert (who.did("bob's"), who.did("alice's")) == (["bob"], ["alice"])


def test_a_savepoint_that_is_rolled_back_after_the_block_does_not_bring_the_user_back(
    app: Application, who: Who
) -> None:
    def write(session: Session) -> None:
        with acting_as("alice"):
            add("inside")(session)
            session.flush()
        nested = session.begin_nested()
        add("undone")(session)
        session.flush()
        nested.rollback()
        add("outside")(session)

    app.run(write)
    assert (who.did("inside"), who.did("outside")) == (["alice"], ["System"])


def test_a_rollback_and_an_exception_leave_nothing_behind(app: Application, who: Who) -> None:
    def fail(session: Session) -> None:
        with acting_as("alice"):
            add("undone")(session)
            session.flush()
            session.rollback()
            with pytest.raises(IntegrityError):
                session.execute(text("insert into thing (id, v) overriding system value values (1, 'x'), (1, 'y')"))
            session.rollback()

    app.run(fail, add("after"))
    assert (who.did("undone"), who.did("after")) == ([], ["System"])


def read(session: Session) -> str:
    """Read; return the user that the transaction knows then, which tells whether anything was sent."""
    session.scalars(select(Thing).where(Thing.v == "insert")).all()
    session.scalar(text("select count(*) from thing"))
    return session.scalar(text("select current_setting('auditctl.actor', true)")) or ""


def test_a_transaction_that_only_reads_sends_nothing(app: Application) -> None:
    with acting_as("alice"):
        assert app.run(read, read) == ["", ""]


def test_a_function_for_the_name_is_not_called_for_what_only_reads(app: Application, who: Who) -> None:
    name = Mock(return_value="alice")
    with acting_as(name):
        app.run(read, read)
        assert name.call_count == 0
        app.run(add("written"))
    assert who.did("written") == ["alice"]


def test_reads_carry_the_user_where_they_are_recorded(web: Login, conn: psycopg.Connection) -> None:
    conn.execute("create policy auditctl_read on thing using (true)")
    for kind in KINDS:
        with application(kind, web) as app, acting_as("alice"):
            instrument(app.engine)
            assert app.run(read) == ["alice"]


def test_a_text_that_ends_the_transaction_between_writes_is_refused(web: Login, who: Who) -> None:
    with application("psycopg", web) as app:
        instrument(app.engine)
        with acting_as("alice"), pytest.raises(TransactionRequired, match="begins or ends a transaction"):
            app.run(lambda session: session.connection().exec_driver_sql("commit; insert into thing (v) values ('x')"))
    assert who.did("x") == []


def test_an_engine_in_autocommit_refuses_statements_that_write(web: Login, who: Who) -> None:
    with application("psycopg", web, isolation_level="AUTOCOMMIT") as app:
        instrument(app.engine)
        app.run(add("nobody"))
        with acting_as("alice"):
            app.run(lambda session: session.scalar(text("select 1")))
            with pytest.raises(TransactionRequired, match="autocommit"):
                app.run(add("alice's"))
    assert who.counted() == {"System": 1}


def test_interleaved_requests_of_many_users_on_few_connections_each_keep_their_own(web: Login, who: Who) -> None:
    with application("asyncpg", web, pool_size=5, max_overflow=0) as app:
        instrument(app.engine)

        async def request(number: int) -> None:
            user = f"user {number % 20}"
            with acting_as(user, request_id=f"{number}", reason=f"reason {number}"):
                async with AsyncSession(app.asynchronous) as session:
                    session.add(Thing(v=f"{user}/{number}/1"))
                    await session.flush()
                    await asyncio.sleep(0)
                    await asyncio.to_thread(lambda: None)
                    session.add(Thing(v=f"{user}/{number}/2"))
                    await (session.rollback() if number % 10 == 9 else session.commit())

        async def serve() -> None:
            await asyncio.gather(*(request(number) for number in range(200)))
            await app.asynchronous.dispose()

        asyncio.run(serve())
    facts = who.facts()
    assert len(facts) == 2 * 180
    assert [
        fact for fact in facts if not fact[0].startswith(f"{fact[1]}/{fact[4]}/") or fact[3] != f"reason {fact[4]}"
    ] == []


@pytest.mark.parametrize("kind", ["psycopg async", "asyncpg"])
def test_a_cancelled_task_leaves_nothing_behind(kind: str, web: Login, who: Who) -> None:
    with application(kind, web, pool_size=1, max_overflow=0) as app:
        instrument(app.engine)
        is_written = asyncio.Event()

        async def write(user: str | None, value: str, *, wait: bool = False) -> None:
            with acting_as(user):
                async with AsyncSession(app.asynchronous) as session:
                    session.add(Thing(v=value))
                    await session.flush()
                    if wait:
                        is_written.set()
                        await asyncio.Event().wait()
                    await session.commit()

        async def serve() -> None:
            cancelled = asyncio.create_task(write("alice", "undone", wait=True))
            await asyncio.wait({cancelled, asyncio.create_task(is_written.wait())}, return_when="FIRST_COMPLETED")
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            await write(None, "after")
            await app.asynchronous.dispose()

        asyncio.run(serve())
    assert (who.did("undone"), who.did("after")) == ([], ["System"])


def test_an_engine_is_instrumented_once_and_before_it_is_used(web: Login, who: Who) -> None:
    with application("psycopg", web) as app:
        with app.sync.connect(), pytest.raises(UsageError, match="in use"):
            instrument(app.engine)
        instrument(app.engine)
        instrument(app.engine)
        with acting_as("alice"):
            app.run(add("a"))
    assert who.did("a") == ["alice"]
    with pytest.raises(UsageError, match="sqlite"):
        instrument(create_engine("sqlite://", poolclass=StaticPool))
    no_engines: list[Any] = ["postgresql://", sessionmaker(), None]
    for other in no_engines:
        with pytest.raises(UsageError, match="is not an engine"):
            instrument(other)

"""`instrument` of psycopg and asyncpg: the user of `acting_as` on pools, in transactions and in autocommit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from psycopg.sql import SQL, Identifier

from auditctl import acting_as
from tests.fixtures import templates
from tests.integrations.drivers import KINDS, Application, Session, Work
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest, web: Login) -> Application:
    return Application(request.param, web)


def run(app: Application, *works: Work, **options: Any) -> list[Any]:
    """Do one piece of work after the other on an instrumented pool of one connection; return their results."""

    async def serve() -> list[Any]:
        results = []
        async with app.opened():
            app.instrument(**options)
            for work in works:
                async with app.session() as session:
                    results.append(await work(session))
        return results

    return asyncio.run(serve())


def add(value: str) -> Work:
    return lambda session: session.add(value)


def test_a_thousand_rows_by_the_calls_for_many_carry_the_user(app: Application, who: Who) -> None:
    async def serve() -> None:
        async with app.opened():
            app.instrument()
            with acting_as("alice"):
                await app.bulk([f"row {number}" for number in range(500)])

    asyncio.run(serve())
    assert who.counted() == {"alice": 1000}


def test_returning_gives_the_key_and_what_writes_unseen_carries_the_user(app: Application, who: Who) -> None:
    async def write(session: Session) -> tuple[int, int]:
        first = await session.add("one")
        await session.execute("insert into thing (v) values ('several'); insert into thing (v) values ('several')")
        await session.fetch("select write_thing('function')")
        await session.execute("do $$ begin insert into thing (v) values ('do'); end $$")
        return first, await session.add("last")

    with acting_as("alice"):
        ((first, last),) = run(app, write)
    assert last == first + 5
    assert who.counted() == {"alice": 6}


def test_all_that_is_stated_is_recorded_and_inner_blocks_add_to_it(app: Application, who: Who) -> None:
    async def write(session: Session) -> None:
        async with session.transaction():
            await session.add("outer")
            with acting_as("bob", reason="on behalf"):
                await session.add("inner")
            await session.add("again")

    with acting_as("al'ice\\", ip="203.0.113.7", reason="ticket 4711", request_id="4f2a"):
        run(app, write)
    run(app, add("after"))
    assert who.facts() == [
        ("outer", "al'ice\\", "203.0.113.7", "ticket 4711", "4f2a"),
        ("inner", "bob", "203.0.113.7", "on behalf", "4f2a"),
        ("again", "al'ice\\", "203.0.113.7", "ticket 4711", "4f2a"),
        ("after", "System", None, None, None),
    ]


def test_a_transaction_that_outlives_the_block_names_nobody_after_it(app: Application, who: Who) -> None:
    async def write(session: Session) -> None:
        async with session.transaction():
            with acting_as("alice"):
                await session.add("inside")
            await session.add("outside")

    run(app, write)
    assert (who.did("inside"), who.did("outside")) == (["alice"], ["System"])


def test_savepoints_that_are_rolled_back_neither_lose_nor_leave_a_user(app: Application, who: Who) -> None:
    async def write(session: Session) -> None:
        async with session.transaction():
            await session.add("first")
            with acting_as("bob"):
                with pytest.raises(ZeroDivisionError):
                    async with session.transaction():
                        await session.add("undone")
                        raise ZeroDivisionError
                await session.add("of bob")
                await session.execute("savepoint own")
                with acting_as("carol"):
                    await session.add("undone")
                await session.execute("rollback to own")
                await session.add("of bob")
            await session.execute("savepoint own")
            with acting_as("carol"):
                await session.add("undone")
            with pytest.raises(Exception, match="division by zero"):
                await session.execute("select 1 / 0")
            await session.execute("rollback to savepoint own")
            await session.add("of alice")

    with acting_as("alice"):
        run(app, write)
    assert who.did("undone") == []
    assert (who.did("first"), who.did("of bob"), who.did("of alice")) == (["alice"], ["bob", "bob"], ["alice"])


def test_a_savepoint_that_is_rolled_back_after_the_block_does_not_bring_the_user_back(
    app: Application, who: Who
) -> None:
    async def write(session: Session) -> None:
        async with session.transaction():
            with acting_as("alice"):
                await session.add("of alice")
            await session.execute("savepoint own")
            await session.add("undone")
            await session.execute("rollback to own")
            await session.add("of nobody")

    run(app, write)
    assert (who.did("of alice"), who.did("of nobody")) == (["alice"], ["System"])


def test_a_rollback_and_an_error_leave_nothing_behind(app: Application, who: Who) -> None:
    async def fail(session: Session) -> None:
        with acting_as("alice"):
            with pytest.raises(ZeroDivisionError):
                async with session.transaction():
                    await session.add("undone")
                    raise ZeroDivisionError
            with pytest.raises(Exception, match="duplicate key"):
                async with session.transaction():
                    await session.execute("insert into thing overriding system value values (1, 'x'), (1, 'y')")
            await session.add("of alice")
        await session.add("of nobody")

    run(app, fail, add("of nobody"))
    assert (who.did("undone"), who.did("x"), who.did("of alice")) == ([], [], ["alice"])
    assert who.did("of nobody") == ["System", "System"]


def test_a_transaction_begun_by_text_carries_the_user_and_its_end_is_noticed(app: Application, who: Who) -> None:
    async def write(session: Session) -> None:
        begins = app.kind == "asyncpg" or "autocommit" in app.kind
        for number in range(3):
            await session.execute("begin" if begins else "select 1")
            await session.execute("update thing set v = v")
            await session.add(f"{number}")
            await session.execute("commit")

    with acting_as("alice"):
        run(app, write)
    assert who.counted() == {"alice": 3}


async def read(session: Session) -> str:
    """Read; return the user that the session knows then, which tells whether anything was sent."""
    async with session.transaction():
        await session.fetch("select count(*) from thing where v = 'insert'")
        return await session.fetch("select current_setting('auditctl.actor', true)") or ""


def test_a_transaction_that_only_reads_sends_nothing(app: Application) -> None:
    with acting_as("alice"):
        assert run(app, read, read) == ["", ""]


def test_a_function_for_the_name_is_not_called_for_what_only_reads(app: Application, who: Who) -> None:
    name = Mock(return_value="alice")
    with acting_as(name):
        run(app, read, read)
        assert name.call_count == 0
        run(app, add("written"))
    assert who.did("written") == ["alice"]


def test_reads_carry_the_user_where_they_are_recorded(app: Application, conn: psycopg.Connection) -> None:
    conn.execute("create policy auditctl_read on thing using (true)")
    with acting_as("alice"):
        assert run(app, read, read) == ["alice", "alice"]
        assert run(app, read, reads=False) == [""]


def test_a_procedure_that_commits_is_refused_instead_of_losing_the_user(
    app: Application, conn: psycopg.Connection, who: Who
) -> None:
    conn.execute(
        "create procedure committing() language plpgsql as $$ begin insert into thing (v) values ('a'); commit; "
        "insert into thing (v) values ('b'); end $$"
    )

    async def call(session: Session) -> None:
        with pytest.raises(Exception, match="invalid transaction termination"):
            await session.execute("call committing()")

    with acting_as("alice"):
        run(app, call)
    assert who.counted() == {}


def test_what_cannot_run_in_a_transaction_runs_as_before(web: Login, conn: psycopg.Connection, who: Who) -> None:
    conn.execute(
        SQL("grant create on schema public to {0}; alter table thing owner to {0}").format(Identifier(web.name))
    )

    async def work(session: Session) -> None:
        await session.execute("vacuum thing")
        await session.execute("create index concurrently thing_v on thing (v)")
        await session.add("after")

    with acting_as("alice"):
        for kind in ("psycopg autocommit", "psycopg async autocommit", "asyncpg"):
            run(Application(kind, web), work)
            conn.execute("drop index thing_v")
    assert who.did("after") == ["alice"] * 3


def test_a_cancelled_task_leaves_nothing_behind(web: Login, who: Who) -> None:
    async def serve(app: Application) -> None:
        async def write(user: str | None, value: str, *, wait: bool = False) -> None:
            with acting_as(user):
                async with app.session() as session, session.transaction():
                    await session.add(value)
                    if wait:
                        is_written.set()
                        await asyncio.Event().wait()

        is_written = asyncio.Event()
        async with app.opened():
            app.instrument()
            cancelled = asyncio.create_task(write("alice", "undone", wait=True))
            await asyncio.wait({cancelled, asyncio.create_task(is_written.wait())}, return_when="FIRST_COMPLETED")
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            await write(None, "after")

    for kind in ("psycopg async", "psycopg async autocommit", "asyncpg"):
        asyncio.run(serve(Application(kind, web)))
    assert (who.did("undone"), who.did("after")) == ([], ["System"] * 3)


@pytest.mark.parametrize("kind", ["psycopg", "psycopg async", "psycopg async autocommit", "asyncpg"])
def test_interleaved_requests_of_many_users_on_few_connections_each_keep_their_own(
    kind: str, web: Login, who: Who
) -> None:
    app = Application(kind, web, size=5)

    async def request(number: int) -> None:
        user = f"user {number % 20}"
        with acting_as(user, request_id=f"{number}", reason=f"reason {number}"):
            async with app.session() as session:
                await session.add(f"{user}/{number}/1")
                await asyncio.sleep(0)
                await session.add(f"{user}/{number}/2")

    async def serve() -> None:
        async with app.opened():
            app.instrument()
            if "async" in kind:
                await asyncio.gather(*(request(number) for number in range(200)))
            else:
                gathered = (asyncio.to_thread(asyncio.run, request(number)) for number in range(200))
                await asyncio.gather(*gathered)

    asyncio.run(serve())
    facts = who.facts()
    assert len(facts) == 2 * 200
    assert [
        fact for fact in facts if not fact[0].startswith(f"{fact[1]}/{fact[4]}/") or fact[3] != f"reason {fact[4]}"
    ] == []

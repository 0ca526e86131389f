"""What psycopg alone has: pipelines of the application, cursors of other classes, connections that threads share."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from auditctl import acting, acting_as
from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations.psycopg import instrument
from tests.fixtures import templates
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


@pytest.mark.parametrize("autocommit", [False, True])
def test_pipelines_and_cursors_of_other_classes_carry_the_user(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        instrument(app)
        factories: list[Any] = [psycopg.ClientCursor, psycopg.Cursor, psycopg.RawCursor]
        for factory in factories:
            app.cursor_factory = factory
            with app.pipeline():
                with acting_as("alice"):
                    app.execute("insert into thing (v) values ('of alice')")
                    assert app.execute("select 1").fetchone() == (1,)
                with acting_as("bob"):
                    app.execute("insert into thing (v) values ('of bob')")
                app.execute("insert into thing (v) values ('of nobody')")
            with acting_as("carol"):
                app.execute("insert into thing (v) values ('of carol')")
    assert [who.did(f"of {name}") for name in ("alice", "bob", "nobody", "carol")] == [
        ["alice"] * 3, ["bob"] * 3, ["System"] * 3, ["carol"] * 3,
    ]  # fmt: skip


def test_threads_that_share_a_connection_each_keep_their_own_user(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)

        def write(name: str) -> None:
            for _ in range(30):
                with acting_as(name):
                    app.execute("insert into thing (v) values (%s)", [name])

        threads = [threading.Thread(target=write, args=[f"user {number}"]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert who.counted() == {f"user {number}": 30 for number in range(4)}


def test_a_text_that_writes_and_ends_a_transaction_is_refused(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)
        with acting_as("alice"), pytest.raises(TransactionRequired, match="several statements"):
            app.execute("insert into thing (v) values ('x'); commit; insert into thing (v) values ('y')")
    assert who.counted() == {}


@pytest.mark.parametrize("autocommit", [False, True])
def test_cursors_made_by_their_class_or_before_carry_the_user(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        before = app.cursor()
        instrument(app)
        with acting_as("alice"):
            before.execute("insert into thing (v) values ('before')")
            psycopg.ClientCursor(app).execute("insert into thing (v) values ('by class')")
            with psycopg.ServerCursor(app, "named", withhold=autocommit) as named:
                named.execute("select write_thing('server-side') from generate_series(1, 3)")
                assert len(named.fetchall()) == 3
        before.execute("insert into thing (v) values ('after')")
    assert who.counted() == {"alice": 5, "System": 1}


@pytest.mark.parametrize("autocommit", [False, True])
def test_the_function_for_the_name_may_use_the_connection_itself(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        instrument(app)

        def name() -> str:
            row = app.execute("select 'ali' || 'ce'").fetchone()
            return str(row and row[0])

        cursor = app.cursor()
        with acting_as(name):
            cursor.execute("insert into thing (v) values ('one')")
            app.commit()
            cursor.executemany("insert into thing (v) values (%s)", [["two"], ["three"]])
            app.commit()
            assert list(cursor.stream("insert into thing (v) values ('four') returning v")) == [("four",)]
            with cursor.copy("copy thing (v) from stdin") as copy:
                copy.write_row(["five"])
    assert who.counted() == {"alice": 5}


def test_both_phases_of_a_commit_carry_the_user_and_leave_none(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn) as app:
        instrument(app)
        for name in ("alice", "bob"):
            app.tpc_begin(app.xid(1, name, "branch"))
            with acting_as(name):
                app.execute("insert into thing (v) values (%s)", [name])
            app.tpc_commit()
        app.execute("insert into thing (v) values ('nobody')")
    assert who.counted() == {"alice": 1, "bob": 1, "System": 1}


def test_a_statement_that_is_cancelled_leaves_neither_its_transaction_nor_its_user(web: Login, who: Who) -> None:
    slow = "with made as (insert into thing (v) values ('undone') returning v) select v, pg_sleep(60) from made"
    sleeping = "select from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"

    async def stream(app: psycopg.AsyncConnection[Any]) -> None:
        rows: Any = app.cursor().stream(slow)
        async with aclosing(rows):
            await anext(rows)

    async def serve() -> None:
        async with await psycopg.AsyncConnection.connect(web.dsn, autocommit=True) as app:
            instrument(app)
            for work in (lambda: app.execute(slow), lambda: app.execute(f"select 1; {slow}"), lambda: stream(app)):
                with acting_as("alice"):
                    task = asyncio.create_task(work())
                while not who.conn.execute(sleeping, [app.info.backend_pid]).rowcount:
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert (task.cancelled(), app.info.transaction_status) == (True, TransactionStatus.IDLE)
            await app.execute("insert into thing (v) values ('after')")

    asyncio.run(serve())
    assert who.counted() == {"System": 1}


def test_a_stream_that_is_left_half_read_ends_its_transaction(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)
        with acting_as("alice"):
            rows = app.cursor().stream("select write_thing('part') from generate_series(1, 20000)")
            next(rows)
            rows.close()  # type: ignore[attr-defined]
            with pytest.raises(ZeroDivisionError), app.cursor().copy("copy thing (v) from stdin") as copy:
                copy.write_row(["undone"])
                raise ZeroDivisionError
            assert app.info.transaction_status == TransactionStatus.IDLE
        app.execute("insert into thing (v) values ('after')")
    assert (who.did("undone"), who.did("after")) == ([], ["System"])


def test_another_task_waits_for_a_stream_of_a_shared_connection(web: Login, who: Who) -> None:
    async def serve() -> None:
        async with await psycopg.AsyncConnection.connect(web.dsn, autocommit=True) as app:
            instrument(app)

            async def copy(name: str) -> None:
                with acting_as(name):
                    async with app.cursor() as cursor, cursor.copy("copy thing (v) from stdin") as copy:
                        await copy.write_row([name])

            async def stream(name: str) -> None:
                with acting_as(name):
                    statement = "insert into thing (v) values (%s) returning v"
                    assert [row async for row in app.cursor().stream(statement, [name])] == [(name,)]

            for number in range(3):
                await asyncio.gather(stream(f"user {number}"), stream(f"user {number + 10}"))
                await copy(f"user {number}")

    asyncio.run(serve())
    facts = who.facts()
    assert (len(facts), [fact for fact in facts if fact[0] != fact[1]]) == (9, [])


def test_what_is_no_pool_is_refused() -> None:
    wrong: Any = psycopg
    with pytest.raises(UsageError, match="module is not a pool or connection of psycopg"):
        instrument(wrong)


def test_errors_at_the_end_of_a_statement_in_autocommit_are_those_without_auditctl(web: Login, who: Who) -> None:
    who.conn.execute("alter table thing add constraint once unique (v) deferrable initially deferred")
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)
        with acting_as("alice"):
            with pytest.raises(psycopg.errors.UniqueViolation, match="once"):
                app.execute("insert into thing (v) values ('twice'), ('twice')")
            app.execute("insert into thing (v) values ('after')")
    assert who.counted() == {"alice": 1}


def test_prepared_statements_outlive_ddl_in_autocommit(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn, autocommit=True) as app:
        instrument(app)
        with acting_as("alice"):
            app.execute("create temporary table passing ()")
            app.execute("drop table passing")
            for _ in range(3):
                app.execute("insert into thing (v) values ('x') returning *", prepare=True)
    assert who.counted() == {"alice": 3}


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_name_that_the_encoding_of_the_client_lacks_is_recorded(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit, client_encoding="latin1") as app:
        instrument(app)
        with acting_as("Zoë \u6f22\U0001f600 'x\\"):
            app.execute("insert into thing (v) values ('x')")
    assert who.did("x") == ["Zoë \u6f22\U0001f600 'x\\"]


@pytest.mark.parametrize("autocommit", [False, True])
def test_the_innermost_block_names_the_user_whichever_kind_it_is(web: Login, who: Who, *, autocommit: bool) -> None:
    with psycopg.connect(web.dsn, autocommit=autocommit) as app:
        instrument(app)

        def add(expected: str) -> None:
            app.execute("insert into thing (v) values (%s)", [expected])

        def undo() -> None:
            with pytest.raises(psycopg.errors.DivisionByZero), app.transaction():
                app.execute("select 1/0")

        with app.transaction(), acting(app, "alice", ip="203.0.113.7", reason="ticket 1"):
            add("alice")
            with acting_as("bob"):
                add("bob")
                with acting(app, "carol", reason="ticket 2"):
                    add("carol")
                    undo()
                    add("carol")
                add("bob")
            add("alice")
            undo()
            add("alice")
        with acting_as("bob"), app.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero), app.transaction(), acting(app, "carol"):
                app.execute("select 1/0")
            add("bob")
        with app.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero), app.transaction(), acting(app, "carol"):
                app.execute("select 1/0")
            add("System")
            app.execute("select auditctl.set_context('dave')")
            with acting(app, "carol"):
                add("carol")
            add("dave")
    facts = who.facts()
    assert [user for _, user, *_ in facts] == [value for value, *_ in facts]
    assert [reason for _, _, _, reason, _ in facts][:7] == [
        "ticket 1", None, "ticket 2", "ticket 2", None, "ticket 1", "ticket 1",
    ]  # fmt: skip


def test_a_block_whose_transaction_ended_leaves_no_user_in_the_next(web: Login, who: Who) -> None:
    with psycopg.connect(web.dsn) as app:
        instrument(app)
        with pytest.raises(TransactionRequired), acting(app, "alice"):
            app.commit()
            with acting_as("bob"):
                app.execute("insert into thing (v) values ('bob')")
        app.execute("insert into thing (v) values ('System')")
        app.commit()
        with acting(app, "alice"):
            app.commit()
            with acting_as("bob"):
                app.execute("insert into thing (v) values ('bob')")
                app.execute("savepoint here")
            with pytest.raises(psycopg.errors.DivisionByZero):
                app.execute("select 1/0")
        app.execute("rollback to savepoint here")
        app.execute("insert into thing (v) values ('System')")
    assert [(value, user) for value, user, *_ in who.facts()] == [("bob", "bob"), ("System", "System")] * 2

"""`auditctl.acting`: names the user of a psycopg connection."""

from __future__ import annotations

import asyncio
import json
from contextvars import copy_context
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from auditctl import acting, acting_as
from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations import current

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.fixtures.databases import MakeLogin

NAMES = ("auditctl.actor", "auditctl.ip", "auditctl.context")
NOBODY = ("", "", "")


@pytest.fixture
def app(empty_db: str) -> Iterator[psycopg.Connection]:
    """A connection that begins transactions by itself, in a database without the store."""
    with psycopg.connect(empty_db) as connection:
        yield connection
        connection.rollback()


def named(connection: psycopg.Connection) -> tuple[str, ...]:
    """What the variables are now."""
    query = "select current_setting(%s, true), current_setting(%s, true), current_setting(%s, true)"
    row = connection.execute(query, NAMES).fetchone()
    assert row is not None
    return tuple(value or "" for value in row)


def test_names_hold_inside_the_block_alone(app: psycopg.Connection) -> None:
    with acting(app, "alice", ip="203.0.113.7", request_id="r1"):
        assert named(app) == ("alice", "203.0.113.7", '{"request_id": "r1"}')
    assert named(app) == NOBODY


def test_inner_block_inherits_merges_and_gives_back(app: psycopg.Connection) -> None:
    with acting(app, "alice", ip=ip_address("203.0.113.7"), request_id="r1", job="a"):
        outer = named(app)
        with acting(app, "bob", reason="on behalf", job="b"):
            actor, ip, context = named(app)
            assert (actor, ip) == ("bob", "203.0.113.7")
            assert json.loads(context) == {"request_id": "r1", "job": "b", "reason": "on behalf"}
            with acting(app, None):
                assert named(app) == ("", "203.0.113.7", context)
        assert named(app) == outer


def test_names_that_were_set_otherwise_are_kept(app: psycopg.Connection) -> None:
    app.execute(
        "select set_config('auditctl.actor', 'session', false), set_config('auditctl.context', 'no json', false)"
    )
    with acting(app, "alice"):
        assert named(app) == ("alice", "", "no json")
    with acting(app, "alice", a=1):
        assert named(app) == ("alice", "", '{"a": 1}')
    assert named(app) == ("session", "", "no json")


def test_one_round_trip_each_way(app: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    app.execute("select 1")
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor[object], query: str, *args: object, **kwargs: object) -> object:
        sent.append(query)
        return execute(cursor, query, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    with acting(app, "alice", ip="203.0.113.7", request_id="r1"):
        assert len(sent) == 1
    assert len(sent) == 2


def test_autocommit_outside_a_transaction_is_refused(empty_db: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as connection:
        with pytest.raises(TransactionRequired) as caught, acting(connection, "alice"):
            pytest.fail("the block must not run")
        assert "transaction" in caught.value.hint
        with connection.transaction(), acting(connection, "alice"):
            assert named(connection)[0] == "alice"


def test_names_survive_neither_commit_nor_rollback(app: psycopg.Connection) -> None:
    for end in (app.commit, app.rollback):
        with acting(app, "alice"):
            end()
        assert named(app) == NOBODY
        app.commit()


def test_transaction_begun_anew_in_the_block_is_an_error(app: psycopg.Connection) -> None:
    with pytest.raises(TransactionRequired, match="ended inside"), acting(app, "alice"):
        app.commit()
        assert named(app) == NOBODY


def test_error_of_the_block_is_not_hidden(app: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), acting(app, "alice"):
        app.commit()
        app.execute("select 1")
        raise ZeroDivisionError
    app.rollback()
    with pytest.raises(psycopg.errors.DivisionByZero), acting(app, "alice"):
        app.execute("select 1 / 0")
    app.rollback()
    assert named(app) == NOBODY


def test_error_in_a_savepoint_gives_back_the_outer_names(app: psycopg.Connection) -> None:
    with acting(app, "alice", request_id="r1"):
        outer = named(app)
        with pytest.raises(psycopg.errors.DivisionByZero), app.transaction(), acting(app, "bob"):
            app.execute("select 1 / 0")
        assert named(app) == outer
        with acting(app, "carol"):
            with pytest.raises(ValueError, match="x"), app.transaction():
                raise ValueError("x")
            assert named(app)[0] == "carol"
        assert named(app) == outer


def test_closed_connection_is_no_further_error(empty_db: str) -> None:
    connection = psycopg.connect(empty_db)
    with acting(connection, "alice"):
        connection.close()


@pytest.mark.parametrize(
    ("actor", "arguments"),
    [
        ("", {}),
        ("a\0b", {}),
        ("a", {"ip": ""}),
        ("a", {"ip": "1\0"}),
        ("a", {"reason": ""}),
        ("a", {"note": "x\0y"}),
        ("a", {"note": float("nan")}),
        ("a", {"note": "\ud800"}),
        ("a", {"note": "x" * 20000}),
    ],
)
def test_unusable_names_are_refused_before_anything_is_sent(
    app: psycopg.Connection, actor: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        acting(app, actor, **arguments)  # type: ignore[arg-type]
    assert app.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_contexts_too_long_together_leave_the_outer_names(app: psycopg.Connection) -> None:
    with acting(app, "alice", one="x" * 10000):
        outer = named(app)
        with pytest.raises(UsageError), acting(app, "bob", two="y" * 10000):
            pytest.fail("the block must not run")
        assert named(app) == outer


def test_values_that_json_does_not_know_are_kept_as_text(app: psycopg.Connection) -> None:
    number = UUID(int=7)
    with acting(app, "O'Brien %s \\ 名", request_id=number, backslash="\\u0000"):
        actor, _, context = named(app)
        assert actor == "O'Brien %s \\ 名"
        assert json.loads(context) == {"request_id": str(number), "backslash": "\\u0000"}


def test_row_factory_of_the_connection_does_not_matter(empty_db: str) -> None:
    with psycopg.connect(empty_db, row_factory=dict_row) as connection, acting(connection, "alice"):
        row = connection.execute("select current_setting('auditctl.actor') as actor").fetchone()
        assert row == {"actor": "alice"}


def test_one_acting_is_for_one_block(app: psycopg.Connection) -> None:
    block = acting(app, "alice")
    with block, pytest.raises(UsageError), block:
        pytest.fail("the block must not run")
    assert named(app) == NOBODY


def test_asynchronous_connection(empty_db: str) -> None:
    async def run() -> None:
        query = "select current_setting('auditctl.actor', true)"
        async with await psycopg.AsyncConnection.connect(empty_db) as connection:
            async with acting(connection, "alice", a=1):
                async with acting(connection, "bob", b=2):
                    assert await (await connection.execute(query)).fetchone() == ("bob",)
                assert await (await connection.execute(query)).fetchone() == ("alice",)
            assert await (await connection.execute(query)).fetchone() == ("",)
            with pytest.raises(TransactionRequired):
                async with acting(connection, "alice"):
                    await connection.rollback()
                    await connection.execute("select 1")

    asyncio.run(run())


def test_event_carries_who_acts(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    writer = login("web", roles=["auditctl_app"])
    with psycopg.connect(writer.dsn) as connection, acting(connection, "alice", ip="203.0.113.7", reason="asked"):
        connection.execute("select auditctl.record_event('signup')")
    query = (
        "select actor, actor_kind, host(ip), db_user, context ->> 'reason' from auditctl.event where target = 'signup'"
    )
    assert conn.execute(query).fetchall() == [("alice", "application", "203.0.113.7", writer.name, "asked")]


def test_a_user_that_is_no_text_is_named_in_the_error() -> None:
    with pytest.raises(UsageError, match="actor is of type int, not a text"):
        acting_as(4711)  # type: ignore[arg-type]


def test_half_of_a_surrogate_pair_is_refused_before_it_reaches_a_statement() -> None:
    with pytest.raises(UsageError, match="actor is not valid Unicode"):
        acting_as("a\ud800")
    with pytest.raises(UsageError, match="reason is not valid Unicode"):
        acting_as("a", reason="a\udfff")
    with pytest.raises(UsageError):
        acting_as("a", x="\ud800")


def test_a_block_without_a_user_takes_over_that_of_the_outer_block_a_function_or_nobody() -> None:
    with pytest.raises(UsageError, match="is inside no block that names one"), acting_as(reason="refund"):
        pass
    assert current.settings() is None
    users: list[tuple[current.User, str]] = [("alice", "alice"), (lambda: "bob", "bob"), (None, "")]
    for user, name in users:
        with acting_as(user, reason="outer"), acting_as(reason="refund"):
            assert current.settings() == (name, "", '{"reason": "refund"}')


def test_generators_that_end_their_blocks_in_any_order_leave_nobody() -> None:
    def work(name: str) -> Generator[None, None, None]:
        with acting_as(name, reason=name):
            yield

    first, second = work("alice"), work("bob")
    next(first)
    next(second)
    first.close()
    assert current.settings() == ("bob", "", '{"reason": "bob"}')
    second.close()
    assert current.settings() is None


def test_a_block_that_ends_in_another_task_or_thread_is_refused_and_hides_no_error() -> None:
    block, failing = acting_as("alice"), acting_as("bob")
    copy_context().run(block.__enter__)
    copy_context().run(failing.__enter__)
    with pytest.raises(UsageError, match="another thread or task"):
        block.__exit__(None, None, None)
    failing.__exit__(KeyError, KeyError(), None)
    assert current.settings() is None


def test_a_task_keeps_its_block_after_the_one_that_started_it_ends() -> None:
    with acting_as("alice"):
        task = copy_context()
    with acting_as("bob"):
        pass

    def nested() -> current.Settings | None:
        with acting_as("carol"):
            pass
        return current.settings()

    assert task.run(nested) == ("alice", "", "")

"""What each integration adds to a request that writes a row of an audited table: statements, round trips, processor."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from auditctl import acting_as, store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from auditctl.integrations.sqlalchemy import instrument
from bench import measure, results
from bench.markdown import grid
from tests.fixtures.databases import Login
from tests.integrations import drivers, shop
from tests.integrations.recorded import THING
from tests.integrations.wire import Wire

APP = "bench_app"
ADDRESS, REASON = "203.0.113.7", "ticket 4711"

Requests = Callable[[int], None]
"""Serves so many requests."""

Build = Callable[[Login, bool, bool], AbstractContextManager[Requests]]
"""Makes an application: its login, whether it is instrumented, and whether its requests write, or only read."""

HEADS = (
    "", "statements", "round trips", "µs without", "µs with", "ratio", "µs of a read without", "with", "ratio",
)  # fmt: skip


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Serve requests of each framework with the integration and without in turn; return medians for one request."""
    requests, rounds = (20, 2) if quick else (200, 15)
    login = _set_up(server)
    found = {}
    for title, build in FRAMEWORKS.items():
        with (
            Wire(login.dsn).opened() as wire,
            psycopg.connect(server.dsn(), autocommit=True) as admin,
            ExitStack() as stack,
        ):
            through = Login(login.name, wire.dsn)
            sent = [_count(wire, build(through, is_on, True)) for is_on in (False, True)]
            contenders = {
                f"{work} {with_user}": partial(
                    _time,
                    stack.enter_context(build(login, with_user == "with", work == "write")),
                    admin,
                    requests,
                )
                for work, with_user in itertools.product(("write", "read"), ("without", "with"))
            }
            taken = measure.samples(contenders, rounds)
        found[title] = {
            "statements": sent[1][0] - sent[0][0],
            "round_trips": sent[1][1] - sent[0][1],
            "microseconds": {name: round(statistics.median(values), 1) for name, values in taken.items()},
            "ratio": {
                work: round(_ratio(taken[f"{work} with"], taken[f"{work} without"]), 3) for work in ("write", "read")
            },
        }
    return {"requests": requests, "rounds": rounds, "frameworks": found}


def _ratio(with_user: list[float], without: list[float]) -> float:
    """The median of the ratios of each round, whose two measurements had the same noise."""
    return statistics.median(a / b for a, b in zip(with_user, without, strict=True))


def _set_up(server: EmbeddedServer) -> Login:
    dsn = server.dsn()
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(THING)
        admin.execute(f"create role {APP} login in role auditctl_app".encode())
    with connect(dsn) as conn:
        apply.enable(conn, Rule("public.thing", DEFAULT))
    return Login(APP, server.dsn(user=APP))


def _count(wire: Wire, application: AbstractContextManager[Requests]) -> tuple[int, int]:
    with application as serve:
        serve(2)
        with wire.counting() as traffic:
            serve(1)
    return len(traffic.statements), traffic.round_trips


def _time(serve: Requests, admin: psycopg.Connection[Any], requests: int) -> float:
    """Return how many microseconds of the processor a request takes, of the application and the server together."""
    pids = [pid for (pid,) in admin.execute("select pid from pg_stat_activity where usename = %s", [APP])]
    before = time.process_time() + sum(map(measure.processor_seconds, pids))
    serve(requests)
    return (time.process_time() + sum(map(measure.processor_seconds, pids)) - before) * 1e6 / requests


def _named(number: int) -> acting_as:
    return acting_as(f"user {number % 20}", ip=ADDRESS, reason=REASON, request_id=f"{number}")


def _in_turn(request: Callable[[], None], is_on: bool, requests: int) -> None:
    for number in range(requests):
        if is_on:
            with _named(number):
                request()
        else:
            request()


async def _in_turn_async(request: Callable[[], Awaitable[None]], is_on: bool, requests: int) -> None:
    for number in range(requests):
        if is_on:
            with _named(number):
                await request()
        else:
            await request()


@contextmanager
def by_driver(kind: str, login: Login, is_on: bool, writes: bool) -> Iterator[Requests]:
    app = drivers.Application(kind, login)

    async def request() -> None:
        # The drivers but asyncpg begin a transaction by themselves.
        async with app.session() as session, session.transaction() if kind == "asyncpg" else nullcontext():
            await (session.add("x") if writes else session.fetch("select count(*) from thing where id = 1"))

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(app.opened()))
        if is_on:
            app.instrument()
        yield lambda requests: runner.run(_in_turn_async(request, is_on, requests))
        runner.run(stack.aclose())


@contextmanager
def by_sqlalchemy(kind: str, login: Login, is_on: bool, writes: bool) -> Iterator[Requests]:
    app = shop.Application(kind, login, pool_size=1)
    if is_on:
        instrument(app.engine)

    def work(session: Session) -> None:
        session.execute(insert(shop.Thing).values(v="x") if writes else select(shop.Thing).where(shop.Thing.id == 1))

    def request() -> None:
        with Session(app.sync) as session:
            work(session)
            session.commit()

    async def request_async() -> None:
        async with AsyncSession(app.asynchronous) as session:
            await session.run_sync(work)
            await session.commit()

    if kind == "psycopg":
        yield partial(_in_turn, request, is_on)
        app.sync.dispose()
        return
    with asyncio.Runner() as runner:
        yield lambda requests: runner.run(_in_turn_async(request_async, is_on, requests))
        runner.run(app.asynchronous.dispose())


@contextmanager
def by_django(in_block: bool, login: Login, is_on: bool, writes: bool) -> Iterator[Requests]:
    # Here and not above: the page's tables are written without Django.
    from django.db import connections, transaction
    from django.db.backends.signals import connection_created

    from auditctl.integrations.django import apps
    from tests.integrations import django_shop

    connection_created.disconnect(dispatch_uid=apps.AuditctlConfig.name)
    alias = f"bench {is_on} {writes}"
    known = conninfo_to_dict(login.dsn)
    names = {name.upper(): str(known.get(name) or "") for name in ("host", "port", "user")}
    wrapper = type(connections["default"])(
        {**connections["default"].settings_dict, "NAME": known["dbname"], "CONN_MAX_AGE": None, **names}, alias
    )
    connections[alias] = wrapper
    wrapper.ensure_connection()
    if is_on:
        apps._instrument(wrapper)
    things = django_shop.Thing.objects.using(alias)

    def request() -> None:
        with transaction.atomic(using=alias) if in_block else nullcontext():
            things.create(v="x") if writes else list(things.filter(id=1))

    yield partial(_in_turn, request, is_on)
    wrapper.close()


FRAMEWORKS: Mapping[str, Build] = {
    "psycopg": partial(by_driver, "psycopg"),
    "psycopg async": partial(by_driver, "psycopg async"),
    "asyncpg": partial(by_driver, "asyncpg"),
    "SQLAlchemy with psycopg": partial(by_sqlalchemy, "psycopg"),
    "SQLAlchemy with psycopg async": partial(by_sqlalchemy, "psycopg async"),
    "SQLAlchemy with asyncpg": partial(by_sqlalchemy, "asyncpg"),
    "Django, in `atomic()`": partial(by_django, True),
    "Django, outside of it": partial(by_django, False),
}


def table() -> str:
    """Return the table of the page; empty where it was never measured."""
    measured = results.read("integrations")
    if not measured:
        return ""
    rows = []
    for title, found in measured["frameworks"].items():
        taken, ratio = found["microseconds"], found["ratio"]
        times = (
            cell
            for work in ("write", "read")
            for cell in (f"{taken[f'{work} without']:.0f}", f"{taken[f'{work} with']:.0f}", f"{ratio[work]:.2f}")
        )
        rows.append((title, f"{found['statements']}", f"{found['round_trips']}", *times))
    return grid(HEADS, rows)

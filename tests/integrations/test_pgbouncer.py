"""Many users at once through PgBouncer in transaction mode, by each framework: each event has its own user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connections, transaction
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from auditctl import acting_as
from auditctl.integrations.sqlalchemy import instrument
from tests.fixtures import templates
from tests.integrations import django_shop, drivers, shop
from tests.integrations.pgbouncer import SERVERS, in_front
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

db_template = templates.begin_with(templates.audited(THING, "thing"))

REQUESTS, USERS, CLIENTS = 200, 20, 20

WITHOUT_PREPARED: dict[str, dict[str, Any]] = {
    "psycopg": {"prepare_threshold": None},
    "asyncpg": {"statement_cache_size": 0},
}
"""What every application behind PgBouncer in transaction mode needs, where that does not follow prepared statements."""


def user(number: int) -> str | None:
    """The user of a request; None for every tenth, which names nobody and must not get the user of another."""
    return f"user {number % USERS}" if number % 10 else None


def named(number: int) -> AbstractContextManager[None]:
    name = user(number)
    return acting_as(name, request_id=f"{number}", reason=f"reason {number}") if name else nullcontext()


def expected(number: int) -> tuple[str, None, str | None, str | None]:
    """User, address, reason and request id of the events of a request."""
    name = user(number)
    return (name, None, f"reason {number}", f"{number}") if name else ("System", None, None, None)


def value(number: int, part: int) -> str:
    return f"{number}/{part}"


async def in_tasks(request: Callable[[int], Any]) -> None:
    await asyncio.gather(*(request(number) for number in range(REQUESTS)))


def in_threads(request: Callable[[int], Any]) -> None:
    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(request, range(REQUESTS)))


def by_driver(kind: str, login: Login) -> None:
    app = drivers.Application(kind, login, size=CLIENTS, **WITHOUT_PREPARED[kind.split()[0]])

    async def request(number: int) -> None:
        with named(number):
            async with app.session() as session:
                await session.fetch("select count(*) from thing where v = 'x'")
            async with app.session() as session, session.transaction():
                await session.add(value(number, 1))
                await asyncio.sleep(0)
                await session.add(value(number, 2))
            if "asyncpg" not in kind:  # which cannot, outside of a transaction: it prepares each statement
                async with app.session() as session:
                    await session.add(value(number, 3))

    async def serve() -> None:
        async with app.opened():
            app.instrument()
            if "async" in kind:
                await in_tasks(request)
            else:
                await asyncio.to_thread(in_threads, lambda number: asyncio.run(request(number)))

    asyncio.run(serve())


def by_sqlalchemy(kind: str, login: Login) -> None:
    driver = kind.split()[0]
    options: dict[str, Any] = {"pool_size": CLIENTS, "connect_args": dict(WITHOUT_PREPARED[driver])}
    if driver == "asyncpg":
        options["connect_args"] |= {"prepared_statement_cache_size": 0}
    app = shop.Application(kind, login, **options)
    instrument(app.engine)

    def work(number: int, session: Session) -> None:
        for part in (1, 2):
            session.add(shop.Thing(v=value(number, part)))
            session.flush()

    def request(number: int) -> None:
        with named(number), Session(app.sync) as session:
            work(number, session)
            session.commit()

    async def request_async(number: int) -> None:
        with named(number):
            async with AsyncSession(app.asynchronous) as session:
                await session.run_sync(partial(work, number))
                await session.commit()

    async def serve() -> None:
        await in_tasks(request_async)
        await app.asynchronous.dispose()

    if isinstance(app.engine, AsyncEngine):
        asyncio.run(serve())
    else:
        in_threads(request)
        app.engine.dispose()


def by_django(kind: str, login: Login) -> None:
    def request(number: int) -> None:
        with named(number):
            with transaction.atomic():
                django_shop.Thing.objects.create(v=value(number, 1))
                django_shop.Thing.objects.create(v=value(number, 2))
            django_shop.Thing.objects.bulk_create([django_shop.Thing(v=value(number, 3))])
        connections.close_all()

    with django_shop.connected(login):
        in_threads(request)


FRAMEWORKS = {
    **{kind: partial(by_driver, kind) for kind in drivers.KINDS},
    **{f"SQLAlchemy {kind}": partial(by_sqlalchemy, kind) for kind in shop.KINDS},
    "Django": partial(by_django, "Django"),
}


@pytest.fixture
def pooled(web: Login) -> Iterator[Login]:
    with in_front(web) as login:
        yield login


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_event_has_the_user_the_request_and_the_reason_of_its_own(framework: str, pooled: Login, who: Who) -> None:
    FRAMEWORKS[framework](pooled)
    parts = 2 if "SQLAlchemy" in framework or framework == "asyncpg" else 3
    facts = who.facts()
    wrong = [fact for fact in facts if fact[1:] != expected(int(str(fact[0]).split("/")[0]))]
    assert (len(facts), wrong) == (parts * REQUESTS, [])
    backends = "select count(*) from pg_stat_activity where usename = %s"
    assert who.conn.execute(backends, [pooled.name]).fetchone() <= (SERVERS,)  # type: ignore[operator]


def test_the_tab_key_leaves_no_settings_on_the_connections_of_others(pooled: Login, auditctl: RunAuditctl) -> None:
    def settings() -> list[tuple[str]]:
        with psycopg.connect(pooled.dsn, prepare_threshold=None) as app:
            query = "select setting from pg_settings where name in ('search_path', 'statement_timeout') order by name"
            return app.execute(query).fetchall()

    before = settings()
    line = {"_AUDITCTL_COMPLETE": "bash", "_AUDITCTL_LINE": "auditctl enable th", "_AUDITCTL_BREAKS": ""}
    assert auditctl(env=line | {"AUDITCTL_DSN": pooled.dsn}, check=0).out == ""
    assert settings() == before

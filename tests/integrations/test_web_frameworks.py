"""Requests of FastAPI and Flask that write by SQLAlchemy: whatever a request does carries its user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import flask
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from starlette.middleware.base import BaseHTTPMiddleware

from auditctl import acting_as
from auditctl.errors import UsageError
from auditctl.integrations import asgi, current, wsgi
from auditctl.integrations.sqlalchemy import instrument
from tests.fixtures import templates
from tests.integrations.recorded import THING, Who
from tests.integrations.shop import Application, Thing

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))

HEADERS = {"x-user": "alice", "x-request-id": "4f2a", "x-forwarded-for": "203.0.113.7", "x-reason": "ticket 4711"}
ALICE = ("alice", "203.0.113.7", "ticket 4711", "4f2a")


def header(name: str) -> Any:
    def read(scope: asgi.Scope) -> str | None:
        return dict(scope["headers"]).get(name.encode(), b"").decode() or None

    return read


def by_fastapi(engine: Engine, asynchronous: AsyncEngine) -> FastAPI:
    app = FastAPI()

    def write(value: str) -> None:
        with Session(engine) as session, session.begin():
            session.add(Thing(v=value))

    def provide() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session
            session.add(Thing(v="end of the dependency"))

    async def through(request: Any, call_next: Any) -> Any:
        if request.url.path == "/thread":
            await asyncio.to_thread(write, "middleware")
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    app.add_middleware(
        asgi.ActingMiddleware, user=header("x-user"), reason=header("x-reason"), trusted_proxies=["127.0.0.1"]
    )

    @app.get("/thread")
    def threaded(tasks: BackgroundTasks, session: Any = Depends(provide)) -> str:  # noqa: B008 - as FastAPI has it
        session.add(Thing(v="thread"))
        tasks.add_task(write, "background")
        return "done"

    @app.get("/async/{value:path}")
    async def awaited(value: str) -> StreamingResponse:
        async with AsyncSession(asynchronous) as session, session.begin():
            session.add(Thing(v=value))
            await session.flush()
            await asyncio.sleep(0)
            session.add(Thing(v=value))

        async def parts() -> AsyncIterator[str]:
            yield "a"
            async with AsyncSession(asynchronous) as session, session.begin():
                session.add(Thing(v=value))
            yield "b"

        return StreamingResponse(parts())

    return app


def by_flask(engine: Engine) -> wsgi.ActingMiddleware:
    app = flask.Flask("shop")

    def write(value: str) -> None:
        with Session(engine) as session, session.begin():
            session.add(Thing(v=value))

    @app.get("/<path:value>")
    def serve(value: str) -> flask.Response:
        write(value)

        def parts() -> Iterator[str]:
            yield "a"
            write(value)
            yield "b"

        response = flask.Response(flask.stream_with_context(parts()))
        response.call_on_close(lambda: write(value))
        return response

    return wsgi.ActingMiddleware(
        app.wsgi_app,
        user=lambda environ: environ.get("HTTP_X_USER"),
        reason=lambda environ: environ.get("HTTP_X_REASON"),
        trusted_proxies=["127.0.0.1"],
    )


@pytest.fixture
def engine(web: Login) -> Iterator[Engine]:
    engine = Application("psycopg", web, pool_size=5, max_overflow=0).sync
    instrument(engine)
    yield engine
    engine.dispose()


def ask(engine: Engine, web: Login, paths: Sequence[str], headers: Sequence[dict[str, str]]) -> list[str]:
    """Make requests of the application on FastAPI, all at once; return their texts."""

    async def serve() -> list[str]:
        asynchronous = Application("psycopg async", web, pool_size=5, max_overflow=0).asynchronous
        instrument(asynchronous)
        transport = httpx.ASGITransport(by_fastapi(engine, asynchronous))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            requests = (client.get(path, headers=header) for path, header in zip(paths, headers, strict=True))
            answers = await asyncio.gather(*requests)
        await asynchronous.dispose()
        return [answer.text for answer in answers]

    return asyncio.run(serve())


def test_all_that_a_request_of_fastapi_does_carries_its_user(engine: Engine, web: Login, who: Who) -> None:
    assert ask(engine, web, ["/thread"], [HEADERS]) == ['"done"']
    assert ask(engine, web, ["/async/x"], [HEADERS]) == ["ab"]
    values = ["middleware", "thread", "end of the dependency", "background", "x", "x", "x"]
    assert sorted(who.facts()) == sorted((value, *ALICE) for value in values)


def test_all_that_a_request_of_flask_does_carries_its_user(engine: Engine, who: Who) -> None:
    transport = httpx.WSGITransport(by_flask(engine), remote_addr="127.0.0.1")
    with httpx.Client(transport=transport, base_url="http://app") as client:
        assert client.get("/x", headers=HEADERS).text == "ab"
        client.get("/nobody")
    assert who.facts() == [("x", *ALICE)] * 3 + [("nobody", "System", "127.0.0.1", None, None)] * 3


def test_a_dependency_of_fastapi_names_the_user_if_it_is_async_and_is_an_error_otherwise() -> None:
    app = FastAPI()
    seen = []

    def in_threads() -> Iterator[None]:
        with acting_as("alice"):
            yield

    async def in_the_task() -> AsyncIterator[None]:
        with acting_as("alice"):
            yield

    @app.get("/threads", dependencies=[Depends(in_threads)])
    @app.get("/task", dependencies=[Depends(in_the_task)])
    def see() -> None:
        seen.append(current.settings())

    async def get(path: str) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            await client.get(path)

    asyncio.run(get("/task"))
    with pytest.raises(UsageError, match="named nobody in between"):
        asyncio.run(get("/threads"))
    assert seen == [current.Settings("alice"), None]


def requests() -> list[tuple[str, dict[str, str]]]:
    """200 requests of 20 users, each with a number of its own, of which each tenth names nobody."""
    return [
        (f"{number}", {"x-request-id": f"{number}"} | ({"x-user": f"user {number % 20}"} if number % 10 else {}))
        for number in range(200)
    ]


def wrong(facts: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The events that do not have the user and the number of their request."""
    users = {value: headers.get("x-user", "System") for value, headers in requests()}
    return [fact for fact in facts if (fact[1], fact[4]) != (users[fact[0]], fact[0])]


@pytest.mark.slow
def test_many_requests_at_once_on_few_connections_each_keep_their_user(engine: Engine, web: Login, who: Who) -> None:
    ask(engine, web, [f"/async/{value}" for value, _ in requests()], [headers for _, headers in requests()])
    transport = httpx.WSGITransport(by_flask(engine), remote_addr="127.0.0.1")
    with httpx.Client(transport=transport, base_url="http://app") as client, ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda request: client.get(f"/{request[0]}", headers=request[1]), requests()))
    facts = who.facts()
    assert (len(facts), wrong(facts)) == (2 * 3 * 200, [])

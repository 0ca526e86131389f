"""ActingMiddleware of ASGI and WSGI: who, from where, which request and why, for all that a request does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from auditctl.errors import UsageError
from auditctl.integrations import asgi, current, wsgi
from auditctl.integrations.requests import Proxies

Seen = list[tuple[str, "current.Settings | None"]]


def see(seen: Seen, where: str) -> None:
    seen.append((where, current.settings()))


@pytest.fixture
def seen() -> Seen:
    return []


@pytest.fixture
def asgi_app(seen: Seen) -> asgi.ActingMiddleware:
    def threaded(_: Request) -> Response:
        see(seen, "thread")
        return PlainTextResponse("x", background=BackgroundTask(see, seen, "background"))

    async def streamed(_: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            see(seen, "first part")
            yield "a"
            await asyncio.sleep(0)
            see(seen, "second part")
            yield "b"

        return StreamingResponse(parts())

    async def user(scope: asgi.Scope) -> str | None:
        return Request(scope).headers.get("x-user")

    def reason(scope: asgi.Scope) -> str | None:
        return Request(scope).headers.get("x-reason")

    app = Starlette(routes=[Route("/", threaded), Route("/stream", streamed)])
    return asgi.ActingMiddleware(app, user=user, reason=reason, trusted_proxies=["10.0.0.0/8"])


def get(app: Any, path: str, headers: dict[str, str], peer: str) -> httpx.Response:
    """The answer to a request from an address."""
    if isinstance(app, wsgi.ActingMiddleware):
        transport = httpx.WSGITransport(app, remote_addr=peer)
        with httpx.Client(transport=transport, base_url="http://app") as client:
            return client.get(path, headers=headers)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.fixture
def wsgi_app(seen: Seen) -> wsgi.ActingMiddleware:
    def app(environ: wsgi.Environ, start_response: Any) -> Iterable[bytes]:
        see(seen, "thread")
        start_response("200 OK", [])

        def parts() -> Iterator[bytes]:
            see(seen, "first part")
            yield b"a"
            see(seen, "second part")
            yield b"b"

        return parts() if environ["PATH_INFO"] == "/stream" else [b"x"]

    return wsgi.ActingMiddleware(
        app,
        user=lambda environ: environ.get("HTTP_X_USER"),
        reason=lambda environ: environ.get("HTTP_X_REASON"),
        trusted_proxies=["10.0.0.0/8"],
    )


@pytest.fixture(params=["asgi_app", "wsgi_app"])
def app(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_all_of_a_request_is_done_by_its_user(app: Any, seen: Seen) -> None:
    headers = {"x-user": "alice", "x-reason": "ticket 4711", "x-request-id": "4f2a", "x-forwarded-for": "203.0.113.7"}
    assert get(app, "/", headers, "10.0.0.1").text == "x"
    assert get(app, "/stream", headers, "10.0.0.1").text == "ab"
    context = '{"reason": "ticket 4711", "request_id": "4f2a"}'
    assert {settings for _, settings in seen} == {current.Settings("alice", "203.0.113.7", context)}
    assert {where for where, _ in seen} >= {"thread", "first part", "second part"}
    assert current.settings() is None


def test_background_tasks_are_done_by_the_user(asgi_app: asgi.ActingMiddleware, seen: Seen) -> None:
    get(asgi_app, "/", {"x-user": "alice"}, "203.0.113.9")
    assert seen == [(where, current.Settings("alice", "203.0.113.9")) for where in ("thread", "background")]


@pytest.mark.parametrize("number", ["\x7f" * 3, " ", "x" * 300])
def test_no_header_makes_a_request_fail(app: Any, seen: Seen, number: str) -> None:
    assert get(app, "/", {"x-user": "alice", "x-request-id": number}, "203.0.113.9").status_code == 200
    context = '{"request_id": "%s"}' % ("x" * 200) if "x" in number else ""
    assert seen[0] == ("thread", current.Settings("alice", "203.0.113.9", context))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("fe80::1%eth0", ["192.0.2.66"], "fe80::1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["1' or '1'='1"], "10.0.0.1"),
        (None, ["198.51.100.1"], "198.51.100.1"),
        ("", [], None),
        ("testclient", ["198.51.100.1"], "198.51.100.1"),
    ],
)
def test_an_address_is_believed_from_trusted_proxies_alone(
    peer: str | None, forwarded: list[str], client: str | None
) -> None:
    found = Proxies(["10.0.0.0/8", "unix"]).client(peer, forwarded)
    assert (None if found is None else str(found)) == client


def test_without_trusted_proxies_no_header_is_believed() -> None:
    assert Proxies([]).client(None, ["198.51.100.1"]) is None
    with pytest.raises(UsageError, match=r"'10\.0\.0' is not an address or network"):
        Proxies(["10.0.0"])


@pytest.mark.parametrize(("user", "reason"), [(4711, "x"), ("alice", 4711)])
def test_a_user_or_reason_that_is_no_text_is_named(user: Any, reason: Any) -> None:
    def start(*_: Any) -> None:
        pytest.fail("the application was called")

    middleware = wsgi.ActingMiddleware(lambda *_: [], user=lambda _: user, reason=lambda _: reason)
    with pytest.raises(UsageError, match="is of type int, not a text"):
        middleware({"REMOTE_ADDR": "203.0.113.9"}, start)


def test_an_answer_that_is_a_list_stays_one_whose_length_servers_take() -> None:
    middleware = wsgi.ActingMiddleware(lambda *_: [b"x"], user=lambda _: "alice")
    assert middleware({"REMOTE_ADDR": "203.0.113.9"}, lambda *_: None) == [b"x"]


@pytest.mark.parametrize("middleware", [asgi.ActingMiddleware, wsgi.ActingMiddleware])
def test_a_name_in_place_of_a_function_is_refused_when_the_middleware_is_made(middleware: Any) -> None:
    with pytest.raises(UsageError, match="user must be a function that takes the request, not str"):
        middleware(None, user="bob")
    with pytest.raises(UsageError, match="reason must be a function that takes the request, not int"):
        middleware(None, user=str, reason=7)

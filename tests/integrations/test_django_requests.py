"""Requests and commands of Django through its own handlers, with ATOMIC_REQUESTS and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import BaseCommand, call_command
from django.db import connection, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from auditctl import acting_as
from tests.fixtures import templates
from tests.integrations.django_shop import Thing, connected
from tests.integrations.recorded import THING, Who

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))

HEADERS = {"x-request-id": "4f2a", "x-user": "alice", "x-forwarded-for": "203.0.113.7"}
ALICE = ("alice", "203.0.113.7", "ticket 4711", "4f2a")


def write(value: str) -> None:
    Thing.objects.create(v=value)


def written(_: Any) -> HttpResponse:
    write("before")
    with transaction.atomic():
        write("nested")
    transaction.on_commit(lambda: write("on commit"))
    return HttpResponse("done")


def failing(_: Any) -> HttpResponse:
    write("before an error")
    raise ZeroDivisionError


def streamed(_: Any) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        for value in ("a", "b"):
            write(value)
            yield value

    return StreamingHttpResponse(parts())


async def streamed_async(_: Any) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for value in ("a", "b"):
            await Thing.objects.acreate(v=value)
            yield value

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("write", written), path("fail", failing), path("stream", streamed), path("stream-async", streamed_async),
]  # fmt: skip


@pytest.fixture(autouse=True)
def application(web: Login) -> Iterator[None]:
    names = {
        "ROOT_URLCONF": __name__,
        "MIDDLEWARE": ["auditctl.integrations.django.ActingMiddleware"],
        "AUDITCTL_USER": lambda request: request.headers.get("x-user"),
        "AUDITCTL_REASON": lambda _: "ticket 4711",
        "AUDITCTL_TRUSTED_PROXIES": ["127.0.0.1"],
    }
    with override_settings(**names), connected(web):
        yield


def get(path: str) -> httpx.Response:
    transport = httpx.WSGITransport(WSGIHandler(), remote_addr="127.0.0.1", raise_app_exceptions=False)
    with httpx.Client(transport=transport, base_url="http://app") as client:
        return client.get(path, headers=HEADERS)


@pytest.mark.parametrize("is_atomic", [False, True])
def test_requests_carry_their_user_with_atomic_requests_and_without(who: Who, *, is_atomic: bool) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = is_atomic
    try:
        assert get("/write").text == "done"
        assert get("/fail").status_code == 500
        assert get("/stream").text == "ab"
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    write("after")
    values = ["before", "nested", "on commit", *([] if is_atomic else ["before an error"]), "a", "b"]
    assert who.facts() == [*((value, *ALICE) for value in values), ("after", "System", None, None, None)]


def test_what_an_async_view_streams_carries_its_user(who: Who) -> None:
    async def ask() -> str:
        transport = httpx.ASGITransport(ASGIHandler())
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return (await client.get("/stream-async", headers=HEADERS)).text

    connection.settings_dict["CONN_MAX_AGE"] = 0  # Django ends the request's thread, and with it what it holds.
    assert asyncio.run(ask()) == "ab"
    assert who.facts() == [("a", *ALICE), ("b", *ALICE)]


def test_a_command_and_a_task_carry_the_user_they_name(who: Who) -> None:
    class Command(BaseCommand):  # type: ignore[misc]
        def handle(self, *_: Any, **options: Any) -> None:
            with acting_as("nightly", reason="closes old accounts"):
                write("by a command")
            write("outside of the block")

    def task(value: str, *, user: str | None) -> None:
        with acting_as(user):
            write(value)

    call_command(Command())
    task("by a task", user="alice")
    assert [fact[:2] for fact in who.facts()] == [
        ("by a command", "nightly"), ("outside of the block", "System"), ("by a task", "alice"),
    ]  # fmt: skip

"""`auditctl.integrations.django`: the user of requests, commands and threads, by the ORM and by cursors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from auditctl import acting_as
from tests.fixtures import templates
from tests.integrations.django_shop import ActingMiddleware, Thing, connected, forget_reads
from tests.integrations.recorded import THING, Who
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login

db_template = templates.begin_with(templates.audited(THING, "thing"))


@pytest.fixture(params=[False, True], autouse=True, ids=["", "pool"])
def database(request: pytest.FixtureRequest, web: Login) -> Iterator[None]:
    """The database of the test, with a connection that persists, or with a pool."""
    with connected(web, with_pool=request.param):
        yield


def request(user: str | None, **options: Any) -> Any:
    made = RequestFactory().get("/", headers={"x-request-id": "4f2a", "x-forwarded-for": "203.0.113.7"}, **options)
    made.META["REMOTE_ADDR"] = "10.0.0.1"
    made.user = SimpleNamespace(is_authenticated=user is not None, get_username=lambda: user)
    return made


def add(value: str) -> Any:
    return Thing.objects.create(v=value)


def test_each_way_to_write_in_autocommit_and_in_atomic_carries_the_user(who: Who) -> None:
    def write() -> None:
        thing = add("save")
        assert thing.pk == Thing.objects.get(v="save").pk
        thing.v = "changed"
        thing.save()
        Thing.objects.bulk_create([Thing(v=f"{number}") for number in range(500)])
        Thing.objects.filter(v="1").update(v="x")
        with connection.cursor() as cursor:
            cursor.executemany("insert into thing (v) values (%s)", [["a"], ["b"]])
            cursor.callproc("write_thing", ["function"])
            with cursor.copy("copy thing (v) from stdin") as copy:
                copy.write_row(["copied"])

    with acting_as("alice"):
        write()
    with acting_as("bob"), transaction.atomic():
        Thing.objects.filter(v="save").delete()
        Thing.objects.all().delete()
        write()
    add("nobody")
    assert who.counted() == {"alice": 1 + 1 + 500 + 1 + 4, "bob": 505 - 1 + 1 + 1 + 1 + 500 + 1 + 4, "System": 1}


def test_savepoints_and_errors_leave_nothing_behind(who: Who) -> None:
    with transaction.atomic():
        with acting_as("alice"):
            add("of alice")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                add("undone")
                raise ZeroDivisionError
            add("of alice")
        add("of nobody")
    assert (who.did("undone"), who.did("of alice"), who.did("of nobody")) == ([], ["alice"] * 2, ["System"])


def test_what_only_reads_sends_nothing_unless_reads_are_recorded(conn: psycopg.Connection) -> None:
    def read() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            list(Thing.objects.filter(v="x"))
            list(Thing.objects.iterator())
            cursor.execute("select current_setting('auditctl.actor', true)")
            return cursor.fetchone()[0] or ""

    with acting_as("alice"):
        assert read() == ""
        conn.execute("create policy auditctl_read on thing using (true)")
        forget_reads()
        connections.close_all()
        assert read() == "alice"


def test_the_middleware_names_the_user_of_sync_and_async_requests_and_of_streams(who: Who) -> None:
    def view(request: Any) -> Any:
        add("view")
        request.user = SimpleNamespace(is_authenticated=True, get_username=lambda: "token")
        add("after the view authenticated")
        return StreamingHttpResponse(add(f"part {number}").v for number in range(2))

    async def view_async(request: Any) -> Any:
        await Thing.objects.acreate(v="async")
        await sync_to_async(add)("thread")
        await sync_to_async(connections.close_all)()
        return HttpResponse()

    response = ActingMiddleware(view)(request("alice"))
    add("between")
    assert b"".join(response.streaming_content) == b"part 0part 1"
    asyncio.run(ActingMiddleware(view_async)(request("bob")))
    ActingMiddleware(view)(request(None))
    assert [fact[:2] for fact in who.facts()] == [
        ("view", "alice"), ("after the view authenticated", "token"), ("between", "System"), ("part 0", "token"),
        ("part 1", "token"), ("async", "bob"), ("thread", "bob"), ("view", "System"),
        ("after the view authenticated", "token"),
    ]  # fmt: skip
    assert who.facts()[0] == ("view", "alice", "203.0.113.7", None, "4f2a")


def test_requests_of_many_users_in_threads_each_keep_their_own(who: Who) -> None:
    def serve(thread: int) -> None:
        for number in range(40):
            user = f"user {(thread * 40 + number) % 20}"

            def view(_: Any, user: str = user) -> Any:
                add(user)
                with transaction.atomic():
                    add(user)
                return HttpResponse()

            ActingMiddleware(view)(request(user))
        connection.close()

    threads = [threading.Thread(target=serve, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = who.facts()
    assert (len(facts), [fact for fact in facts if fact[0] != fact[1]]) == (400, [])


def test_write_without_a_reason_fails_with_what_to_do_and_passes_with_one(db: str, who: Who) -> None:
    audit(db, "thing", require_reason=True)
    with pytest.raises(DatabaseError, match="thing refused: no reason is given") as refused, acting_as("alice"):
        add("without")
    assert 'acting_as("alice", reason="ticket 4711")' in str(refused.value)
    assert getattr(refused.value.__cause__, "sqlstate", None) == "UA004"
    with acting_as("alice", reason="ticket 4711"):
        add("with")
    assert who.facts() == [("with", "alice", None, "ticket 4711", None)]

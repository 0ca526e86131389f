"""Exports that outgrow every buffer: streamed in constant memory, ended with who asked, and a few at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.recorded import bulk, own_events
from tests.web.serving import UNCOMPRESSED, wait_for_sessions, wait_until
from tests.web.test_export import is_quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

pytestmark = pytest.mark.slow  # waits for exports whose readers do not read

EVENTS = 100_000


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A log whose export is far larger than what the system buffers of a connection."""

    def prepare(dsn: str) -> None:
        with connect(dsn) as conn:
            bulk(conn, EVENTS)

    with prepared(server, template, prepare) as name:
        yield name


def test_an_export_streams_in_constant_memory(page: Page, person: MakeLogin, conn: psycopg.Connection) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    client.get("/")
    bulk(conn, 50_000)
    before, most = psutil.Process().memory_info().rss, 0
    for headers in (UNCOMPRESSED, {"accept-encoding": "gzip"}):
        size = 0
        with client.stream("GET", "/export.jsonl", params={"target": "bulk.row"}, headers=headers) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            assert headers is not UNCOMPRESSED or not is_quiet(conn, login.name)  # the last row is not read yet
            for piece in pieces:
                size += len(piece)
                most = max(most, psutil.Process().memory_info().rss)
            sent = answer.num_bytes_downloaded
        assert size > 50_000_000
        assert most - before < size / 4
    assert sent < size / 4


def test_who_goes_away_half_way_leaves_nothing_running(page: Page, person: MakeLogin, conn: psycopg.Connection) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    for _ in range(6):  # more than one person may have at a time
        with client.stream("GET", "/export.csv", params={"target": "bulk.row"}, headers=UNCOMPRESSED) as answer:
            next(answer.iter_raw())
        wait_until(lambda: is_quiet(conn, login.name))
    assert client.get("/").status_code == 200
    assert len(own_events(conn)) == 6
    wait_for_sessions(conn, login.name, 4)


def test_a_database_that_is_lost_half_way_breaks_the_transfer(
    page: Page, person: MakeLogin, conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with client.stream("GET", "/export.csv", params={"target": "bulk.row"}, headers=UNCOMPRESSED) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [login.name])
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass
    wait_until(lambda: "/export.csv aborted: " in caplog.text)
    assert "Traceback" not in caplog.text
    assert client.get("/").status_code == 200


def test_a_fifth_export_at_a_time_is_refused_and_others_go_on(
    page: Page, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditctl.web.auth.connections.WAIT_SECONDS", 0.2)
    greedy, other = (page.as_login(person(name, roles=["auditctl_reader"])) for name in ("greedy", "other"))
    with running(greedy, 4) as started:
        answer = greedy.get("/export.csv")
        assert answer.status_code == 503
        assert "Wait for an export or another page to end" in answer.text
        assert greedy.get("/").status_code == 503
        assert other.get("/").status_code == 200
        assert other.get("/export.csv?xact=1").status_code == 200
        for some in started:
            assert sum(len(piece) for piece in some.iter_raw()) > 10_000_000
    wait_until(lambda: greedy.get("/").status_code == 200)  # the server ends an export after its last byte


def test_many_that_wait_take_nobody_elses_place(page: Page, person: MakeLogin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.auth.connections.WAIT_SECONDS", 5.0)
    login = person("greedy", roles=["auditctl_reader"])
    greedy, other = page.as_login(login), page.as_login(person("other", roles=["auditctl_reader"]))
    answers: list[int] = []
    with running(greedy, 4):
        asking = [threading.Thread(target=lambda: answers.append(greedy.get("/").status_code)) for _ in range(80)]
        for thread in asking:
            thread.start()
        wait_until(lambda: len(answers) >= 72)  # eight wait, the others were told at once
        assert set(answers) == {503}
        assert other.get("/").status_code == 200
    for thread in asking:
        thread.join()


class running:  # noqa: N801 - a context manager reads as a function
    """So many exports of one person that have begun and wait for their reader."""

    def __init__(self, client: Client, count: int) -> None:
        self.client, self.count = client, count
        self.contexts: list[Any] = []

    def __enter__(self) -> list[httpx.Response]:
        address = "/export.csv?target=bulk.row"
        self.contexts = [self.client.stream("GET", address, headers=UNCOMPRESSED) for _ in range(self.count)]
        return [context.__enter__() for context in self.contexts]

    def __exit__(self, *_: object) -> None:
        for context in self.contexts:
            context.__exit__(None, None, None)

"""Exports from the page: the bytes of `auditctl export`, streamed, recorded, and never short without a sign."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from auditctl.log.formats import BY_NAME, EXPORTS
from tests.export.test_export import HOSTILE
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, bulk, minutes, own_events, record

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

PATHS = [f"/export.{row.name}" for row in EXPORTS]
QUERY = "select count(*) from pg_stat_activity where usename = %s and state <> 'idle'"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_quiet(conn: psycopg.Connection, login: str) -> bool:
    """Whether a login does nothing on the server."""
    return conn.execute(QUERY, [login]).fetchone() == (0,)


def test_downloads_have_the_registered_media_types() -> None:
    assert {"csv", "jsonl"} <= {row.name for row in EXPORTS}
    assert BY_NAME["csv"].media_type == "text/csv; charset=utf-8; header=present"
    assert BY_NAME["jsonl"].media_type == "application/jsonl; charset=utf-8"


def test_the_log_has_a_link_to_each_export(reader: Client) -> None:
    text = reader.get("/").text
    for row in EXPORTS:
        assert f'href="/export.{row.name}">Export {row.name.upper()}</a>' in text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_the_page_writes_the_bytes_that_the_command_writes(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection, path: str, order: str, raw: list[str]
) -> None:
    record(conn, *HOSTILE, *(Recorded(at=minutes(count), target="crm.note") for count in range(30)))
    form = path.rpartition(".")[2]
    options = ["--target", "billing.*", "--target", "crm.note", "--until", "2026-03-01T12:20:00Z", "--order", order]
    written = auditctl("export", "--format", form, *options, *raw, check=0).out.encode()
    texts: dict[str, str | list[str]] = {"target": ["billing.*", "crm.note"], "until": "2026-03-01T12:20:00Z"}
    answer = reader.get(path, params={**texts, "order": order, **({"raw": "1"} if raw else {})})
    assert answer.content == written
    assert answer.headers["content-type"] == BY_NAME[form].media_type != ""
    assert answer.headers["content-disposition"].startswith('attachment; filename="activity-')
    assert len(written.splitlines()) > 20
    by_command, by_page = own_events(conn)
    assert by_page == by_command == {
        "format": form, "order": order, "raw": bool(raw),
        "filters": {"until": "2026-03-01T12:20:00Z", "target": ["billing.*", "crm.note"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["order=up", "order=asc&order=desc", "raw=2", "limit=5", "after=x", "xact=x", "target=no.such.table", "since=soon"],
)
def test_what_is_refused_is_refused_before_the_first_byte(reader: Client, conn: psycopg.Connection, query: str) -> None:
    for path in PATHS:
        answer = reader.get(f"{path}?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert own_events(conn) == []


def test_an_export_of_nothing_is_a_header_or_nothing(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    for path in PATHS:
        form = path.rpartition(".")[2]
        written = auditctl("export", "--format", form, "--xact", "999999", check=0).out.encode()
        answer = reader.get(path, params={"xact": "999999"})
        assert (answer.status_code, answer.content) == (200, written)


@pytest.mark.parametrize("path", PATHS)
def test_who_only_asks_whether_it_is_there_or_comes_from_another_site_records_nothing(
    reader: Client, conn: psycopg.Connection, path: str
) -> None:
    head = reader.head(path)
    assert (head.status_code, head.headers["allow"]) == (405, "GET")
    for site in ("cross-site", "same-site"):
        assert reader.get(path, headers={"sec-fetch-site": site}).status_code == 403
    assert reader.post(path).status_code == 405
    assert own_events(conn) == []


@pytest.fixture
def large(conn: psycopg.Connection) -> int:
    """A log whose export is far larger than what the system buffers of a connection; how many events."""
    bulk(conn, 150_000)
    return 150_000


def test_an_export_streams_in_constant_memory(
    page: Page, large: int, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    client.get("/")
    before, most, size = psutil.Process().memory_info().rss, 0, 0
    with client.stream("GET", "/export.jsonl", params={"target": "bulk.row"}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert not is_quiet(conn, login.name)  # the last row is not read yet
        for piece in pieces:
            size += len(piece)
            most = max(most, psutil.Process().memory_info().rss)
    assert size > 50_000_000
    assert most - before < size / 4


def test_who_goes_away_half_way_leaves_nothing_running(
    page: Page, large: int, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    for _ in range(6):  # more than one person may have at a time
        with client.stream("GET", "/export.csv", params={"target": "bulk.row"}) as answer:
            next(answer.iter_raw())
        wait_until(lambda: is_quiet(conn, login.name))
    assert client.get("/").status_code == 200
    assert len(own_events(conn)) == 6
    count = conn.execute("select count(*) from pg_stat_activity where usename = %s", [login.name]).fetchone()
    assert count is not None
    assert count[0] <= 4


@pytest.mark.parametrize("path", ["/export.csv", "/"])
def test_who_goes_away_before_the_first_byte_leaves_nothing_running(
    page: Page, person: MakeLogin, conn: psycopg.Connection, path: str
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with connect(page.dsn) as locking, locking.transaction():
        locking.execute("lock table auditctl.target, auditctl.event in access exclusive mode")
        with pytest.raises(httpx.ReadTimeout):
            client.get(path, timeout=1)
        wait_until(lambda: is_quiet(conn, login.name))
    assert client.get("/").status_code == 200


def test_a_database_that_is_lost_half_way_breaks_the_transfer(
    page: Page, large: int, person: MakeLogin, conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with client.stream("GET", "/export.csv", params={"target": "bulk.row"}) as answer:
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
    page: Page, large: int, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
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
    assert greedy.get("/").status_code == 200


def test_many_that_wait_take_nobody_elses_place(
    page: Page, large: int, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        self.contexts = [self.client.stream("GET", "/export.jsonl?target=bulk.row") for _ in range(self.count)]
        return [context.__enter__() for context in self.contexts]

    def __exit__(self, *_: object) -> None:
        for context in self.contexts:
            context.__exit__(None, None, None)

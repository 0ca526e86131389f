"""Clients that are slow, silent, greedy or many: each is ended in time, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import errno
import http.client
import logging
import resource
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.web import listener as web_listener
from auditctl.web.limits import Limits, most_connections
from auditctl.web.log_repeats import RepeatFilter
from auditctl.web.server import Tls
from tests.fixtures.web import Clock
from tests.web.limited import GET, Serving, serving
from tests.web.serving import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


TLS = Path(__file__).parent / "tls"
SHORT = Limits(request_seconds=0.15, idle_seconds=0.15, stalled_seconds=0.15)
LONG = Limits(request_seconds=60, idle_seconds=60, stalled_seconds=60)
POST = b"POST /read HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def short() -> Iterator[Serving]:
    with serving(SHORT) as running:
        yield running


def is_ended(client: socket.socket) -> bool:
    """Whether the server ends the connection; waits for it."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


UNFINISHED = {
    "nothing": b"",
    "half a method": b"GE",
    "half of the headers": b"GET /ok HTTP/1.1\r\nHost: x\r\nCookie: a=",
    "no end of the headers": b"GET /ok HTTP/1.1\r\nHost: x\r\n",
    "no body": POST + b"Content-Length: 10\r\n\r\n",
    "half of a body": POST + b"Content-Length: 10\r\n\r\n12345",
    "half of a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12",
    "no last chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "a body that nobody reads": b"GET /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
    "a body that is awaited": POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    "half of a second request": GET + b"GET /ok HT",
    "half of a second request, in advance": GET + GET + POST,
}


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED)
def test_an_unfinished_request_is_ended(short: Serving, data: bytes) -> None:
    assert is_ended(short.connect(data) if data else short.connect())


@pytest.mark.parametrize("start", [b"", POST + b"Transfer-Encoding: chunked\r\n\r\n"], ids=["headers", "chunks"])
def test_a_request_that_never_ends_is_ended_however_often_a_part_comes(short: Serving, start: bytes) -> None:
    part = b"1\r\nx\r\n" if start else b"GET / HTTP/1.1\r\nHost: x\r\n"
    client = short.connect(start or part)
    part = part if start else b"X-Header: value\r\n"
    client.settimeout(0.01)
    with pytest.raises(OSError, match=r"reset|[Bb]roken") as ended:
        while True:
            client.sendall(part)
            try:
                if not client.recv(1000):
                    raise BrokenPipeError(errno.EPIPE, "Broken pipe")
            except TimeoutError:
                pass
    assert ended.value.errno in (errno.EPIPE, errno.ECONNRESET)


def test_an_idle_connection_is_ended_after_its_answer(short: Serving) -> None:
    client = short.connect(GET)
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert is_ended(client)


def test_a_client_that_does_not_read_its_answer_is_ended_and_so_is_the_work_for_it(short: Serving) -> None:
    short.app.ended.clear()
    short.connect(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: short.app.ended == ["/flood"])


def test_a_request_that_is_whole_may_take_longer_than_it_may_take_to_arrive() -> None:
    with serving(SHORT) as running:
        client = running.connect(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        client.settimeout(0.4)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert not running.app.ended


def test_a_silent_tls_handshake_is_ended() -> None:
    with serving(SHORT, Tls(TLS / "certificate.pem", TLS / "key.pem")) as running:
        assert is_ended(running.connect())
        assert is_ended(running.connect(b"\x16\x03\x01\x02\x00\x01"))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(running.connect()) as client:
            assert is_ended(client)


def test_answers_are_sent_at_once_on_every_accepted_connection() -> None:
    with serving(LONG) as running:
        running.answers()
        wait_until(lambda: len(running.connections) == 1)
        options = [
            one.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for one in running.connections
        ]
        assert all(options)


def test_beyond_the_limit_the_connection_that_waits_longest_makes_room() -> None:
    with serving(Limits(connections=3)) as running:
        clients = [running.connect() for _ in range(3)]
        wait_until(lambda: len(running.connections) == 3)
        clients[0].sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: len(running.server.server_state.tasks) == 1)
        assert running.answers()
        assert is_ended(clients[1])
        assert all(running.answers() for _ in range(20))
        assert running.app.ended == []  # a request that is answered never makes room


def test_one_address_cannot_take_the_connections_of_others() -> None:
    with serving(Limits(per_address=2, connections=50)) as running:
        kept = [running.connect() for _ in range(20)]
        assert all(is_ended(one) for one in kept[:18])
        wait_until(lambda: len(running.connections) == 2)


def test_a_trusted_proxy_has_the_connections_of_many() -> None:
    with serving(Limits(per_address=2, connections=50, shared=("127.0.0.0/8",))) as running:
        for _ in range(20):
            running.connect()
        wait_until(lambda: len(running.connections) == 20)


def test_a_connection_is_refused_where_all_are_busy() -> None:
    with serving(Limits(connections=8)) as running:
        for _ in range(8):
            running.connect(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: len(running.server.server_state.tasks) == 8)
        assert is_ended(running.connect())


def test_hundreds_of_silent_connections_stop_nobody() -> None:
    with serving(Limits(per_address=100)) as running:
        for _ in range(300):
            running.connect()
        assert running.answers()
        wait_until(lambda: len(running.connections) <= 100)


def test_where_no_file_is_left_for_a_connection_the_log_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accept, failures = asyncio.SelectorEventLoop.sock_accept, iter(range(20))

    async def failing(loop: asyncio.SelectorEventLoop, sock: socket.socket) -> Any:
        if next(failures, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return await accept(loop, sock)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_accept", failing)
    monkeypatch.setattr(web_listener, "PAUSE_SECONDS", 0.001)
    caplog.handler.addFilter(RepeatFilter())
    with serving(LONG) as running:
        assert running.answers()
    lines = [record.getMessage() for record in caplog.records if record.name == "auditctl.web.connections"]
    assert lines == ["cannot accept a connection: Too many open files"]


def test_half_of_the_files_are_left_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: changed.append(pair))
    for pair, expected in {(256, 256): 96, (64, 64): 8, (1024, 1024): 480, (256, 1 << 20): 1000}.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, pair=pair: pair)
        assert most_connections(1000) == expected
    assert changed == [(8192, 1 << 20)]


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"), ("10.1.2.3", None), ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"), ("", None),
    ],
)  # fmt: skip
def test_connections_are_counted_by_address_or_network(address: str, source: str | None) -> None:
    assert Limits(shared=("10.0.0.0/8",)).source(address) == source


def test_a_message_is_written_once_a_minute_and_then_says_how_often_it_came(clock: Clock) -> None:
    repeats = RepeatFilter(clock)

    def written(text: str, name: str = "uvicorn.error") -> str | None:
        record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (text,), None)
        return record.getMessage() if repeats.filter(record) else None

    assert written("bad") == "bad"
    assert written("bad") is None
    assert written("worse") == "worse"
    assert written("bad\nwith a traceback") is None
    assert written("GET / 200", "auditctl.web") == written("GET / 200", "auditctl.web") == "GET / 200"
    clock.now = 61
    assert written("bad") == "bad (2 more since the last line)"
    assert written("worse") == "worse"


def test_a_long_head_is_refused_and_the_connection_ended(short: Serving) -> None:
    client = short.connect(b"GET /ok?" + b"q" * 100_000 + b" HTTP/1.1\r\nHost: x\r\nCookie: ")
    answer = http.client.HTTPResponse(client)
    answer.begin()
    assert answer.status == 400
    assert is_ended(client)

"""`auditctl serve` as its users run it: where it listens, what it says, and how it ends."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from auditctl.web.app import make_app
from auditctl.web.server import Server, listen
from auditctl.web.settings import Settings
from tests.fixtures.databases import connect
from tests.fixtures.web import PASSWORD, nameless
from tests.support.recorded import bulk, own_events
from tests.web.serving import UNCOMPRESSED, Relay, browser, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow  # starts servers and waits for their ends

TLS = Path(__file__).parent / "tls"
COUNT = """
    select count(*) from pg_stat_activity
     where application_name = 'auditctl serve' and datname = current_database()
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def ann(person: MakeLogin) -> Login:
    return person("ann", roles=["auditctl_reader"])


@pytest.mark.parametrize(("host", "shown"), [(None, "127.0.0.1"), ("::1", "[::1]"), ("localhost", None)])
def test_it_says_where_the_log_is(db: str, ann: Login, stack: ExitStack, host: str | None, shown: str | None) -> None:
    with serving(nameless(db), *(["--host", host] if host else [])) as running:
        assert shown is None or running.url.startswith(f"http://{shown}:")
        client = browser(running.url, stack)
        assert client.get("/healthz").text == "ok\n"
        assert client.sign_in(ann.name).status_code == 303
        assert client.get("/").status_code == 200
        assert running.end(signal.SIGINT) == 0
    assert f"{ann.name} signed in" in running.text
    assert running.text.endswith("Stopped.\n")
    assert PASSWORD not in running.text


def test_an_answer_waits_for_no_acknowledgement_of_its_first_packet(db: str) -> None:
    app, ready = make_app(Settings(nameless(db))), threading.Event()
    listening = listen("127.0.0.1", 0)
    server = Server(app, listening, started=ready.set)
    thread = threading.Thread(target=server.serve_until_stopped)
    with ExitStack() as stack:
        address = listening.getsockname()
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        assert ready.wait(30)
        with closing(socket.create_connection(address)):
            wait_until(lambda: bool(server.server_state.connections))
            (connection,) = server.server_state.connections
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_to_be_told_to_end_is_no_failure_and_leaves_nothing(
    db: str, ann: Login, stack: ExitStack, conn: psycopg.Connection, number: int
) -> None:
    with serving(nameless(db)) as running:
        client = browser(running.url, stack)
        client.sign_in(ann.name)
        assert conn.execute(COUNT).fetchone() == (1,)
        assert running.end(number) == 0
        wait_until(lambda: conn.execute(COUNT).fetchone() == (0,))
    assert running.text.endswith("Stopped.\n")
    assert "Traceback" not in running.text


def test_an_export_under_way_gets_a_moment_to_end(
    db: str, ann: Login, stack: ExitStack, conn: psycopg.Connection
) -> None:
    bulk(conn, 100_000)
    with serving(nameless(db)) as running:
        client = browser(running.url, stack)
        client.sign_in(ann.name)
        with client.stream("GET", "/export.csv?target=bulk.row", headers=UNCOMPRESSED) as answer:
            pieces = answer.iter_raw()
            size = len(next(pieces))
            running.process.send_signal(signal.SIGTERM)
            size += sum(len(piece) for piece in pieces)
        assert size > 5_000_000
        assert running.process.wait(timeout=60) == 0
    assert len(own_events(conn)) == 1


def test_an_export_that_nobody_reads_does_not_keep_the_server(
    db: str, ann: Login, stack: ExitStack, conn: psycopg.Connection
) -> None:
    bulk(conn, 100_000)
    with serving(nameless(db)) as running:
        client = browser(running.url, stack)
        client.sign_in(ann.name)
        with client.stream("GET", "/export.csv?target=bulk.row", headers=UNCOMPRESSED) as answer:
            next(answer.iter_raw())
            assert running.end(signal.SIGTERM) == 0
            wait_until(lambda: conn.execute(COUNT).fetchone() == (0,))
    assert running.text.endswith("Stopped.\n")


def test_a_query_that_finds_nothing_for_long_does_not_keep_the_server(
    db: str, ann: Login, stack: ExitStack, conn: psycopg.Connection
) -> None:
    with serving(nameless(db)) as running:
        client = browser(running.url, stack)
        client.sign_in(ann.name)
        with connect(db) as locking, locking.transaction():
            locking.execute("lock table auditctl.event, auditctl.target in access exclusive mode")
            sending = socket.create_connection((client.base_url.host, client.base_url.port or 0))
            with closing(sending):
                cookie = f"auditctl={client.cookies['auditctl']}"
                sending.sendall(f"GET /export.csv HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
                waiting = f"{COUNT} and wait_event_type = 'Lock'"
                wait_until(lambda: conn.execute(waiting.encode()).fetchone() == (1,))
                assert running.end(signal.SIGTERM) == 0
                wait_until(lambda: conn.execute(COUNT).fetchone() == (0,))
    assert "Traceback" not in running.text


def test_quiet_it_says_what_was_refused_and_nothing_else(db: str, ann: Login, stack: ExitStack) -> None:
    port = free_port()
    with serving(nameless(db), options=("--quiet",), port=port) as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_open(port))
        client = browser(url, stack)
        assert client.sign_in(ann.name, "wrong").status_code == 401
        assert client.sign_in(ann.name).status_code == 303
        assert client.get("/").status_code == 200
        assert running.end(signal.SIGTERM) == 0
    refused, answered = running.text.splitlines()
    assert f" WARNING 127.0.0.1 {ann.name} sign-in refused: " in refused
    assert " WARNING 127.0.0.1 - POST /login 401 " in answered


def test_over_tls_the_page_is_the_same_and_cookies_stay_there(db: str, ann: Login, stack: ExitStack) -> None:
    files = ("--tls-cert", str(TLS / "certificate.pem"), "--tls-key", str(TLS / "key.pem"))
    with serving(nameless(db), *files) as running:
        assert running.url.startswith("https://127.0.0.1:")
        client = browser(running.url, stack, verify=ssl.create_default_context(cafile=TLS / "certificate.pem"))
        answer = client.sign_in(ann.name)
        assert answer.headers["set-cookie"].startswith("__Secure-auditctl=")
        assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
        assert running.end(signal.SIGINT) == 0


def test_a_database_that_is_not_there_yet_is_waited_for(
    server: EmbeddedServer, db: str, ann: Login, stack: ExitStack
) -> None:
    relay = stack.enter_context(closing(Relay("127.0.0.1", server.port)))
    with serving(make_conninfo(nameless(db), host="127.0.0.1", port=relay.port)) as running:
        client = browser(running.url, stack)
        assert "warning: the database does not answer; nobody can sign in until it does" in running.text
        assert (client.get("/healthz").status_code, client.get("/login").status_code) == (503, 200)
        answer = client.sign_in(ann.name)
        assert answer.status_code == 503
        assert str(relay.port) not in answer.text
        relay.open()
        assert client.get("/healthz").status_code == 200
        assert client.sign_in(ann.name).status_code == 303
        assert client.get("/").status_code == 200
        assert running.end(signal.SIGTERM) == 0


def test_passwords_in_the_clear_are_warned_of(db: str) -> None:
    with serving(nameless(db), "--host", "0.0.0.0") as running:
        assert running.url.startswith("http://0.0.0.0:")
        assert "warning: passwords cross the network unencrypted; use --tls-cert" in running.text


def test_an_ipv4_visitor_of_an_ipv6_socket_is_one_of_ipv4(db: str, ann: Login, stack: ExitStack) -> None:
    with serving(nameless(db), "--host", "::", "--trusted-proxy", "127.0.0.1") as running:
        url = running.url.replace("[::]", "127.0.0.1")
        client = browser(url, stack, headers={"x-forwarded-for": "203.0.113.7"})
        assert client.sign_in(ann.name, "wrong").status_code == 401
        wait_until(lambda: f"203.0.113.7 {ann.name} sign-in refused" in running.text)


def free_port() -> int:
    with closing(socket.socket()) as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def is_open(port: int) -> bool:
    with closing(socket.socket()) as some:
        return some.connect_ex(("127.0.0.1", port)) == 0

"""Whatever is asked, in whatever form: an answer that says so, bound by the same headers, and never a traceback."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditctl.web import errors
from auditctl.web.auth import cookies
from auditctl.web.auth.password import WrongPassword
from auditctl.web.auth.proxy import Unnamed
from auditctl.web.error_pages import TITLES
from auditctl.web.middleware import HEADERS
from auditctl.web.posted import URLENCODED
from auditctl.web.render.filter_chips import FILTER_NAMES
from auditctl.web.routes import ROUTES
from auditctl.web.settings import Auth
from tests.fixtures.web import CSRF
from tests.support.recorded import Recorded, record
from tests.web.parsing import parsed
from tests.web.raw import Answer, Message, exchange

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client, Page, ServePage

pytestmark = pytest.mark.slow

MARK = "\"'><script>mark</script>"

VALUES = st.one_of(
    st.sampled_from([
        "", " ", "0", "1", "-1", "\u0663", "1_0", "1e9", "9" * 19, "9" * 5000, "x" * 9000, "\0", "a\0b", "\n",
        "\r\nX: y",
        "\u202e", "\ufeff", "\U0001f512", "%", "%s", "[", '["a"]', "{", "null", "[" * 500, MARK, "../../etc/passwd",
        "System", "actor:", "login:", "24h", "0d", "-1d", "2026-13-01", "9999-12-31T23:59:59.999999Z", "0001-01-01",
        "2026-03-01T12:00:00.123456Z/1", "2026-03-01T12:00:00.123456Z/0",
        "9999-12-31T23:59:59.999999Z/9223372036854775807",
        "billing.*", "billing.customer", "*", "**", "[a", "10.0.0.0/33", "::1%eth0", "::/0", "a=b", "=", "a=", "update",
    ]),
    st.text(max_size=20),
    st.integers().map(str),
)  # fmt: skip

TARGETS = st.sampled_from([
    "/%00", "/%2e%2e/", "//", "//evil.example/", "/%2F%2Fevil.example", "/events/", "/events/%00", "/events/%F0%9F",
    "/events/1%3Fx", "/events/-1", "/events/%D9%A3", f"/events/{'9' * 5000}", f"/{'a' * 9000}", "/login/", "/LOGIN",
    "/static/", "/static/%00", "/static/..%2fapp.py", "/static/../app.py", f"/static/{'a' * 5000}", "/static/style.css",
    "/static/app.js?v=x", "/export.xml", "/export.", "*", "http://evil.example/", "/;x", "/%", "/%zz", "/%c0%af", "/\\",
])  # fmt: skip

HEADER = st.sampled_from([
    ("Cookie", b"auditctl=\xff\xfe"), ("Cookie", b"auditctl=a; auditctl=b"), ("Cookie", b'auditctl_form="\\012\\303"'),
    ("Cookie", b"auditctl_form=" + b"x" * 9000), ("Cookie", b"=;;==; a"), ("Cookie", b"auditctl_form=a\tb"),
    ("X-Forwarded-For", b"\xff, <script>"), ("X-Forwarded-Proto", b"javascript"), ("X-Remote-User", b"postgres"),
    ("HX-Request", b"true"), ("HX-Request", b""), ("HX-History-Restore-Request", b"true"), ("Range", b"bytes=5-2"),
    ("Sec-Fetch-Site", b"cross-site"), ("Sec-Fetch-Site", b"same-origin"), ("Accept", b"\xff"), ("Host", b"a/b?c#d"),
    ("If-None-Match", b"*"), ("If-Modified-Since", b"\xff"), ("Accept-Encoding", b"identity;q=0"), ("Expect", b"x"),
    ("Transfer-Encoding", b"gzip"), ("Upgrade", b"websocket"), ("X-HTTP-Method-Override", b"DELETE"),
    ("Origin", b"null"),
])  # fmt: skip

KINDS = st.sampled_from([
    URLENCODED, f"{URLENCODED}; charset=utf-7", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain",
    "application/json", "", "\xff", "x" * 5000,
])  # fmt: skip

BODIES = st.one_of(
    st.sampled_from([
        b"", b"&", b"=", b"csrf", b"csrf=%", b"csrf=%ff", b"csrf=\xff", b"csrf=a&csrf=b", b"login=%00&password=%00",
        b"a=" + b"x" * 70_000, b"&".join([b"a=1"] * 6000), b"--x\r\n", b"{}", b"\0" * 100,
    ]),
    st.binary(max_size=50),
)  # fmt: skip

METHODS = st.sampled_from([
    *["GET"] * 6, *["POST"] * 4, "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"
])  # fmt: skip


PLAIN = {"text/plain", "text/csv", "application/jsonl", "application/toml", "application/json", "text/css",
         "text/javascript", "application/javascript", "image/svg+xml", "application/octet-stream"}  # fmt: skip
"""What is sent beside pages; no browser takes it for one, by `nosniff`."""


@st.composite
def messages(draw: st.DrawFn, csrf: str) -> Message:
    """A request to one of our routes, or beside them."""
    route = draw(st.sampled_from(ROUTES))
    path = route.path
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + quote(draw(VALUES), safe="") + rest.partition("}")[2]
    names = st.sampled_from([*sorted(route.parameters), "unknown", MARK]) if route.parameters else VALUES
    query = draw(st.lists(st.tuples(names, VALUES), max_size=4))
    target = draw(st.one_of(st.just(f"{path}?{urlencode(query)}".rstrip("?")), TARGETS))
    method = draw(st.one_of(st.just(route.methods[0]), METHODS))
    headers = draw(st.lists(HEADER, max_size=2))
    body = draw(BODIES) if method not in ("GET", "HEAD", "TRACE") else b""
    if method == "POST" and route.path != "/logout" and draw(st.booleans()):
        fields = draw(st.lists(st.tuples(st.sampled_from(["login", "password", "next", "table"]), VALUES), max_size=3))
        body = urlencode([("csrf", csrf), *fields]).encode()
        headers.append(("Content-Type", URLENCODED.encode()))
    elif body:
        headers.append(("Content-Type", draw(KINDS).encode("latin-1")))
    return Message(method, target, tuple(headers), body)


def assert_answered(message: Message, answer: Answer) -> None:
    assert answer.status not in (500, 502), message
    assert b"Traceback" not in answer.body, message
    if not answer.is_ours:
        return
    for name, value in HEADERS.items():
        assert answer.headers.get_all(name) == [value], (message, name)
    if not (message.target.startswith("/static/") and answer.status in (200, 206, 304)):
        assert answer.headers.get_all("cache-control") == ["no-store"], message
    if answer.headers.get_content_type() == "text/html":
        assert b"<script>mark" not in answer.body, message
        assert parsed(answer.body.decode()).errors == [], message
    else:
        assert answer.headers.get_content_type() in PLAIN, message


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.views.login.DELAY_SECONDS", 0.0)


@pytest.fixture(params=["nobody", "reader", "admin"])
def client(request: pytest.FixtureRequest, page: Page, conn: psycopg.Connection) -> Client:
    """A browser with somebody, who sees a log with marks in it."""
    record(conn, Recorded(actor=MARK, target_id=MARK, target=MARK, context='{"k": "<script>mark</script>"}'))
    found: Client = page.client() if request.param == "nobody" else request.getfixturevalue(request.param)
    return found


def test_whatever_is_asked_is_answered(client: Client, page: Page, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    csrf = csrf_of(client)
    kept = tuple(("Cookie", f"{name}={value}".encode()) for name, value in client.cookies.items())

    @settings(max_examples=250, suppress_health_check=list(HealthCheck))
    @given(messages(csrf))
    @example(Message("GET", "/export.csv", (("Host", b"a?b"),)))
    @example(Message("GET", f"/?{urlencode([('user', MARK)])}"))
    def answers(message: Message) -> None:
        sent = Message(message.method, message.target, (*kept, *message.headers), message.body)
        assert_answered(sent, exchange(page.url, sent))

    answers()
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []


def csrf_of(client: Client) -> str:
    text = client.get("/" if "auditctl" in client.cookies else "/login").text
    return text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.mark.parametrize("header", [b"ann", b"\xff", b"", b"\xc3\xa0", MARK.encode(), b"x" * 9000, b"\x00"], ids=repr)
def test_whatever_a_proxy_names_is_answered(serve_page: ServePage, header: bytes) -> None:
    page = serve_page(auth=Auth.PROXY, trusted_proxies=("127.0.0.1/32",))
    for route in ROUTES:
        for method in ("GET", "POST", "HEAD", "PUT"):
            message = Message(method, route.path.replace("{", "").replace("}", ""), (("X-Remote-User", header),))
            assert_answered(message, exchange(page.url, message))


def test_each_route_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "web.md").read_text("utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `/")]
    named = {word.strip(" `") for line in table for word in line.split("|")[1].split(",")}
    assert {route.path for route in ROUTES} <= named


def test_each_parameter_of_a_route_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "web.md").read_text("utf-8")
    for route in ROUTES:
        line = next(line for line in text.splitlines() if line.startswith("| `/") and f"`{route.path}`" in line)
        said = set(line.replace("`", " ").replace(",", " ").split())
        assert route.parameters - (FILTER_NAMES if "all filters" in line else set()) <= said, route.path


def test_each_kind_of_failure_has_its_title() -> None:
    kinds: list[type[errors.WebError]] = [errors.WebError, *errors.WebError.__subclasses__(), Unnamed, WrongPassword]
    assert {kind.status for kind in kinds} | {422, 500, 503, 504} <= set(TITLES)


def test_the_form_takes_no_token_that_it_did_not_make(page: Page) -> None:
    for value in (b"", b"7" * 42, b"7" * 44, b"\xff" * 43, b'"' + b"7" * 43, b"7" * 42 + b"."):
        answer = exchange(page.url, Message("GET", "/login", (("Cookie", cookies.SIGN_IN.encode() + b"=" + value),)))
        assert answer.status == 200
        made = cookies.unmasked(*CSRF.findall(answer.body.decode()))
        assert len(made) == 43
        assert "777" not in made

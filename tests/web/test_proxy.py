"""`--auth proxy`: a header names the visitor, believed from the proxy alone; everything is read as one login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.errors import DatabaseError
from auditctl.web.auth import password
from auditctl.web.errors import Forbidden
from auditctl.web.routes import ROUTES, Access
from auditctl.web.settings import Auth, Settings
from tests.web.raw import Message, exchange
from tests.web.serving import wait_for_sessions

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login, MakeLogin
    from tests.fixtures.web import Page, ServePage

HERE = ("127.0.0.1/32",)


@pytest.fixture
def shared(login: MakeLogin) -> Login:
    """The login that reads for all."""
    return login("shared", roles=["auditctl_reader"])


@pytest.fixture
def page(serve_proxied: ServePage) -> Page:
    return serve_proxied()


@pytest.fixture
def serve_proxied(serve_page: ServePage, shared: Login) -> ServePage:
    """Serves with `--auth proxy`, reading as the shared login."""

    def serve(**changes: object) -> Page:
        return serve_page(**{"auth": Auth.PROXY, "trusted_proxies": HERE, "dsn": shared.dsn, **changes})

    return serve


def asked(page: Page, *headers: tuple[str, bytes], path: str = "/", method: str = "GET") -> int:
    return exchange(page.url, Message(method, path, headers)).status


def test_who_is_named_sees_the_log_under_that_name(page: Page) -> None:
    answer = page.client(headers={"x-remote-user": "ann"}).get("/")
    assert answer.status_code == 200
    assert ">ann</span>" in answer.text
    assert "Sign out" not in answer.text
    assert "Configuration" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("X-Remote-User", b""),),
        (("X-Remote-User", b"  "),),
        (("X-Remote-User", b"ann"), ("X-Remote-User", b"ben")),
        (("X-Remote-User", b"ann"), ("x-remote-user", b"ann")),
        (("X-Remote-User", b"a" * 201),),
        (("X-Remote-User", b"a\xffb"),),
        (("X-Remote-User", "a\u202eb".encode()),),
        (("X_Remote_User", b"ann"),),
        (("X-Forwarded-User", b"ann"),),
        (("Cookie", b"auditctl=x"), ("Authorization", b"Basic YTpi")),
    ],
    ids=repr,
)
def test_a_header_that_is_missing_doubled_or_no_name_lets_nobody_in(
    page: Page, headers: tuple[tuple[str, bytes], ...]
) -> None:
    assert asked(page, *headers) == 401


@pytest.mark.parametrize("name", ["X-Remote-User", "x-remote-user", "X-REMOTE-USER"])
def test_the_case_of_the_header_makes_no_difference(page: Page, name: str) -> None:
    assert asked(page, (name, b"ann")) == 200


@pytest.mark.parametrize("user", ["ann", "\u00e0", "\u0416\u0443\u043a", "\u540d\u524d", "o'brien", "a b", "A@example"])
def test_names_are_taken_as_the_proxy_writes_them(page: Page, user: str, conn: psycopg.Connection) -> None:
    assert asked(page, ("X-Remote-User", user.encode()), path="/export.csv") == 200
    found = conn.execute(
        "select context ->> 'claimed_actor' from auditctl.event where target = 'auditctl.export'"
    ).fetchone()
    assert found == (user,)


def test_from_any_other_address_nobody_is_let_in(serve_proxied: ServePage) -> None:
    page = serve_proxied(trusted_proxies=("10.0.0.0/8", "::1/128"))
    named = ("X-Remote-User", b"ann")
    assert asked(page, named) == 403
    assert asked(page, named, ("X-Forwarded-For", b"10.0.0.1")) == 403
    assert asked(page, named, path="/export.csv") == 403
    assert asked(page, path="/healthz") == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_there_is_no_signing_in_or_out(page: Page, path: str, method: str) -> None:
    assert asked(page, ("X-Remote-User", b"ann"), path=path, method=method) == 404
    assert asked(page, path=path, method=method) == 404


def test_nobody_is_an_administrator(serve_proxied: ServePage, login: MakeLogin) -> None:
    page = serve_proxied(dsn=login("admin", attributes="superuser").dsn)
    client = page.client(headers={"x-remote-user": "ann"})
    assert "Configuration" not in client.get("/").text
    for route in ROUTES:
        if route.access is Access.ADMIN:
            assert client.request(route.methods[0], route.path).status_code in (400, 403, 404), route.path


def test_every_query_runs_as_the_shared_login_with_the_visitor_as_a_claim(
    page: Page, shared: Login, conn: psycopg.Connection
) -> None:
    for user in ("ann", "ben", "ann"):
        headers = {"x-remote-user": user, "x-forwarded-for": "203.0.113.7"}
        assert page.client(headers=headers).get("/export.jsonl").status_code == 200
    found = conn.execute(
        "select actor, actor_kind, db_user, ip, context ->> 'claimed_actor', context ->> 'claimed_ip' "
        "from auditctl.event where target = 'auditctl.export' and target_id is null order by event_id"
    ).fetchall()
    assert found == [
        (shared.name, "database", shared.name, None, user, "203.0.113.7") for user in ("ann", "ben", "ann")
    ]


def test_two_people_have_sessions_apart(page: Page) -> None:
    ann, ben = (page.client(headers={"x-remote-user": user}) for user in ("ann", "ben"))
    for _ in range(2):
        assert ">ann</span>" in ann.get("/").text
        assert ">ben</span>" in ben.get("/").text
    assert ">ben</span>" not in ann.get("/").text


def test_no_cookie_is_set_and_none_counts(page: Page) -> None:
    client = page.client(headers={"x-remote-user": "ann"})
    assert "set-cookie" not in client.get("/").headers
    assert asked(page, ("X-Remote-User", b"ben"), ("Cookie", b"auditctl=ann")) == 200


def test_a_login_that_may_not_read_is_refused_and_leaves_no_connection(
    serve_proxied: ServePage, login: MakeLogin, conn: psycopg.Connection
) -> None:
    stranger = login("stranger")
    page = serve_proxied(dsn=stranger.dsn)
    for _ in range(10):
        assert asked(page, ("X-Remote-User", b"ann")) == 403
    wait_for_sessions(conn, stranger.name, 1)
    with pytest.raises((Forbidden, DatabaseError)):
        password.reader(Settings(stranger.dsn, Auth.PROXY))


def test_many_names_are_kept_apart_and_not_for_ever(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.auth.sessions.MAX_SESSIONS", 3)
    for count in range(12):
        assert asked(page, ("X-Remote-User", f"user {count}".encode())) == 200

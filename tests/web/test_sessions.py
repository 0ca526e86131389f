"""Sessions: made by us, worth nothing once over, few for each person, and no way to another's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.web.auth import sessions
from auditctl.web.auth.connections import Connections
from auditctl.web.auth.sessions import Sessions, Visitor
from tests.fixtures.databases import connect
from tests.fixtures.web import PASSWORD, nameless
from tests.web.serving import wait_for_sessions

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Clock, Page, ServePage

ANN, BEN = Visitor("ann", "ann", is_admin=False), Visitor("ben", "ben", is_admin=False)


@pytest.fixture
def kept(clock: Clock) -> Sessions:
    return Sessions(timedelta(minutes=30), timedelta(hours=12), clock)


def unused() -> Connections:
    return Connections("host=/nonexistent")


def test_a_session_ends_after_a_while_without_a_request(kept: Sessions, clock: Clock) -> None:
    token = kept.start(ANN, unused())
    for minutes in (29, 58, 87):
        clock.now = minutes * 60
        assert kept.find(token) is not None
    clock.now += 31 * 60
    assert kept.find(token) is None


def test_a_page_that_renews_itself_keeps_no_session_alive(kept: Sessions, clock: Clock) -> None:
    token = kept.start(ANN, unused())
    for minutes in (10, 20, 29):
        clock.now = minutes * 60
        assert kept.find(token, is_activity=False) is not None
    clock.now = 31 * 60
    assert kept.find(token, is_activity=False) is None


def test_a_session_ends_after_its_longest_time_whatever_is_done(kept: Sessions, clock: Clock) -> None:
    token = kept.start(ANN, unused())
    for minutes in range(0, 12 * 60 + 1, 20):
        clock.now = minutes * 60
        assert kept.find(token) is not None
    clock.now = 12 * 3600 + 1
    assert kept.find(token) is None
    kept.sweep()
    clock.now = 0
    assert kept.find(token) is None


def test_a_person_has_few_sessions_and_pushes_out_nobody_else(
    kept: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = kept.start(BEN, unused())
    tokens = []
    for count in range(sessions.MAX_SESSIONS_PER_PERSON + 5):
        clock.now = count + 1
        tokens.append(kept.start(ANN, unused()))
    assert [kept.find(token) is not None for token in tokens] == [False] * 5 + [True] * sessions.MAX_SESSIONS_PER_PERSON
    assert kept.find(ben) is not None


def test_there_are_never_more_than_so_many(kept: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    tokens = []
    for count in range(5):
        clock.now = count
        tokens.append(kept.start(Visitor(f"p{count}", "p", is_admin=False), unused()))
    assert [kept.find(token) is not None for token in tokens] == [False, False, True, True, True]


def test_a_session_that_was_pushed_out_closes_its_connections(
    page: Page, person: MakeLogin, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS_PER_PERSON", 1)
    login = person("ann", roles=["auditctl_reader"])
    first, second = page.as_login(login), page.as_login(login)
    assert (first.get("/").status_code, second.get("/").status_code) == (303, 200)
    wait_for_sessions(conn, login.name, 1)


def test_a_token_that_somebody_else_chose_is_never_a_session(page: Page, person: MakeLogin) -> None:
    client = page.client(cookies={"auditctl": "chosen"})
    answer = client.sign_in(person("ann", roles=["auditctl_reader"]).name)
    tokens = re.findall(r"auditctl=([^;]+);", answer.headers["set-cookie"])
    assert tokens != ["chosen"]
    assert page.client(cookies={"auditctl": "chosen"}).get("/").status_code == 303


def test_signing_in_again_makes_the_old_token_worthless(page: Page, person: MakeLogin) -> None:
    login = person("ann", roles=["auditctl_reader"])
    old = page.as_login(login).cookies["auditctl"]
    client = page.client()
    csrf = re.findall(r'name="csrf" value="([^"]+)"', client.get("/").text or client.get("/login").text)
    assert csrf
    with_old = page.client(cookies={"auditctl": old})
    own = re.findall(r'name="csrf" value="([^"]+)"', with_old.get("/").text)[0]
    answer = with_old.post("/login", data={"csrf": own, "login": login.name, "password": PASSWORD})
    assert answer.status_code == 303
    assert page.client(cookies={"auditctl": old}).get("/").status_code == 303


def test_the_token_of_a_session_is_long_and_new_each_time(page: Page, person: MakeLogin) -> None:
    login = person("ann", roles=["auditctl_reader"])
    tokens = {page.as_login(login).cookies["auditctl"] for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)


def test_nothing_that_is_kept_shows_password_or_token_when_printed(page: Page, person: MakeLogin) -> None:
    login = person("ann", roles=["auditctl_reader"])
    kept = Sessions(timedelta(1), timedelta(1))
    connections = Connections(f"{nameless(page.dsn)} user={login.name} password='{PASSWORD}'")
    token = kept.start(ANN, connections)
    found = kept.find(token)
    assert found is not None
    printed = f"{found!r} {kept!r} {connections!r} {vars(kept)!r}"
    assert PASSWORD not in printed
    assert token not in printed
    assert found.secret not in printed


@pytest.mark.parametrize("path", ["/audit", "/a/b.c"])
def test_below_a_path_the_cookie_goes_nowhere_else(serve_page: ServePage, person: MakeLogin, path: str) -> None:
    page = serve_page(root_path=path)
    client = page.client()
    assert client.get("/").headers["location"] == f"{path}/login"
    answer = client.form(
        f"{path}/login", {"login": person("ann", roles=["auditctl_reader"]).name, "password": PASSWORD}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/")
    assert all(f"Path={path};" in f"{cookie};" for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("does_strip", [True, False])
def test_a_proxy_may_take_the_path_away_or_leave_it(serve_page: ServePage, person: MakeLogin, does_strip: bool) -> None:
    page, login = serve_page(root_path="/audit"), person("ann", roles=["auditctl_reader"])
    client = page.client()

    def through(address: str, **form: str) -> Any:
        """Ask as a browser behind the proxy does: it knows addresses with the path alone."""
        assert address.startswith("/audit/")
        inside = address.removeprefix("/audit") if does_strip else address
        cookie = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
        headers = {"cookie": cookie}
        return client.post(inside, data=form, headers=headers) if form else client.get(inside, headers=headers)

    asked = through("/audit/?user=ann")
    assert asked.headers["location"] == "/audit/login?next=%2F%3Fuser%3Dann"
    csrf = re.findall(r'name="csrf" value="([^"]+)"', through(asked.headers["location"]).text)[0]
    done = through("/audit/login", csrf=csrf, login=login.name, password=PASSWORD, next="/?user=ann")
    assert (done.status_code, done.headers["location"]) == (303, "/audit/?user=ann")
    text = through("/audit/?user=ann").text
    links = re.findall(r'(?:href|src|action|data-suggest)="(/[^"]*)"', text)
    assert links
    assert all(link.startswith("/audit/") for link in links)
    assert {through(link).status_code for link in links if "/static/" in link} == {200}


def test_a_login_whose_password_changed_is_out_once_its_connection_is(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    conn.execute(f"alter role {login.name} password 'another'".encode())
    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [login.name])
    answer = client.get("/")
    assert answer.status_code == 503
    assert "no longer accepts your login" in answer.text
    assert login.name not in answer.text.partition("<main")[2]
    with connect(page.dsn) as session:
        wait_for_sessions(session, login.name, 0)

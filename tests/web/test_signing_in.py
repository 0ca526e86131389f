"""Signing in and out: PostgreSQL decides who comes in, and a session is worth nothing once it is over."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.fixtures.web import PASSWORD
from tests.web.serving import wait_for_sessions

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Page, ServePage


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.views.login.DELAY_SECONDS", 0.0)


def test_whoever_is_not_signed_in_is_led_to_the_form_and_back(page: Page, person: MakeLogin) -> None:
    login, client = person("ann", roles=["auditctl_reader"]), page.client()
    asked = client.get("/?user=ann&since=7d")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2F%3Fuser%3Dann%26since%3D7d")
    done = client.sign_in(login.name, next="/?user=ann&since=7d")
    assert (done.status_code, done.headers["location"]) == (303, "/?user=ann&since=7d")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("password", ["wrong", "", " ", "x" * 2000])
def test_a_wrong_password_is_refused(page: Page, person: MakeLogin, password: str) -> None:
    login, client = person("ann", roles=["auditctl_reader"]), page.client()
    answer = client.sign_in(login.name, password)
    assert answer.status_code == 401
    assert "WrongPassword" not in answer.text
    assert client.get("/").status_code == 303


def test_a_login_that_does_not_exist_is_refused_in_the_same_words(page: Page, person: MakeLogin) -> None:
    known, unknown = (page.client().sign_in(name, "wrong") for name in (person("ann").name, "nobody_of_that_name"))
    assert known.status_code == unknown.status_code == 401
    said = [answer.text.partition('role="alert"')[2].partition("</div>")[0] for answer in (known, unknown)]
    assert said[0] == said[1] != ""


def test_a_login_that_needs_no_password_is_not_let_in(page: Page, login: MakeLogin) -> None:
    trusted = login("trusted", roles=["auditctl_reader"])
    answer = page.client().sign_in(trusted.name, "whatever")
    assert answer.status_code == 403
    assert "did not ask for a password" in answer.text


def test_the_password_of_the_servers_own_account_lets_nobody_in(
    page: Page, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    client = page.client()
    assert client.sign_in(person("ann", roles=["auditctl_reader"]).name, "").status_code == 401


def test_a_login_that_may_not_read_the_log_is_told_whom_to_ask(page: Page, person: MakeLogin) -> None:
    login = person("stranger")
    answer = page.client().sign_in(login.name)
    assert answer.status_code == 403
    assert f"auditctl grant reader {login.name}" in answer.text


def test_a_cookie_sent_again_after_signing_out_is_worth_nothing(page: Page, person: MakeLogin) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    token = client.cookies["auditctl"]
    assert client.form("/logout", {}, source="/").headers["location"] == "/login"
    assert "auditctl" not in client.cookies
    thief = page.client(cookies={"auditctl": token})
    assert thief.get("/").status_code == 303


def test_signing_out_closes_the_connections(page: Page, person: MakeLogin, conn: psycopg.Connection) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    count = "select count(*) from pg_stat_activity where usename = %s"
    assert conn.execute(count, [login.name]).fetchone() == (1,)
    client.form("/logout", {}, source="/")
    for _ in range(100):
        if conn.execute(count, [login.name]).fetchone() == (0,):
            break
        conn.execute("select pg_sleep(0.05)")
    assert conn.execute(count, [login.name]).fetchone() == (0,)


@pytest.mark.parametrize("limit", ["idle", "absolute"])
def test_a_session_ends_by_itself(serve_page: ServePage, person: MakeLogin, limit: str) -> None:
    page = serve_page(**{limit: timedelta(0)})
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    assert client.get("/").headers["location"] == "/login"


def test_the_cookie_is_kept_from_scripts_and_other_sites(page: Page, person: MakeLogin) -> None:
    answer = page.client().sign_in(person("ann", roles=["auditctl_reader"]).name)
    cookie = next(some for some in answer.headers.get_list("set-cookie") if some.startswith("auditctl="))
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert "Max-Age" not in cookie
    assert "expires" not in cookie.lower()


def test_behind_tls_the_cookie_is_sent_over_tls_only(serve_page: ServePage, person: MakeLogin) -> None:
    page = serve_page(trusted_proxies=("127.0.0.1/32",))
    client = page.client(headers={"x-forwarded-proto": "https"})
    asked = client.get("/login")
    token = asked.text.partition('name="csrf" value="')[2].partition('"')[0]
    answer = client.post(
        "/login",
        data={"csrf": token, "login": person("ann", roles=["auditctl_reader"]).name, "password": PASSWORD},
        headers={"cookie": asked.headers["set-cookie"].partition(";")[0]},
    )
    cookie = next(some for some in answer.headers.get_list("set-cookie") if "__Secure-auditctl=" in some)
    assert "Secure" in [part.strip() for part in cookie.split(";")]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("fields", [{}, {"csrf": "guessed"}, {"csrf": ["a", "b"]}])
def test_a_form_of_another_site_signs_nobody_in(page: Page, person: MakeLogin, fields: dict[str, str]) -> None:
    client = page.client()
    client.get("/login")
    login = person("ann", roles=["auditctl_reader"])
    answer = client.post("/login", data={"login": login.name, "password": PASSWORD, **fields})
    assert answer.status_code in (400, 403)
    assert "auditctl" not in client.cookies


def test_another_site_can_sign_nobody_out(page: Page, person: MakeLogin) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    assert client.post("/logout").status_code == 400
    assert client.post("/logout", data={"csrf": "guessed"}).status_code == 403
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "address", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil", "javascript:alert(1)", "/\n/x"]
)
def test_nobody_is_led_to_another_site(page: Page, person: MakeLogin, address: str) -> None:
    answer = page.client().sign_in(person("ann", roles=["auditctl_reader"]).name, next=address)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_who_guesses_is_refused_after_a_while_and_others_are_not(page: Page, person: MakeLogin) -> None:
    ann, ben, client = person("ann", roles=["auditctl_reader"]), person("ben", roles=["auditctl_reader"]), page.client()
    assert [client.sign_in(ann.name, "guess").status_code for _ in range(5)] == [401] * 5
    answer = client.sign_in(ann.name)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 901
    assert client.sign_in(ben.name).status_code == 303


def test_a_login_that_loses_its_role_sees_nothing_from_then_on(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    conn.execute(sql.SQL("revoke auditctl_reader from {}").format(sql.Identifier(login.name)))
    assert client.get("/").status_code == 403


LOCKS: dict[str, LiteralString] = {
    "nologin": "alter role {} nologin",
    "expired": "alter role {} valid until '2020-01-01'",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_locked_login_gets_no_further_page(
    page: Page, person: MakeLogin, conn: psycopg.Connection, lock: str
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    assert client.get("/").status_code == 200
    conn.execute(sql.SQL(LOCKS[lock]).format(sql.Identifier(login.name)))
    for path in ("/", "/export.csv", "/suggest?user=a"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "no longer accepts your login" in answer.text
    wait_for_sessions(conn, login.name, 0)


def test_a_login_that_is_unlocked_again_goes_on_in_its_session(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    for attribute, status in (("nologin", 503), ("login", 200)):
        conn.execute(f"alter role {login.name} {attribute}".encode())
        assert client.get("/").status_code == status


def test_two_people_see_only_what_each_may(page: Page, person: MakeLogin) -> None:
    reader = page.as_login(person("reader", roles=["auditctl_reader"]))
    admin = page.as_login(person("admin", roles=["auditctl_admin"]))
    assert (reader.get("/").status_code, admin.get("/").status_code) == (200, 200)
    assert "Configuration" not in reader.get("/").text
    assert "Configuration" in admin.get("/").text
    for client, name in ((reader, "reader"), (admin, "admin")):
        text = client.get("/").text
        assert f"login: {name}_" in text
        assert f"login: {'admin' if name == 'reader' else 'reader'}_" not in text


def test_no_password_is_written_down_anywhere(
    page: Page, person: MakeLogin, caplog: pytest.LogCaptureFixture, conn: psycopg.Connection
) -> None:
    caplog.set_level(logging.DEBUG)
    login, client = person("ann", roles=["auditctl_reader"]), page.client()
    answers = [client.sign_in(login.name, "hunter2-wrong"), client.sign_in(login.name)]
    client.get("/")
    written = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert "hunter2" not in written
    assert PASSWORD not in written
    assert f"{login.name} sign-in refused" in caplog.text
    assert f"{login.name} signed in" in caplog.text


def test_every_query_runs_as_the_visitor(page: Page, person: MakeLogin, conn: psycopg.Connection) -> None:
    login = person("ann", roles=["auditctl_reader"])
    page.as_login(login).get("/export.csv")
    found = conn.execute(
        "select db_user, actor, actor_kind, ip, context ->> 'application_name', context ->> 'claimed_ip' "
        "from auditctl.event where target = 'auditctl.export' and target_id is null"
    ).fetchall()
    assert found == [(login.name, login.name, "database", None, "auditctl serve", "127.0.0.1")]


def test_a_connection_that_was_lost_while_idle_is_made_anew(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [login.name])
    assert client.get("/").status_code == 200


def test_a_database_that_is_gone_is_said_to_be(page: Page, person: MakeLogin, db: str) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    with connect(db) as conn:
        name = conn.info.dbname
    with connect(db.replace(f"dbname={name}", "dbname=postgres")) as maintenance:
        maintenance.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name)))
        maintenance.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        answer = client.get("/")
        maintenance.execute(sql.SQL("alter database {} allow_connections true").format(sql.Identifier(name)))
    assert answer.status_code == 503
    assert "The log is not available" in answer.text
    assert client.get("/").status_code == 200

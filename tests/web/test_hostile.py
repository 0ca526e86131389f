"""Attacks on the page: forms of other sites, odd logins and passwords, what the server's own account could lend."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditctl import database
from auditctl.coverage import Coverage
from auditctl.errors import AuditctlError
from auditctl.names import STORE_REVISION
from auditctl.web.auth import password as auth_password
from auditctl.web.routes import ROUTES, Route
from auditctl.web.settings import Settings
from tests.fixtures.databases import NUMBERS, connect
from tests.fixtures.web import PASSWORD, PEOPLE, VERIFIER, nameless
from tests.support.recorded import Recorded, record
from tests.web.raw import Message, exchange
from tests.web.serving import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.database import Connection
    from auditctl.log.filters import Filters
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page, ServePage

POSTS = [route for route in ROUTES if "POST" in route.methods]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.views.login.DELAY_SECONDS", 0.0)


FORGED: list[tuple[dict[str, str | list[str]], dict[str, str], int]] = [
    ({}, {}, 400),
    ({"csrf": ["a", "b"]}, {}, 400),
    ({"csrf": "guessed"}, {}, 403),
    ({"csrf": ""}, {}, 403),
    ({"csrf": "TOKEN"}, {"sec-fetch-site": "cross-site"}, 403),
    ({"csrf": "TOKEN"}, {"sec-fetch-site": "same-site"}, 403),
    ({"csrf": "TOKEN"}, {"content-type": "text/plain"}, 400),
    ({"csrf": "TOKEN"}, {"content-type": "application/json"}, 400),
]


@pytest.mark.parametrize("route", POSTS, ids=[route.path for route in POSTS])
def test_no_form_of_another_site_does_anything(admin: Client, conn: psycopg.Connection, route: Route) -> None:
    token = admin.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]
    before = conn.execute("select count(*) from auditctl.event").fetchone()
    for fields, headers, status in FORGED:
        sent = {name: token if value == "TOKEN" else value for name, value in fields.items()}
        answer = admin.post(
            route.path, data=sent, headers=headers, files={"file": b"x"} if route.has_file and fields else None
        )
        assert (fields, headers, answer.status_code) == (fields, headers, status)
        assert admin.get("/").status_code == 200
        assert conn.execute("select count(*) from auditctl.event").fetchone() == before


def test_the_token_of_one_session_is_worth_nothing_in_another(page: Page, person: MakeLogin) -> None:
    ann, ben = (page.as_login(person(name, roles=["auditctl_reader"])) for name in ("ann", "ben"))
    token = ann.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]
    assert ben.post("/logout", data={"csrf": token}).status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/", "/%2F/evil.example", "/\\evil.example", "///evil.example"])
def test_no_redirect_leads_to_another_site(page: Page, path: str) -> None:
    for headers in ((), (("Sec-Fetch-Site", b"cross-site"),), (("Host", b"evil.example"),)):
        answer = exchange(page.url, Message("GET", path, headers))
        assert answer.status in (400, 404)
        assert b"evil.example" not in (answer.headers.get("location") or "").encode()
    answer = exchange(page.url, Message("GET", "/?user=a", (("Host", b"evil.example"),)))
    assert answer.headers["location"] == "/login?next=%2F%3Fuser%3Da"


@pytest.mark.parametrize(
    "name",
    ['o"quote', "o'quote", " spaced out ", "Upper", "\u540d\u524d", "x" * 63, "a\\b", "host=evil", "$user", "a\nb"],
)
def test_a_login_of_any_name_comes_in(
    page: Page, conn: psycopg.Connection, role_names: list[str], passwords_asked: None, name: str
) -> None:
    unique = f"{name}{next(NUMBERS)}" if len(name) < 60 else f"{name[:55]}{next(NUMBERS):08}"
    role_names.append(unique)
    conn.execute(
        sql.SQL("create role {} login password {} in role auditctl_reader, {}").format(
            sql.Identifier(unique), sql.Literal(VERIFIER), sql.Identifier(PEOPLE)
        )
    )
    client = page.client()
    assert client.sign_in(unique).status_code == 303
    assert client.get("/export.csv").status_code == 200
    found = conn.execute("select db_user from auditctl.event where target = 'auditctl.export'").fetchone()
    assert found == (unique,)


@pytest.mark.parametrize("password", ["'", '"', "\\", " lead and trail ", "\u540d\u524d", "a' password='b", "%41", "+"])
def test_any_password_is_taken_as_it_is_typed(
    page: Page, person: MakeLogin, conn: psycopg.Connection, password: str
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    conn.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login.name), sql.Literal(password)))
    client = page.client()
    assert client.sign_in(login.name, password.swapcase() + "x").status_code == 401
    assert client.sign_in(login.name, password).status_code == 303


@pytest.mark.parametrize("password", ["\0", f"{PASSWORD}\0", f"{PASSWORD} ", f" {PASSWORD}", PASSWORD.upper()])
def test_what_is_almost_the_password_is_refused(page: Page, person: MakeLogin, password: str) -> None:
    assert page.client().sign_in(person("ann", roles=["auditctl_reader"]).name, password).status_code == 401


@pytest.mark.parametrize(
    "attributes", ["connection limit 0", "valid until '2020-01-01'", "nologin", "nologin superuser"]
)
def test_a_login_that_may_not_connect_is_refused_as_if_the_password_were_wrong(
    page: Page, person: MakeLogin, conn: psycopg.Connection, attributes: LiteralString
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    conn.execute(sql.SQL("alter role {} with ").format(sql.Identifier(login.name)) + sql.SQL(attributes))
    answers = [page.client().sign_in(name, word) for name, word in ((login.name, PASSWORD), ("nobody", "wrong"))]
    said = [answer.text.partition('role="alert"')[2].partition("</div>")[0] for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert said[0] == said[1] != ""


def test_the_servers_own_account_lends_nobody_anything(
    serve_page: ServePage, person: MakeLogin, db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = person("ann", roles=["auditctl_reader"])
    named = conninfo_to_dict(nameless(db))
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{PASSWORD}\n")
    passwords.chmod(0o600)
    services = tmp_path / "services"
    services.write_text(f"[web]\nhost={named['host']}\nport={named['port']}\nuser=postgres\npassword={PASSWORD}\n")
    lent = {
        "PGPASSFILE": str(passwords), "PGPASSWORD": PASSWORD, "PGUSER": "postgres", "PGSERVICE": "web",
        "PGSERVICEFILE": str(services), "PGSSLCERT": "/nonexistent", "PGOPTIONS": "-c role=postgres",
    }  # fmt: skip
    for name, value in lent.items():
        monkeypatch.setenv(name, value)
    for dsn in (db, make_conninfo(db, user="postgres", password=PASSWORD), f"service=web dbname={named['dbname']}"):
        client = serve_page(dsn).client()
        for login, password in ((ann.name, ""), (ann.name, "wrong"), ("", PASSWORD), ("", ""), ("postgres", "")):
            assert client.sign_in(login, password).status_code == 401
        assert client.get("/").status_code == 303


def test_a_login_and_password_in_the_dsn_are_not_used(
    serve_page: ServePage, person: MakeLogin, db: str, conn: psycopg.Connection
) -> None:
    ann, ben = person("ann", roles=["auditctl_reader"]), person("ben", roles=["auditctl_reader"])
    dsn = make_conninfo(db, user=ben.name, password=PASSWORD, options="-c work_mem=7MB")
    page = serve_page(dsn)
    client = page.client()
    assert client.sign_in(ann.name).status_code == 303
    assert client.get("/export.csv").status_code == 200
    found = conn.execute("select distinct db_user from auditctl.event where target = 'auditctl.export'").fetchall()
    assert found == [(ann.name,)]


def test_no_error_of_a_connection_holds_the_password(
    page: Page, person: MakeLogin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ann, secret = person("ann", roles=["auditctl_reader"]), "s3cret 'of ann\\"
    for dsn in (nameless(page.dsn), "host=127.0.0.1 port=1 dbname=x", "host=/nonexistent dbname=x"):
        settings = Settings(dsn)
        with pytest.raises(AuditctlError) as caught:
            auth_password.sign_in(settings, ann.name, secret, "127.0.0.1")
        error: BaseException | None = caught.value
        while error is not None:
            assert "s3cret" not in f"{error!r} {error} {getattr(error, 'hint', '')}"
            error = error.__cause__ or error.__context__
        assert "s3cret" not in repr(settings)
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("update auditctl.alembic_version set version_num = '9999'", "Upgrade auditctl"),
        ("update auditctl.alembic_version set version_num = '0000'", "Run: auditctl install"),
        ("delete from auditctl.alembic_version", "auditctl adopt"),
    ],
)
def test_a_store_of_another_version_is_said_to_be(
    page: Page, person: MakeLogin, conn: psycopg.Connection, change: LiteralString, hint: str
) -> None:
    client, login = page.as_login(person("ann", roles=["auditctl_reader"])), person("ben", roles=["auditctl_reader"])
    assert STORE_REVISION > "0000"
    conn.execute(change)
    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'auditctl serve'")
    for answer in (client.get("/"), page.client().sign_in(login.name)):
        assert (answer.status_code, hint in answer.text) == (503, True)


def test_a_page_that_takes_too_long_ends_with_what_to_do(
    serve_page: ServePage, person: MakeLogin, conn: psycopg.Connection, db: str
) -> None:
    page = serve_page(page_timeout=timedelta(milliseconds=400))
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    with connect(db) as locking, locking.transaction():
        locking.execute("lock table auditctl.event, auditctl.target in access exclusive mode")
        answer = client.get("/")
    assert answer.status_code == 504
    assert "Add a filter for " in answer.text
    wait_until(lambda: client.get("/").status_code == 200)  # a busy machine may take longer once
    assert client.get("/export.csv").status_code == 200


def test_a_value_of_the_log_is_text_on_every_page(reader: Client, conn: psycopg.Connection) -> None:
    mark = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    values, context = json.dumps({mark: mark}), json.dumps({mark: mark})
    event = Recorded(actor=mark, target=mark, target_id=mark, old=values, new='{"a": 1}', context=context)
    (number,) = record(conn, event)
    for address in ("/", f"/events/{number}", f"/?user={mark}", f"/?target={mark}", "/?action=update"):
        for headers in ({}, {"hx-request": "true"}):
            text = reader.get(address, headers=headers).text
            assert "<script>alert" not in text
            assert "<img" not in text


def test_events_are_shown_although_it_takes_too_long_to_find_out_what_was_recorded(
    conn: psycopg.Connection, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(conn, Recorded())

    def slow(session: Connection, _filters: Filters, _now: object = None) -> Coverage:
        with database.errors_translated():
            session.execute("set statement_timeout = '1ms'; select pg_sleep(1)")
        return Coverage()

    monkeypatch.setattr("auditctl.coverage.read", slow)
    answer = reader.get("/")
    assert (answer.status_code, answer.text.count('class="event"') > 0) == (200, True)
    assert "It took too long to find out what was recorded." in answer.text

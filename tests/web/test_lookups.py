"""What the page shows of the log is recorded, whatever the request claims to be; so is who signs in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.web.routes import ROUTES, Access
from auditctl.web.settings import Auth
from tests.fixtures.templates import begin_with, recording
from tests.support.recorded import Recorded
from tests.web.documents import read
from tests.web.parsing import listed

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page, ServePage

db_template = begin_with(
    recording(*(Recorded(target_id=str(number)) for number in range(1, 4)), Recorded(target="crm.note", target_id=None))
)

PART = {"HX-Request": "true"}

SHOWS_NO_EVENT = {
    "/suggest": "names of users and targets",
    "/check": "whether the log knows an export",
    "/manifest.json": "what was recorded of an export",
    "/access": "roles",
    "/retention": "times, holds and sizes",
    "/config/history": "what happened to the configuration, and to no row of a table",
}
"""The pages of readers that are not recorded, with what they show."""


def looks(conn: psycopg.Connection) -> list[str]:
    """What the log says of look-ups, oldest first."""
    query = "select details from auditctl.activity where target_name = 'auditctl.lookup' order by event_id"
    return [details for (details,) in conn.execute(query)]


def test_every_page_of_readers_decides_whether_it_shows_the_log() -> None:
    reading = {row.path for row in ROUTES if row.access is Access.READER and "GET" in row.methods}
    recorded = {row.path for row in ROUTES if row.shows_log or row.is_recorded}
    assert reading - recorded == SHOWS_NO_EVENT.keys()
    assert {row.path for row in ROUTES if row.shows_log} == {
        "/", "/events/{event_id}", "/history", "/overview", "/transactions", "/transactions/{xact}",
    }  # fmt: skip


def test_a_page_that_shows_the_log_and_records_nothing_is_an_error(
    page: Page, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    monkeypatch.setattr("auditctl.web.views.log.look", lambda *_: None)
    assert client.get("/").status_code == 500


def test_each_page_is_recorded_once(reader: Client, conn: psycopg.Connection) -> None:
    (number,) = conn.execute("select min(event_id) from auditctl.event where target_id = '3'").fetchone() or ()
    for _ in range(2):
        assert reader.get("/?target=billing.customer&pictures=1").status_code == 200
        assert reader.get("/overview?target=billing.customer").status_code == 200
        assert reader.get("/?target=billing.customer", headers=PART).status_code == 200
        assert reader.get("/history?target=billing.customer&id=2").status_code == 200
        assert reader.get(f"/events/{number}").status_code == 200
        assert reader.get(f"/events/{number}", headers=PART).status_code == 200
    assert looks(conn) == [
        "log viewed: target billing.customer",
        "history viewed: billing.customer 2",
        f"event viewed: {number}, billing.customer 3",
    ]


@pytest.mark.parametrize(
    ("method", "parameters", "headers"),
    [
        ("GET", "", PART),
        ("HEAD", "", {}),
        ("GET", "&live=1", PART),
        ("GET", "&live=1", {}),
        ("GET", "&after=2099-01-01T00:00:00.000000Z/9", {}),
        ("GET", "&before=2001-01-01T00:00:00.000000Z/1", PART),
        ("GET", "&limit=1&pictures=1", {**PART, "HX-Current-URL": "/retention", "HX-History-Restore-Request": "true"}),
    ],
)
def test_no_request_hides_its_search(
    reader: Client, conn: psycopg.Connection, method: str, parameters: str, headers: dict[str, str]
) -> None:
    assert reader.request(method, f"/?id=1{parameters}", headers=headers).status_code == 200
    assert looks(conn) == ["log viewed: target id 1"]


def test_events_without_a_key_are_no_object_and_each_is_recorded(reader: Client, conn: psycopg.Connection) -> None:
    insert = "insert into auditctl.event (actor_kind, target, action) values ('system', 'crm.note', 'EVENT')"
    numbers = [(conn.execute(f"{insert} returning event_id").fetchone() or (0,))[0] for _ in range(2)]
    for number in (*numbers, *numbers):
        assert reader.get(f"/events/{number}").status_code == 200
    assert looks(conn) == [f"event viewed: {number}, crm.note" for number in numbers]


@pytest.mark.parametrize(("key", "status"), [("x" * 30_000, 200), ("%01" * 15_000, 400)], ids=["long", "too long"])
def test_a_search_of_a_long_key_is_recorded_or_refused(
    reader: Client, conn: psycopg.Connection, key: str, status: int
) -> None:
    answer = reader.get(f"/?id={key}")
    assert answer.status_code == status
    assert len(looks(conn)) == (status == 200)
    assert ("filters are too long to be recorded" in answer.text) == (status == 400)


def test_another_site_cannot_have_somebody_look_at_what_they_do_not_see(
    reader: Client, conn: psycopg.Connection
) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    assert reader.get("/?id=1", headers=foreign).status_code == 403
    assert looks(conn) == []
    assert reader.get("/?id=1", headers={**foreign, "Sec-Fetch-Dest": "document"}).status_code == 200
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
    assert reader.get("/?id=2", headers={**PART, **own}).status_code == 200
    assert len(looks(conn)) == 2


def test_a_live_page_is_not_recorded_as_it_refreshes_itself(
    page: Page, person: MakeLogin, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = page.as_login(person("ann", roles=["auditctl_reader"])), list[object]()
    assert client.get("/?live=1").status_code == 200
    monkeypatch.setattr("auditctl.log.lookups.record", lambda *args: asked.append(args))
    for _ in range(3):
        assert client.get("/?live=1", headers=PART).status_code == 200
    assert asked == []
    assert looks(conn) == ["log viewed: every event"]


def test_the_first_answer_leaves_out_the_event_about_itself(reader: Client) -> None:
    assert [row["Target"] for row in listed(reader.get("/?limit=2").text)] == ["auditctl.session", "auditctl.store"]
    assert "auditctl.lookup" in reader.get("/?limit=2").text


def test_a_page_that_cannot_be_recorded_is_refused(reader: Client, conn: psycopg.Connection) -> None:
    conn.execute("alter function auditctl.record_lookup rename to gone")
    for address in ("/", "/history?target=billing.customer&id=2", "/overview"):
        answer = reader.get(address)
        assert answer.status_code == 503
        assert "alice" not in answer.text


def test_signing_in_and_out_is_recorded_and_can_be_switched_off(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    ann, query = person("ann", roles=["auditctl_reader"]), (
        "select actor, details, context ->> 'application_name', context ->> 'claimed_ip' from auditctl.activity"
        " where target_name = 'auditctl.session' order by event_id"
    )  # fmt: skip
    client = page.as_login(ann)
    assert client.form("/logout", {}, source="/retention").status_code == 303
    assert page.client().sign_in(ann.name, "wrong").status_code == 401
    place = ("auditctl serve", "127.0.0.1")
    assert conn.execute(query).fetchall() == [(ann.name, "signed in", *place), (ann.name, "signed out", *place)]
    conn.execute("insert into auditctl.event_type (name, enabled) values ('auditctl.session', false)")
    page.as_login(ann)
    assert len(conn.execute(query).fetchall()) == 2


def test_whoever_signs_out_is_out_though_it_cannot_be_recorded(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    conn.execute("alter function auditctl.record_session rename to gone")
    assert client.form("/logout", {}, source="/retention").status_code == 303
    assert client.get("/retention").status_code == 303


def test_visitors_of_a_proxy_are_told_apart(
    db: str, serve_page: ServePage, login: MakeLogin, conn: psycopg.Connection
) -> None:
    reader = login("reader", roles=["auditctl_reader"])
    page = serve_page(reader.at(db), auth=Auth.PROXY, trusted_proxies=("127.0.0.1",))
    for name in ("ann", "ben", "ann"):
        assert page.client(headers={"X-Remote-User": name}).get("/").status_code == 200
    query = "select context ->> 'claimed_actor' from auditctl.event where target = 'auditctl.lookup' order by event_id"
    assert [name for (name,) in conn.execute(query)] == ["ann", "ben"]


def test_who_looked_at_an_object_is_one_click_away(reader: Client, page: Page, person: MakeLogin) -> None:
    other = page.as_login(person("ben", roles=["auditctl_reader"]))
    assert other.get("/?target=billing.customer&id=2").status_code == 200
    history = reader.get("/history?target=billing.customer&id=2").text
    (address,) = [link for name, link in read(history).links if name == "Who looked at this"]
    shown = listed(reader.get(address).text)
    assert [row["Target ID"] for row in shown] == ['["billing.customer", "2"]'] * 2

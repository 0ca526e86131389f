"""Saved views on the page, and the links that are passed on."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from auditctl.web.settings import Auth
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page, ServePage

TITLE = re.compile(r"<title>(.*?) · auditctl</title>")
MARK = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def log(conn: psycopg.Connection) -> None:
    record(conn, Recorded(), Recorded(minutes(1), actor="bob", target_id="8"))


def title(client: Client, address: str) -> str:
    found = TITLE.search(client.get(address, follow_redirects=True).text)
    assert found is not None
    return unescape(found[1])


def save(client: Client, name: str, *, status: int = 303, **fields: str) -> None:
    answer = client.form("/views", {"view": name, **fields}, source="/?user=bob")
    assert answer.status_code == status, answer.text


def test_a_view_is_saved_opened_replaced_and_dropped(reader: Client) -> None:
    save(reader, " Bob ", user="bob", action="update")
    assert title(reader, "/?user=bob&action=update") == "Bob · User: bob, Action: update"
    assert title(reader, "/?user=bob") == "User: bob"
    assert title(reader, "/overview?user=bob") == "Overview · User: bob"
    opened = reader.get("/?view=Bob&limit=7")
    assert (opened.status_code, opened.headers["location"]) == (303, "/?user=bob&action=update&limit=7")
    assert reader.get("/?view=Bob&user=alice").headers["location"] == "/?user=alice&action=update"
    save(reader, "Bob", user="bob", action="update")
    again = reader.form("/views", {"view": "Bob", "user": "alice"}, source="/?user=bob")
    assert (again.status_code, "Replace the view of that name" in again.text) == (409, True)
    save(reader, "Bob", user="alice", replace="1")
    assert reader.get("/?view=Bob").headers["location"] == "/?user=alice"
    dropped = reader.form("/views/drop", {"view": "Bob", "id": ""}, source="/?user=bob")
    assert (dropped.status_code, dropped.headers["location"]) == (303, "/?id=")
    assert reader.form("/views/drop", {"view": "Bob"}, source="/?user=bob").status_code == 400
    gone = reader.get("/?view=Bob")
    assert (gone.status_code, "does not exist" in gone.text) == (400, True)
    save(reader, "x" * 201, status=400, user="bob")
    save(reader, "Nothing", status=400)
    save(reader, "Unknown", status=400, target="nowhere")


def test_a_view_that_names_what_is_gone_can_be_dropped_from_the_page_that_says_so(
    page: Page, person: MakeLogin, conn: psycopg.Connection
) -> None:
    login = person("ann", roles=["auditctl_reader"])
    ann, ben = page.as_login(login), page.as_login(person("ben", roles=["auditctl_reader"]))
    conn.execute(
        "insert into auditctl.saved_view select %s::text, to_regrole(%s)::oid, '', %s::text, "
        "jsonb_build_object('gone', %s::text)",
        [login.name, login.name, MARK, MARK],
    )
    for address, status in (("/", 200), (f"/?view={MARK}", 400), (f"/?user={MARK}", 200)):
        answer = ann.get(address)
        assert answer.status_code == status
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
    assert "is no longer valid" in ann.get(f"/?view={MARK}").text
    assert ben.get(f"/?view={MARK}").status_code == 400
    assert "Your views" not in ben.get("/").text
    assert ben.form("/views/drop", {"view": MARK}, source="/").status_code == 400
    assert ann.form("/views/drop", {"view": MARK}, source=f"/?view={MARK}").status_code == 303
    assert "Your views" not in ann.get("/").text


def test_visitors_whom_a_proxy_names_have_views_of_their_own(serve_page: ServePage, login: MakeLogin) -> None:
    reader = login("web", roles=["auditctl_reader"])
    page = serve_page(reader.dsn, auth=Auth.PROXY, trusted_proxies=("127.0.0.1",), user_header="X-User")
    ann, ben = (page.client(headers={"X-User": name}) for name in ("ann", "ben"))
    save(ann, "Bob", user="bob")
    save(ben, "Bob", user="alice")
    assert ann.get("/?view=Bob").headers["location"] == "/?user=bob"
    assert ben.get("/?view=Bob").headers["location"] == "/?user=alice"


def test_the_link_that_is_passed_on_has_fixed_times(reader: Client) -> None:
    def link(address: str) -> str:
        found = re.search(r'class="share" href="([^"]*)"', reader.get(address).text)
        assert found is not None
        return unescape(found[1])

    stamp = r"\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ"
    assert re.fullmatch(rf"/\?since={stamp}&until={stamp}&user=bob&limit=7", link("/?since=24h&user=bob&limit=7"))
    assert re.fullmatch(rf"/\?since=2026-03-01&until={stamp}", link("/?since=2026-03-01&until=1h"))
    assert link("/?since=2026-03-01&id=") == "/?since=2026-03-01&id="
    assert link("/") == "/"


def test_a_view_keeps_the_time_zone_of_its_dates(reader: Client) -> None:
    for name, zone in (("utc", "UTC"), ("there", "Asia/Kolkata")):
        source = f"/?since=2026-03-01&tz={zone}"
        action = re.search(r'action="(/views\?[^"]*)"', reader.get(source).text)
        assert action is not None
        assert reader.form(action[1], {"view": name, "since": "2026-03-01"}, source=source).status_code == 303
        assert title(reader, f"/?since=2026-03-01&tz={zone}").startswith(name)
        opened = reader.get(f"/?view={name}&tz=Europe/Berlin")
        assert unescape(opened.headers["location"]) == f"/?since=2026-03-01&tz={zone.replace('/', '%2F')}"
    save(reader, "relative", since="7d")
    assert reader.get("/?view=relative&tz=Europe/Berlin").headers["location"] == "/?since=7d&tz=Europe%2FBerlin"


def test_an_event_leads_to_what_its_user_did_that_day(reader: Client, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(actor="carol"))
    for zone, since, until in (("", "2026-03-01", "2026-03-02"), ("Pacific/Kiritimati", "2026-03-02", "2026-03-03")):
        found = re.search(r'href="([^"]*)">This user, this day', reader.get(f"/events/{event}?tz={zone}").text)
        assert found is not None
        stated = f"&tz={zone.replace('/', '%2F')}" if zone else ""
        assert unescape(found[1]) == f"/?since={since}&until={until}&user=application%3Acarol{stated}"

"""The pictures of the log: what they count is what their links open, in every narrowing, and no name breaks them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.sql import SQL, Identifier

from auditctl.errors import DatabaseError
from auditctl.log.histogram.read import read_histogram
from auditctl.web.views import overview
from tests.fixtures.databases import connect
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page, ServePage

BUCKET = re.compile(
    r'<a class="bucket" href="([^"]+)".*? aria-label="([^"]+)" data-since="([^"]+)" data-until="([^"]+)"'
)
TOP = re.compile(r'<li><a href="([^"]+)" title="([^"]*)"><span class="name">([^<]*)</span><span class="count">([^<]+)<')
EVENT = re.compile(r'<tr role="row" class="event" data-event="(\d+)"')

HALF_AN_HOUR = "since=2026-03-01T12:00:00Z&until=2026-03-01T12:30:00Z"
FRAGMENT = {"HX-Request": "true"}


def buckets(text: str) -> list[tuple[str, str, str, str]]:
    """Each bar: where it leads, what it says, and its interval."""
    return [(unescape(link), unescape(said), since, until) for link, said, since, until in BUCKET.findall(text)]


def tops(text: str, heading: str) -> list[tuple[str, str, str]]:
    """Each of the top targets or users: where it leads, its name and its count."""
    part = text.partition(f"<h2>{heading}</h2>")[2].partition("</ol>")[0]
    return [(unescape(link), unescape(name), count) for link, _, name, count in TOP.findall(part)]


def listed(client: Client, link: str) -> int:
    """How many events the view behind a link has."""
    answer = client.get(link)
    assert answer.status_code == 200, answer.text
    return len(EVENT.findall(answer.text))


def scattered() -> list[Recorded]:
    """Some forty events, in bursts over three days, by people who are called like others."""
    people = [("alice", "application"), ("System", "application"), ("dana", "database"), (None, "system")]
    actions = ["CREATE", "UPDATE", "UPDATE", "DELETE"]
    return [
        Recorded(
            at=START + timedelta(minutes=7 * number * number),
            actor=people[number % 4][0],
            kind=people[number % 4][1],
            target="billing.plan" if number % 5 == 0 else "billing.customer",
            action=actions[number % 4],
        )
        for number in range(25)
    ]


def test_nothing_is_drawn_where_nothing_matches(reader: Client) -> None:
    answer = reader.get("/overview?user=nobody")
    assert (answer.status_code, buckets(answer.text)) == (200, [])
    assert "Nothing to chart." in answer.text


def test_one_event_makes_one_bar_that_leads_to_it(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, Recorded())
    answer = reader.get(f"/overview?user=alice&{HALF_AN_HOUR}")
    [(link, said)] = [(link, said) for link, said, _, _ in buckets(answer.text) if ": 1 UPDATE" in said]
    assert said == "1 Mar 2026, 12:00 – 12:01 UTC · 1 event: 1 UPDATE"
    assert link == "/?since=2026-03-01T12%3A00%3A00Z&until=2026-03-01T12%3A01%3A00Z&user=alice"
    assert listed(reader, link) == 1


def test_bars_cover_the_range_without_a_gap(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, *scattered())
    found = buckets(reader.get("/overview?since=2026-03-01T12:00:30Z&until=2026-03-03T11:59:30Z").text)
    assert (found[0][2], found[-1][3]) == ("2026-03-01T12:00:30Z", "2026-03-03T11:59:30Z")
    assert [since for _, _, since, _ in found[1:]] == [until for _, _, _, until in found[:-1]]


@pytest.mark.parametrize(
    "narrowed", ["ip=203.0.113.7", "target=billing.plan&ip=203.0.113.7", "since=2026-03-02&ip=203.0.113.7"]
)
def test_each_bar_leads_to_as_many_events_as_it_shows(db: str, reader: Client, narrowed: str) -> None:
    with connect(db) as conn:
        record(conn, *scattered())
    expected = listed(reader, f"/?{narrowed}&limit=500")
    assert expected > 0
    shown = 0
    for link, said, _, _ in buckets(reader.get(f"/overview?{narrowed}").text):
        if count := int(said.partition(" · ")[2].split()[0].replace(",", "")):
            assert listed(reader, link) == count, said
            shown += count
    assert shown == expected


def test_top_users_are_told_apart_and_lead_to_their_own_events(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, *scattered())
    found = tops(reader.get("/overview?ip=203.0.113.7").text, "Top users")
    assert sorted((name, count) for _, name, count in found) == [
        ("(System)", "6"),
        ("@dana", "6"),
        ("System", "6"),
        ("alice", "7"),
    ]
    for link, name, count in found:
        assert "ip=203.0.113.7" in link
        assert (name, listed(reader, link)) == (name, int(count))


def test_top_targets_lead_to_their_events(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, *scattered())
    found = tops(reader.get("/overview?user=alice&limit=20").text, "Top targets")
    assert found == [
        ("/?target=billing.customer&user=alice&limit=20", "billing.customer", "5"),
        ("/?target=billing.plan&user=alice&limit=20", "billing.plan", "2"),
    ]
    assert [listed(reader, link) for link, _, _ in found] == [5, 2]


def test_counts_of_a_sample_are_called_estimated(db: str, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(db) as conn:
        record(conn, *(Recorded() for _ in range(123)))
    monkeypatch.setattr(
        overview,
        "read_histogram",
        lambda *some, **named: replace(read_histogram(*some, **named), is_estimate=True, spread=3.0),
    )
    text = reader.get(f"/overview?{HALF_AN_HOUR}").text
    assert "≈ 120 ± 40</b> events" in text
    assert "estimated from a sample" in text
    assert [said for _, said, _, _ in buckets(text) if "UPDATE" in said] == [
        "1 Mar 2026, 12:00 – 12:01 UTC · ≈ 120 ± 40 events: ≈ 120 ± 40 UPDATE"
    ]
    assert "12:01 – 12:02 UTC · none in the sample events" not in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a\u202eb", "x\x1b[31m", '" onload="x', "n" * 200, "{{ 7 * 7 }}"]
)
def test_no_name_breaks_out_of_the_pictures(db: str, reader: Client, name: str) -> None:
    with connect(db) as conn:
        record(conn, Recorded(actor=name, target=name[:63]))
    text = reader.get(f"/overview?{HALF_AN_HOUR}").text
    [(link, shown, _)] = tops(text, "Top users")
    assert shown.isprintable()
    assert name not in text or name.isalnum() or name.startswith("{")
    assert listed(reader, link) == 1


def test_pictures_hold_no_style_and_no_script(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, Recorded())
    text = reader.get(f"/overview?{HALF_AN_HOUR}", headers=FRAGMENT).text
    assert "<svg" in text
    assert re.findall(r"<script|<style|\sstyle=|\son\w+=", text) == []


def test_the_log_asks_for_its_pictures_later_and_for_the_same_events(reader: Client) -> None:
    text = unescape(reader.get("/?user=alice&limit=20").text)
    assert 'hx-get="/overview?user=alice&limit=20"' in text
    assert '<svg class="plot"' not in text
    assert '<a href="/?user=alice&pictures=1&limit=20">Show charts</a>' in text


def test_pictures_stand_in_the_log_without_javascript(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, Recorded())
    text = reader.get("/?user=alice&pictures=1").text
    assert len([said for _, said, _, _ in buckets(text) if "1 UPDATE" in said]) == 1
    assert len(EVENT.findall(text)) == 1
    assert 'hx-get="/overview' not in text


def test_the_log_is_shown_where_its_pictures_cannot_be(
    db: str, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("canceling statement due to statement timeout", sqlstate="57014")

    with connect(db) as conn:
        record(conn, Recorded())
    monkeypatch.setattr(overview, "read_histogram", fail)
    answer = reader.get("/?user=alice&pictures=1")
    assert (answer.status_code, len(EVENT.findall(answer.text))) == (200, 1)
    assert "The charts are not available" in answer.text
    assert reader.get("/overview?user=alice", headers=FRAGMENT).status_code == 504


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=tomorrow", 400),
        ("target=no_such_table", 400),
        ("since=2026-03-02&until=2026-03-01", 400),
        ("colour=red", 400),
    ],
)
def test_what_means_nothing_is_said(reader: Client, query: str, status: int) -> None:
    assert reader.get(f"/overview?{query}").status_code == status
    assert reader.get(f"/overview?{query}", headers=FRAGMENT).status_code == status


@pytest.mark.parametrize(
    "query", ["since=36525d", "since=0001-01-01&until=9999-12-31", "until=0001-01-02", "since=9999-12-30"]
)
def test_the_ends_of_time_are_drawn_or_said_to_be_empty(db: str, reader: Client, query: str) -> None:
    with connect(db) as conn:
        record(conn, Recorded())
    assert reader.get(f"/overview?{query}").status_code == 200


def test_pictures_are_for_readers_alone(page: Page, person: MakeLogin) -> None:
    assert page.client().get("/overview").status_code == 303
    assert page.client().get("/overview", headers=FRAGMENT).status_code == 401
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with connect(page.dsn) as conn:
        conn.execute(SQL("revoke auditctl_reader from {}").format(Identifier(login.name)))
    assert client.get("/overview").status_code == 403


def test_links_stay_below_the_root_path(db: str, serve_page: ServePage, person: MakeLogin) -> None:
    with connect(db) as conn:
        record(conn, Recorded())
    page = serve_page(root_path="/audit")
    client = page.client(follow_redirects=False)
    client.form(
        "/audit/login", {"login": person("reader", roles=["auditctl_reader"]).name, "password": "correct horse 7 ☃"}
    )
    text = client.get(f"/audit/overview?{HALF_AN_HOUR}").text
    links = [link for link, _, _, _ in buckets(text)] + [link for link, _, _ in tops(text, "Top users")]
    assert links
    assert all(link.startswith("/audit/?") for link in links)

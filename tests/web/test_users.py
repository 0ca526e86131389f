"""Users on the page: links and counts agree, names are typed as they are shown, blanks around values do not matter."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from auditctl.log.filters import FILTERS
from tests.support.recorded import Recorded, minutes, record, switch_lookups_off
from tests.web.test_filter_registry import CHIP
from tests.web.test_pictures import EVENT, tops

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

USERS = (
    ("dana", "database"),
    ("dana", "database"),
    ("dana", "application"),
    (None, "system"),
    (" dana", "application"),
    ("dana ", "application"),
)
"""Who has how many events."""

FACET = re.compile(r'<li><a href="([^"]+)">([a-z]+)</a> <span>(\d+)</span>')


def shown(client: Client, address: str, **texts: str) -> list[str]:
    """The events on a page."""
    answer = client.get(unescape(address), params=texts or None)
    assert answer.status_code == 200, answer.text
    return EVENT.findall(answer.text)


def test_counts_of_users_and_types_lead_to_as_many_events(conn: psycopg.Connection, reader: Client) -> None:
    record(conn, *(Recorded(actor=name, kind=kind, at=minutes(index)) for index, (name, kind) in enumerate(USERS)))
    text = reader.get("/overview", params={"ip": "203.0.113.7"}).text
    users, types = tops(text, "Top users"), FACET.findall(text)
    assert [(name, count) for _, name, count in users] == [
        ("@dana", "2"),
        (" dana", "1"),
        ("dana ", "1"),
        ("dana", "1"),
        ("(System)", "1"),
    ]
    assert [(name, count) for _, name, count in types] == [("application", "3"), ("database", "2"), ("system", "1")]
    for link, name, count in (*users, *types):
        assert len(shown(reader, link)) == int(count), name


def test_every_filter_takes_a_text_with_blanks_around_it(conn: psycopg.Connection, reader: Client) -> None:
    record(conn, Recorded(context='{"request_id": "4f2a", "reason": "ticket 4711"}'))
    switch_lookups_off(conn)
    for row in FILTERS:
        plain = reader.get("/", params={row.name: row.example}).text
        blank = reader.get("/", params={row.name: f" \t{row.example}\u00a0\u200b\n"}).text
        assert CHIP.findall(blank) == CHIP.findall(plain) != []
        assert EVENT.findall(blank) == EVENT.findall(plain), row.name
    assert reader.get("/", params={"id": " ", "form": "1"}).headers["location"] == "/"


def test_a_key_with_blanks_is_written_in_quotes(conn: psycopg.Connection, reader: Client) -> None:
    bare, blank = map(str, record(conn, Recorded(target_id="7"), Recorded(target_id=" 7", at=minutes(1))))
    assert shown(reader, "/", id=" 7 ") == [bare]
    assert shown(reader, "/", id='" 7"') == [blank]
    (link,) = set(re.findall(r'href="(/history[^"]*)"', reader.get(f"/events/{blank}").text))
    assert shown(reader, link) == [blank]


def test_several_users_and_keys_stay_in_the_form(conn: psycopg.Connection, reader: Client) -> None:
    events = record(conn, *(Recorded(actor=name, target_id=name) for name in ("alice", "bob", "")))
    text = reader.get("/?user=alice&user=bob&id=alice&id=").text
    assert EVENT.findall(text) == [str(events[0])]
    assert [value for _, value in CHIP.findall(text)] == ["alice", "(empty)", "alice", "bob"]
    form = text[text.index('id="filters"') :].partition("</form>")[0]
    assert re.findall(r'type="hidden" name="(id|user)" value="(\w+)"', form) == [
        ("id", "alice"),
        ("user", "alice"),
        ("user", "bob"),
    ]
    answer = reader.get("/?form=1&user=alice&id=alice&empty=id&id=bob&not-user=")
    assert answer.headers["location"] == "/?user=alice&id=alice&id=bob&id="


def test_no_events_of_a_user_lead_to_one_who_has_some(conn: psycopg.Connection, reader: Client) -> None:
    record(conn, Recorded(actor="fiona"))
    assert "Did you mean fiona?" in reader.get("/", params={"user": "fionna"}).text
    assert len(shown(reader, "/", user="Fiona")) == 1
    assert "Did you mean" not in reader.get("/", params={"user": "fiona", "ip": "10.0.0.1"}).text


def test_the_field_of_users_to_leave_out_suggests_users(conn: psycopg.Connection, reader: Client) -> None:
    record(conn, Recorded(actor="fiona"))
    assert 'value="fiona"' in reader.get("/suggest", params={"not-user": " fi"}).text

"""Pages of the log: there and back each event once, though times are equal and events come in meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded import START, Recorded, record
from tests.web.parsing import link, numbers

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

FIRST = "/?target=billing.customer&limit=7"


def ties(count: int) -> list[Recorded]:
    """Events of which many happened in the same microsecond."""
    return [Recorded(at=START + timedelta(microseconds=index // 10), target_id=str(index)) for index in range(count)]


def walk(client: Client, address: str, rel: str) -> list[list[int]]:
    """The events of each page from an address on, and of those that the links of a relation lead to."""
    pages = []
    following: str | None = address
    while following is not None:
        text = client.get(following).text
        pages.append(numbers(text))
        following = link(text, rel)
    return pages


def last_address(client: Client, address: str) -> str:
    while (following := link(client.get(address).text, "next")) is not None:
        address = following
    return address


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 15, 60])
def test_there_and_back_each_event_is_shown_once(reader: Client, conn: psycopg.Connection, count: int) -> None:
    record(conn, Recorded(), *ties(count))
    there = walk(reader, FIRST, "next")
    everything = [number for numbers_of_page in there for number in numbers_of_page]
    assert everything == sorted(set(everything), reverse=True)
    assert len(everything) == count + 1
    assert [len(some) for some in there[:-1]] == [7] * (len(there) - 1)
    back = walk(reader, last_address(reader, FIRST), "prev")
    assert [number for some in reversed(back) for number in some] == everything


def test_events_that_come_in_meanwhile_shift_nothing(reader: Client, conn: psycopg.Connection) -> None:
    before = set(record(conn, *ties(40)))
    seen: list[int] = []
    following: str | None = FIRST
    while following is not None:
        text = reader.get(following).text
        seen += numbers(text)
        following = link(text, "next")
        record(conn, Recorded(at=START + timedelta(days=1)), Recorded(at=START + timedelta(days=2)))
    assert [number for number in seen if number in before] == sorted(before, reverse=True)
    assert len(seen) == len(set(seen))


def test_who_goes_back_to_the_newest_sees_what_came_in_meanwhile(reader: Client, conn: psycopg.Connection) -> None:
    record(conn, *ties(40))
    older = link(reader.get(FIRST).text, "next")
    assert older is not None
    late = set(record(conn, *(Recorded(at=START + timedelta(days=1)) for _ in range(20))))
    back = walk(reader, older, "prev")
    assert late <= {number for some in back for number in some}


def test_a_page_holds_at_most_500_events(reader: Client) -> None:
    for limit in ("0", "501", "-1", "1e2", "\u0661", "9" * 400, "1 or 1", " 5"):
        answer = reader.get("/", params={"limit": limit})
        assert (answer.status_code, "The limit must be 1 to 500." in answer.text) == (400, True)


def test_a_page_starts_after_an_event_or_ends_before_one(reader: Client) -> None:
    place = "2026-03-01T12:00:00.000000Z/1"
    assert reader.get("/", params={"after": place, "before": place}).status_code == 400
    assert reader.get("/", params={"after": [place, place]}).status_code == 400

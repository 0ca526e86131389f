"""Events of megabytes: pages show how their values begin, and stay small; `show` prints all of one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.web.render import event_rows
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

ROOM = 2_500_000
"""Bytes that a page has at most."""

HUGE = "more values than a table has columns"

VALUES: dict[str, Callable[[], Any]] = {
    "a long text": lambda: {"a": "x" * 1_500_000},
    "quotes": lambda: {"a": '"' * 500_000},
    "invisible characters": lambda: {"a": "\1" * 250_000},
    "a wide document": lambda: {"a": [1] * 500_000},
    "many values": lambda: {f"c{number}": "x" * 5000 for number in range(800)},
    HUGE: lambda: {f"c{number}": number for number in range(50_000)},
    "many short values": lambda: {f"c{number}": "xyz" * 30 for number in range(1600)},
    "a deep document": lambda: {"a": json.loads("[" * 400 + "1" + ", 1" * 10_000 + "]" * 400)},
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == HUGE else kind for kind in VALUES]
)
def test_pages_of_a_large_event_stay_small(
    reader: Client, conn: psycopg.Connection, auditctl: RunAuditctl, kind: str
) -> None:
    values = VALUES[kind]()
    text = json.dumps(values)
    events = [record(conn, Recorded(action=action, old=text, new=text))[0] for action in ("UPDATE", "CREATE", "DELETE")]
    for address in ("/", "/history?target=billing.customer&id=7", *(f"/events/{event}" for event in events)):
        answer = reader.get(address)
        assert answer.status_code == 200
        assert len(answer.content) < ROOM
    assert len(auditctl("log", "--limit", "3").out) < 2000
    shown = auditctl("show", str(events[1]), "--format", "json").out
    assert json.loads(shown)["new_values"] == values


def test_a_value_that_is_cut_says_how_long_it_is(reader: Client, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(old='{"a": "short"}', new=json.dumps({"a": "é" * 500_000})))
    page = reader.get(f"/events/{event}").text
    assert "short" in page
    assert "1,000,000 bytes in all" in page
    assert 100_000 <= page.count("é") < 101_000


def test_show_prints_all_of_a_large_event(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(new=json.dumps({"a": "x" * 1_000_000})))
    lines = auditctl("show", str(event)).out.splitlines()
    assert lines[lines.index("new_values") + 1] == json.dumps({"a": "x" * 1_000_000})
    names = [line.split()[0] for line in lines if line[:1].isalpha()]
    assert names[-6:] == ["old_values", "new_values", "db_user", "actor_kind", "xact_id", "context"]


@pytest.mark.parametrize("path", ["/", "/history?target=billing.customer&id=7"])
def test_large_event_that_a_page_has_no_time_for_has_a_link_and_small_ones_their_details(
    reader: Client, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    values = {f"c{number}": f"value {number}" for number in range(1000)}
    _, large = record(conn, Recorded(new='{"a": "small"}'), Recorded(action="CREATE", new=json.dumps(values)))
    before = reader.get(path).text
    monkeypatch.setattr(event_rows, "DETAILS_TIME", timedelta(0))
    after = reader.get(path).text
    link = f'<a href="/events/{large}">A large event: open it to see its values</a>'
    assert ("c0: value 0" in before, link in before) == (True, False)
    assert ("c0: value 0" in after, link in after) == (False, True)
    assert "small" in before
    assert "small" in after


def test_event_with_more_values_than_a_page_shows_says_so(reader: Client, conn: psycopg.Connection) -> None:
    large, small = record(
        conn,
        *(Recorded(action="EVENT", old=None, new=json.dumps(dict.fromkeys(map(str, range(n)), 1))) for n in (5000, 10)),
    )
    hint = f"Only some of its values are shown. All of them: auditctl show {large}"
    assert hint in reader.get(f"/events/{large}").text
    assert "Only some of its values" not in reader.get(f"/events/{small}").text

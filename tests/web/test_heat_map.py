"""The heat map of the hours of the week: what each cell counts is what its link opens, by the page's clock."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl.log.histogram import counts
from auditctl.log.histogram.read import read_histogram
from auditctl.web.render import heat
from auditctl.web.views import overview
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, record
from tests.web.test_pictures import listed

if TYPE_CHECKING:
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

CELL = re.compile(r'<td role="cell" class="level-(\d)"><a href="([^"]+)" title="([^"]+)">([^<]*)<')
CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks in Berlin go back, from three to two."""


def cells(text: str) -> list[tuple[str, str, str]]:
    """Each cell with events: where it leads, what it says and what it shows."""
    return [(unescape(link), unescape(title), shown) for _, link, title, shown in CELL.findall(text)]


@pytest.mark.parametrize("fetched", [counts.MAX_FETCHED, 0], ids=["fetched", "counted"])
def test_each_cell_leads_to_as_many_events_as_it_shows(
    db: str, reader: Client, monkeypatch: pytest.MonkeyPatch, fetched: int
) -> None:
    monkeypatch.setattr(counts, "MAX_FETCHED", fetched)
    with connect(db) as conn:
        record(conn, *(Recorded(at=CHANGE + timedelta(minutes=20 * step * abs(step))) for step in range(-20, 20)))
    found = cells(reader.get("/overview?ip=203.0.113.7&tz=Europe/Berlin").text)
    assert ("/?weekday=sun&hour=2&ip=203.0.113.7&tz=Europe%2FBerlin", "Sunday, 02:00–03:00 · 3 events", "3") in found
    for link, _, shown in found[:: 1 if fetched else 9]:
        assert listed(reader, f"{link}&limit=500") == int(shown)
    assert sum(int(shown) for _, _, shown in found) == 40


def test_days_and_hours_lead_to_their_events(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, Recorded(at=CHANGE), Recorded(at=CHANGE + timedelta(days=1)))
    text = unescape(reader.get("/overview?user=alice&hour=9-17&outside-hours=mon+3&limit=20").text)
    assert "Nothing to chart." in text
    text = unescape(reader.get("/overview?user=alice&hour=0-2&limit=20").text)
    assert 'href="/?weekday=sun&hour=0-2&user=alice&limit=20" title="Sunday, all hours">Sun<' in text
    assert 'href="/?hour=1&user=alice&limit=20" title="01:00–02:00, every day">1<' in text
    assert '<details class="week" open>' in text
    assert '<details class="week">' in reader.get("/overview?user=alice").text


def test_an_estimate_shows_its_margin_and_links_hours_without_events_in_the_sample(
    db: str, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(db) as conn:
        record(conn, *(Recorded(at=CHANGE) for _ in range(123)))
    monkeypatch.setattr(
        overview,
        "read_histogram",
        lambda *some, **named: replace(read_histogram(*some, **named), is_estimate=True, spread=3.0),
    )
    text = unescape(reader.get("/overview?user=alice").text)
    assert 'title="Sunday, 01:00–02:00 · ≈ 120 ± 40 events">123<' in text
    assert 'title="Monday, 01:00–02:00 · none in the sample"><span class="unseen">0</span>' in text
    assert "Events, estimated: " in text


def test_odd_hours_are_one_click_away_and_the_chip_names_the_clock(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, *(Recorded(at=CHANGE + timedelta(days=1, hours=hours)) for hours in range(24)))
    text = unescape(reader.get("/?target=billing.customer&hour=9&tz=Europe/Berlin").text)
    (link,) = re.findall(r'<a href="([^"]+)"[^>]*>Odd hours</a>', text)
    assert link == "/?outside-hours=mon-fri+6-22&target=billing.customer&tz=Europe%2FBerlin"
    assert listed(reader, link) == 8  # from 22:00 to 02:00, and from 02:00 to 06:00
    text = unescape(reader.get(link).text)
    assert "<span>Outside hours: <b>mon-fri 6-22</b></span>" in text
    assert "Hours in <b>Europe/Berlin</b>" in text
    assert re.search(r'aria-current="true">Odd hours<', text)


@given(st.dictionaries(st.integers(0, 167), st.integers(0, 10**13)))
def test_more_events_are_never_a_lower_level_and_the_steps_hold_each_count(numbers: dict[int, int]) -> None:
    drawn = heat.draw(numbers)
    found = [cell for day in drawn.days for cell in day.cells]
    assert [cell.count for cell in found] == [numbers.get(number, 0) for number in range(168)]
    by_count = sorted(found, key=lambda cell: cell.count)
    assert [cell.level for cell in by_count] == sorted(cell.level for cell in found)
    for cell in found:
        steps = [step.level for step in drawn.steps if step.first <= cell.count <= step.last]
        assert steps == [cell.level] * bool(cell.count)
        assert len(cell.text) <= 4 + (cell.count >= 10**12)
        assert bool(cell.text) == bool(cell.count)

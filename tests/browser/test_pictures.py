"""The pictures above the log: what they show, and how a click or a drag in them narrows it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.steps import follow

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

PAST = "/?target=Customer&since=2026-03-01T12:00Z&until=2026-03-01T16:00Z"
"""Four hours with events once a minute, half of them updates."""


def open_charts(tab: Tab) -> None:
    """Open the charts, of which a strip stands above the list."""
    tab.get_by_role("button", name="Charts").click()
    expect(tab.locator(".tops").first).to_be_visible()


def bars(tab: Tab) -> Locator:
    """Return the bars over time."""
    return tab.locator("a.bucket")


def edges(bar: Locator) -> tuple[str | None, str | None]:
    """Return from when until when a bar reaches."""
    return bar.get_attribute("data-since"), bar.get_attribute("data-until")


def chosen(tab: Tab) -> tuple[str, str]:
    """Return from when until when the log is narrowed."""
    query = parse_qs(urlsplit(tab.url).query)
    return query["since"][0], query["until"][0]


def moments(times: tuple[str | None, str | None]) -> list[datetime]:
    """Return texts as points in time."""
    return [datetime.fromisoformat(str(text)) for text in times]


def counts(bars: Locator) -> list[int]:
    """Return how many events bars say they show."""
    labels = bars.evaluate_all("bars => bars.map((bar) => bar.getAttribute('aria-label'))")
    return [int(label.partition(" event")[0].rpartition(" ")[2].replace(",", "")) for label in labels]


def test_bars_and_lists_appear_by_themselves_and_count_every_event_once(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    expect(bars(tab).first).to_be_visible()
    expect(tab.locator(".readout .total")).to_contain_text("210 events")
    assert sum(counts(bars(tab))) == 210
    tops = tab.locator(".tops")
    expect(tops.nth(0).locator("li")).to_have_text(["Customer210"])
    users = ["application 140", "system 70", "alice70", "bob70", "(System)70"]
    expect(tops.nth(1).locator("li")).to_have_text(users)


def test_a_click_on_a_bar_narrows_the_log_to_its_time(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    bar = bars(tab).nth(3)
    wanted, (held,) = moments(edges(bar)), counts(bar)
    bar.click()
    tab.wait_for_url("**until*")
    expect(tab.locator(".readout .total")).to_contain_text(f"{held} events")
    assert moments(chosen(tab)) == wanted
    expect(tab.locator("tr.event")).to_have_count(held)


@pytest.mark.parametrize("way", ["to the right", "to the left"])
def test_a_drag_over_bars_narrows_the_log_to_their_time(archive: Archive, browse: Browse, way: str) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    ends = [bars(tab).nth(number) for number in ((2, 5) if way == "to the right" else (5, 2))]
    wanted = moments((edges(bars(tab).nth(2))[0], edges(bars(tab).nth(5))[1]))
    boxes = [end.locator(".column").bounding_box() for end in ends]
    points = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes if box]
    tab.mouse.move(*points[0])
    tab.mouse.down()
    tab.mouse.move(*points[1], steps=4)
    expect(tab.locator(".selecting")).to_be_visible()
    before = tab.url
    tab.mouse.up()
    tab.wait_for_url(lambda url: url != before)
    assert moments(chosen(tab)) == wanted
    expect(tab.get_by_role("list", name="Filters in force").locator("span").first).to_contain_text("From")


def test_arrows_walk_along_the_bars_and_enter_narrows(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    bars(tab).first.focus()
    tab.keyboard.press("ArrowRight")
    expect(bars(tab).nth(1)).to_be_focused()
    expect(tab.locator(".readout .pointed")).to_contain_text(str(bars(tab).nth(1).get_attribute("aria-label")))
    wanted, before = moments(edges(bars(tab).nth(1))), tab.url
    tab.keyboard.press("Enter")
    tab.wait_for_url(lambda url: url != before)
    assert moments(chosen(tab)) == wanted


def test_a_click_on_a_user_narrows_the_log_and_the_pictures(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    open_charts(tab)
    follow(tab.locator(".tops").nth(1).get_by_role("link", name="bob"))
    expect(tab.locator(".readout .total")).to_contain_text("70 events")
    assert set(tab.locator("tr.event .who").all_text_contents()) == {"bob"}


def test_the_same_is_there_as_a_table(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    open_charts(tab)
    tab.get_by_text("Show as a table").click()
    rows = tab.get_by_role("region", name="Table of the chart").locator("tbody tr")
    assert sum(map(int, rows.locator("td:first-of-type").all_text_contents())) == 210


def test_a_strip_opens_and_what_was_opened_stays_so(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(PAST)
    expect(bars(tab).first).to_be_visible()
    expect(tab.locator(".tops").first).to_be_hidden()
    open_charts(tab)
    tab.reload()
    expect(tab.locator(".tops").first).to_be_visible()
    tab.get_by_role("button", name="Charts").click()
    expect(tab.locator(".tops").first).to_be_hidden()
    expect(bars(tab).first).to_be_visible()
    tab.reload()
    expect(bars(tab).first).to_be_visible()
    expect(tab.locator(".tops").first).to_be_hidden()


def test_without_scripts_the_pictures_are_a_link_away_and_bars_are_links(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, javascript=False)
    tab.goto(PAST)
    tab.get_by_role("link", name="Show charts").click()
    bar = bars(tab).nth(3)
    wanted = moments(edges(bar))
    follow(bar)
    assert moments(chosen(tab)) == wanted
    expect(tab.locator("tr.event").first).to_be_visible()


def test_a_click_on_an_hour_of_the_week_narrows_the_log_to_it(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(f"{PAST}&tz=Asia/Kolkata")
    open_charts(tab)
    tab.get_by_text("Hours of the week").click()
    cell = tab.get_by_role("row", name="Sun").get_by_role("link", name="60", exact=True).last
    expect(cell).to_have_attribute("title", re.compile("Sunday, 20:00–21:00 · 60 events"))
    # The tab key stops here once, and arrows walk: from the first hour to 20, and down to Sunday, past what is empty.
    expect(tab.locator('.heat a[tabindex="0"]')).to_have_count(1)
    tab.locator('.heat a[tabindex="0"]').focus()
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    expect(cell).to_be_focused()
    follow(cell)
    expect(tab.locator(".readout .total")).to_contain_text("60 events")
    chips = tab.get_by_role("list", name="Filters in force")
    expect(chips).to_contain_text("Weekday: sun")
    expect(chips).to_contain_text("Hour: 20")
    expect(chips).to_contain_text("Dates and hours in Asia/Kolkata")
    assert {text[-12:-9] for text in tab.locator("tr.event time").all_text_contents()} == {"20:"}
    # The hours stay open, for they are in force, and odd hours are one click away.
    expect(tab.get_by_role("table", name="Events by weekday and hour")).to_be_visible()
    follow(tab.get_by_role("link", name="Odd hours"))
    expect(tab.locator("tr.event").first).to_be_visible()
    expect(tab.locator(".readout .total")).to_contain_text("210 events")


def test_the_period_before_stands_behind_the_bars_and_beside_each_name(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer&since=2026-03-01T14:00Z&until=2026-03-01T16:00Z")
    open_charts(tab)
    expect(tab.locator("rect.ghost")).to_have_count(0)
    follow(tab.get_by_role("link", name="Compare with the period before"))
    expect(tab.locator(".compared")).to_contain_text("Before: 120 events, 1 Mar 2026, 12:00 – 14:00 UTC")
    expect(tab.locator(".readout .total")).to_contain_text("−30 (−25 %)")
    expect(tab.locator("a.bucket .ghost").first).to_be_visible()
    assert tab.locator("a.bucket .ghost").count() > 20
    expect(tab.locator(".tops").nth(0).locator("li")).to_have_text(["Customer90−30 (−25 %)"])
    bars(tab).first.focus()
    expect(tab.locator(".readout .pointed")).to_contain_text("· before: 5")
    # A quick choice keeps the comparison; an export takes the filters alone.
    follow(tab.get_by_role("link", name="This month"))
    assert parse_qs(urlsplit(tab.url).query) == {"since": ["this-month"], "target": ["Customer"], "compare": ["1"]}
    follow(tab.get_by_role("link", name="Don't compare"))
    assert "compare" not in tab.url

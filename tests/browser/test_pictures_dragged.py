"""The pictures above the log: what a bar says, and how a click, a drag or the keyboard narrows the time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab
    from playwright.sync_api import Route

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

pytestmark = pytest.mark.slow  # A browser draws pictures anew for each step of a drag.

ADDRESS = "/?since=2026-01-01&until=2026-12-31&user=alice"
NARROWED = re.compile(r"since=\d{4}-[^&]*Z")


def drawn(archive: Archive, browse: Browse, **options: Any) -> Tab:
    """Open the log and wait for its pictures."""
    tab = browse(archive.url, archive.reader, **options)
    tab.goto(ADDRESS)
    expect(tab.locator("a.bucket").first).to_be_attached()
    return tab


def edges(tab: Tab, number: int) -> tuple[str | None, str | None]:
    """The interval of a bar."""
    bar = tab.locator("a.bucket").nth(number)
    return bar.get_attribute("data-since"), bar.get_attribute("data-until")


def asked(tab: Tab) -> tuple[str, str]:
    """The interval in the address."""
    parameters = parse_qs(urlsplit(tab.url).query)
    return parameters["since"][0], parameters["until"][0]


def press_at(tab: Tab, number: int) -> None:
    """Put the mouse on a bar's place and press its button."""
    to(tab, number)
    tab.mouse.down()


def to(tab: Tab, number: int) -> None:
    """Move the mouse to the middle of a bar's place."""
    box = tab.locator("a.bucket").nth(number).locator(".column").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)


def test_a_click_on_a_bar_narrows_the_time_to_it(archive: Archive, browse: Browse) -> None:
    tab = drawn(archive, browse)
    wanted = edges(tab, 5)
    press_at(tab, 5)
    tab.mouse.up()
    expect(tab).to_have_url(NARROWED)
    assert asked(tab) == wanted


@pytest.mark.parametrize(("start", "end"), [(3, 8), (8, 3)])
def test_dragging_over_bars_selects_from_the_first_to_the_last(
    archive: Archive, browse: Browse, start: int, end: int
) -> None:
    tab = drawn(archive, browse)
    wanted = edges(tab, 3)[0], edges(tab, 8)[1]
    press_at(tab, start)
    to(tab, end)
    expect(tab.locator(".selection")).to_be_visible()
    edge = r"\d+ \w{3} 2026, \d\d:\d\d UTC"
    expect(tab.locator(".readout .pointed")).to_have_text(re.compile(f"{edge} – {edge}"))
    tab.mouse.up()
    expect(tab).to_have_url(NARROWED)
    assert asked(tab) == wanted


def test_escape_ends_a_drag_and_nothing_is_narrowed(archive: Archive, browse: Browse) -> None:
    tab = drawn(archive, browse)
    press_at(tab, 3)
    to(tab, 8)
    tab.keyboard.press("Escape")
    expect(tab.locator(".selection")).to_be_hidden()
    tab.mouse.up()
    expect(tab).to_have_url(f"{archive.url}{ADDRESS}")
    to(tab, 5)
    expect(tab.locator(".readout .pointed")).to_have_text(re.compile("event"))
    tab.mouse.move(1, 1)
    expect(tab.locator(".readout .total")).to_be_visible()


def test_arrow_keys_walk_over_the_bars_and_enter_opens_one(archive: Archive, browse: Browse) -> None:
    tab = drawn(archive, browse)
    assert tab.locator("a.bucket[tabindex='0']").count() == 1
    wanted = edges(tab, 2)
    tab.locator("a.bucket").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("a.bucket").nth(2)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(NARROWED)
    assert asked(tab) == wanted


def test_shift_and_arrow_keys_select_a_range(archive: Archive, browse: Browse) -> None:
    tab = drawn(archive, browse)
    wanted = edges(tab, 1)[0], edges(tab, 3)[1]
    tab.locator("a.bucket").first.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        tab.keyboard.press(key)
    expect(tab.locator(".selection")).to_be_visible()
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(NARROWED)
    assert asked(tab) == wanted


def test_on_a_phone_the_events_come_first(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, width=390)
    tab.goto(ADDRESS)
    expect(tab.locator("tr.event").first).to_be_in_viewport()
    expect(tab.locator("svg.plot")).to_be_visible()
    tab.get_by_role("button", name="Charts").click()
    expect(tab.locator(".tops").first).to_be_visible()
    tab.get_by_role("button", name="Filters").click()
    expect(tab.get_by_label("Target", exact=True)).to_be_visible()


def test_the_list_stands_where_the_pictures_fail_and_they_can_be_asked_for_again(
    archive: Archive, browse: Browse
) -> None:
    tab = browse(archive.url, archive.reader, refusals=(504,), alone=True)
    tab.route("**/overview?*", lambda route: route.fulfill(status=504, body="<div><p>Too slow.</p></div>"))
    tab.goto(ADDRESS)
    expect(tab.locator(".place")).to_contain_text("The charts could not be loaded. Too slow.")
    expect(tab.locator("tr.event").first).to_be_visible()
    tab.unroute("**/overview?*")
    tab.get_by_role("button", name="Try again").click()
    expect(tab.locator("svg.plot")).to_be_visible()


def test_users_are_suggested_while_somebody_types_by_one_request_at_a_time(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, alone=True)
    tab.clock.install()
    tab.goto("/")
    asked_for: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked_for.append(route)
        if len(asked_for) > 1:
            route.continue_()

    tab.route("**/suggest?*", hold_the_first)
    with tab.expect_request("**/suggest?*"):
        tab.locator("#f-user").focus()
    for letter in "ali":
        tab.keyboard.press(letter)
        tab.clock.run_for(1_000)
    with tab.expect_response("**/suggest?*user=ali"):
        asked_for[0].continue_()
    assert len(asked_for) == 2
    expect(tab.locator("#users option")).to_have_count(1)
    assert tab.locator("#users option").get_attribute("value") == "alice"


def test_a_date_is_chosen_from_a_calendar(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/")
    expect(tab.get_by_role("button", name="From: choose a date")).to_be_visible()
    tab.locator(".picked").first.evaluate(
        "date => { date.value = '2026-11-23'; date.dispatchEvent(new Event('change')); }"
    )
    expect(tab.get_by_label("From", exact=True)).to_have_value("2026-11-23")
    expect(tab.get_by_label("From", exact=True)).to_be_focused()

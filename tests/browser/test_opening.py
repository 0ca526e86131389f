"""Opening events where they stand: by mouse and by keyboard, and what is seen then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.steps import follow
from tests.fixtures.browser import ZONE

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

CHANGE = "/?target=Customer&id=7&action=update"
BOXES = "all => all.map((one) => one.getBoundingClientRect().toJSON())"
"""Where elements stand at one moment: the page scrolls when an event opens."""


def opened(tab: Tab) -> Locator:
    """Return what is open."""
    return tab.locator("tr.opened .detail")


def value(tab: Tab, column: str) -> Locator:
    """Return the cells of a column of the row that was changed: before and after."""
    return opened(tab).locator(".values tr").filter(has=tab.get_by_role("rowheader", name=column, exact=True))


def test_a_click_on_a_row_opens_it_and_another_closes_it(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer")
    row = tab.locator("tr.event").nth(1)
    row.locator(".details").click()
    expect(opened(tab)).to_be_visible()
    expect(row.locator("a.open")).to_have_attribute("aria-expanded", "true")
    row.locator(".details").click()
    expect(opened(tab)).to_have_count(0)
    expect(row.locator("a.open")).to_have_attribute("aria-expanded", "false")


def test_old_and_new_stand_side_by_side_with_what_changed_marked(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(CHANGE)
    tab.locator("tr.event .details").click()
    expect(opened(tab).get_by_role("columnheader")).to_have_text(["Column", "Before", "After"])
    expect(opened(tab).get_by_role("rowheader")).to_have_text(["email", "note"])
    expect(value(tab, "email").locator("del")).to_have_text("info")
    expect(value(tab, "email").locator("ins")).to_have_text("rechnung")
    expect(value(tab, "note").locator("del")).to_have_text("May")
    expect(value(tab, "note").locator("ins")).to_have_text("June")
    before, after = value(tab, "note").locator("td").evaluate_all(BOXES)
    assert before["y"] == after["y"]
    assert before["right"] <= after["x"]


def test_the_keyboard_walks_through_the_rows_and_opens_one(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer&since=24h")
    links = tab.locator("a.open")
    links.first.focus()
    tab.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    tab.keyboard.press("ArrowUp")
    expect(links.nth(0)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(opened(tab)).to_contain_text("rechnung@brandt.example")
    expect(links.nth(0)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(opened(tab)).to_have_count(0)
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&since=24h")


def test_an_open_event_leads_to_its_object_its_user_and_its_transaction(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(CHANGE)
    tab.locator("tr.event .details").click()
    follow(opened(tab).get_by_role("link", name="History of this object"))
    expect(tab.get_by_role("heading", level=1)).to_have_text("History of Customer 7")
    expect(tab.locator("tr.event .action")).to_have_text(["CREATE", "UPDATE"])
    tab.locator("tr.event").nth(1).locator(".details").click()
    xact = opened(tab).locator("dt:text-is('Transaction') + dd").text_content()
    follow(opened(tab).get_by_role("link", name="Same transaction"))
    expect(tab).to_have_url(f"{archive.url}/?xact={xact}")
    expect(tab.locator("tr.event td:nth-child(4)")).to_have_text(["billing.plan", "Customer"])
    tab.locator("tr.event").nth(1).locator(".details").click()
    follow(opened(tab).get_by_role("link", name="Everything by this user"))
    expect(tab.get_by_role("list", name="Filters in force").locator("span")).to_have_text("User: application:alice")
    assert set(tab.locator("tr.event .who").all_text_contents()) == {"alice"}


def test_an_event_has_a_page_of_its_own_for_a_new_tab(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto(CHANGE)
    with tab.context.expect_page() as another:
        tab.locator("a.open").click(modifiers=["ControlOrMeta"])
    expect(another.value.get_by_role("heading", level=1)).to_have_text(re.compile(r"Event \d+"))
    expect(another.value.locator(".values ins")).to_have_text(["rechnung", "June"])


def test_the_readers_zone_is_offered_kept_in_the_address_and_obeyed_by_everything(
    archive: Archive, browse: Browse
) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer&since=2026-03-01&until=2026-03-01T12:00:01Z")
    expect(tab.locator("tr.event time")).to_have_text("1 Mar 2026, 12:00:00 UTC")
    follow(tab.get_by_role("link", name="Asia/Kathmandu (yours)"))
    shown = tab.locator("tr.event time")
    expect(shown).to_have_text("1 Mar 2026, 17:45:00 UTC+05:45")
    expect(shown).to_have_attribute("title", "2026-03-01 12:00:00.123456 UTC")
    expect(tab.get_by_label("Time zone", exact=True)).to_have_value(ZONE)
    expect(tab.locator(".readout .total")).to_contain_text("UTC+05:45")
    tab.locator("tr.event a.open").click()
    expect(tab.locator("tr.opened .facts")).to_contain_text("1 Mar 2026, 17:45:00.123456 UTC+05:45")
    tab.get_by_label("From", exact=True).fill("2026-03-02")
    tab.get_by_label("Before", exact=True).fill("")
    follow(tab.get_by_role("button", name="Filter"))
    expect(tab).to_have_url(re.compile(r"since=2026-03-02&tz=Asia%2FKathmandu"))
    expect(tab.locator("tr.event")).to_have_count(2)
    tab.goto("/")
    expect(tab).to_have_url(f"{archive.url}/?tz=Asia%2FKathmandu")
    follow(tab.get_by_role("link", name="UTC", exact=True))
    expect(tab.locator("tr.event time").first).to_contain_text(" UTC")


def test_on_a_phone_an_event_is_a_card_that_opens(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, width=390)
    tab.goto(CHANGE)
    tab.locator("tr.event .details").click()
    expect(value(tab, "email").locator("ins")).to_be_in_viewport()
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_events_that_are_opened_one_right_after_another_are_all_shown(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?limit=8")
    tab.evaluate("document.querySelectorAll('tr.event a.open').forEach((link) => link.click())")
    expect(tab.locator("tr.opened .detail")).to_have_count(8)

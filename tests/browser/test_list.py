"""The list comes first: its room, its keys, its columns, its length, and the way to a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import NOTHING, beside_the_edge, violations
from tests.browser.steps import follow

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

WHOLE_ROWS = """
    height => [...document.querySelectorAll("tr.event")].filter(
        (row) => row.getBoundingClientRect().bottom <= height).length
"""


def focused(tab: Tab) -> str | None:
    """Return the event that has the focus."""
    found: str | None = tab.evaluate("document.activeElement.closest('tr.event')?.dataset.event ?? null")
    return found


def test_a_window_shows_eighteen_events_under_one_row_of_filters_and_a_strip(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.set_viewport_size({"width": 1440, "height": 900})
    for address in ("/", "/?target=Customer&user=alice"):
        tab.goto(address)
        expect(tab.locator("svg.plot")).to_be_visible()
        assert tab.evaluate(WHOLE_ROWS, 900) >= 18
        tops = tab.locator(".fields > div label, .fields legend").evaluate_all("all => all.map((one) => one.offsetTop)")
        assert len(set(tops)) <= 2, tops
    tab.mouse.wheel(0, 700)
    expect(tab.get_by_role("columnheader").first).to_be_in_viewport()
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto("/")
    expect(tab.locator("svg.plot")).to_be_visible()
    expect(tab.locator("tr.event").nth(1)).to_be_in_viewport()


def test_keys_lead_through_the_list_unless_somebody_types(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, examined=True)
    tab.goto("/?target=Customer&limit=25")
    events = tab.locator("tr.event").evaluate_all("rows => rows.map((row) => row.dataset.event)")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert focused(tab) == events[1]
    tab.keyboard.press("Enter")
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    tab.keyboard.press("j")
    assert focused(tab) == events[2]
    tab.keyboard.press("k")
    tab.keyboard.press("Control+k")
    assert focused(tab) == events[1]
    tab.keyboard.press("/")
    expect(tab.get_by_label("Target", exact=True)).to_be_focused()
    tab.keyboard.type("j?/n")
    expect(tab.get_by_label("Target", exact=True)).to_have_value("j?/n")
    tab.get_by_role("button", name="Sign out").focus()
    tab.keyboard.press("?")
    dialog = tab.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    assert violations(tab) == []
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    tab.get_by_role("button", name="Sign out").focus()
    with tab.expect_navigation():
        tab.keyboard.press("n")
    assert tab.locator("tr.event").first.get_attribute("data-event") not in events
    tab.get_by_role("button", name="Keyboard shortcuts").click()
    dialog.get_by_role("checkbox").uncheck()
    dialog.get_by_role("button", name="Close").click()
    tab.reload()
    tab.keyboard.press("j")
    assert focused(tab) is None


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
def test_columns_length_and_day_are_chosen_and_stay_in_the_address(
    archive: Archive, browse: Browse, javascript: bool
) -> None:
    tab = browse(archive.url, archive.reader, javascript=javascript)
    tab.goto("/?target=Customer&tz=Asia/Kolkata")
    tab.locator("summary", has_text="50 rows").click()
    follow(tab.get_by_role("link", name="25 rows"))
    tab.locator("summary", has_text="Columns").click()
    for name in ("IP address", "Target", "Details"):
        tab.get_by_role("checkbox", name=f"Column {name}", exact=True).uncheck()
    tab.get_by_role("checkbox", name="Column Transaction", exact=True).check()
    follow(tab.get_by_role("button", name="Show"))
    shown = ["Created on (Asia/Kolkata)", "User", "Target ID", "Action", "Transaction"]
    expect(tab.get_by_role("columnheader")).to_have_text(shown)
    assert "columns=created_on%2Cuser%2Ctarget_id%2Caction%2Cxact_id" in tab.url
    assert beside_the_edge(tab) == NOTHING
    tab.get_by_label("Go to", exact=True).fill("2026-03-01")
    follow(tab.get_by_role("button", name="Go", exact=True))
    expect(tab.locator("tr.event time").first).to_have_text("1 Mar 2026, 20:59:00 IST")
    expect(tab.locator("tr.event")).to_have_count(25)
    follow(tab.get_by_role("link", name="Newer", exact=True))
    expect(tab.locator("tr.event")).to_have_count(2)
    expect(tab.get_by_role("columnheader")).to_have_text(shown)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Export CSV", exact=True).click()
    header, *rows = Path(download.value.path()).read_text().splitlines()
    assert (header, len(rows)) == ("created_on,user,target_id,action,xact_id", 212)
    tab.get_by_label("Go to", exact=True).fill("2026-02-28")
    follow(tab.get_by_role("button", name="Go", exact=True))
    expect(tab.locator("#events")).to_contain_text("No older events.")
    follow(tab.get_by_role("link", name="Newer", exact=True))
    expect(tab.locator("tr.event")).to_have_count(25)

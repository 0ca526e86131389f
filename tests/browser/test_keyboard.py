"""All of it can be reached by keyboard, in the order of reading, and one sees where one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

WHERE = """
    () => {
        const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
        const column = one.querySelector(".column"), drawn = column && getComputedStyle(column);
        const outlined = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
            || (drawn && drawn.stroke !== "none" && parseFloat(drawn.strokeWidth) >= 2);
        const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
        return [(one.textContent.trim() || one.name || one.id).slice(0, 40), outlined && seen];
    }
"""


def walk(tab: Tab) -> list[tuple[str, bool]]:
    """Press Tab until the page is left; return what had the focus, and whether one saw that."""
    found: list[tuple[str, bool]] = []
    while True:
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement === document.body"):
            return found
        name, is_seen = tab.evaluate(WHERE)
        found.append((name, is_seen))


def test_the_first_tab_offers_to_skip_to_the_content(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?limit=1")
    skip = tab.get_by_role("link", name="Skip to the content")
    tab.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("#main")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="All time")).to_be_focused()


def test_tab_goes_through_the_page_in_the_order_of_reading_and_the_focus_is_seen(
    archive: Archive, browse: Browse
) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?limit=1&user=bob")
    walked = walk(tab)
    assert [name for name, is_seen in walked if not is_seen] == []
    names = [name for name, _ in walked]
    order = "Skip to the content,Log,Sign out,Last 24 hours,UTC,target,user,until,tz,Export CSV,Older".split(",")
    assert [name for name in names if name in order] == order


def test_all_of_a_round_is_done_by_keyboard(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer")
    tab.get_by_label("Target ID", exact=True).focus()
    tab.keyboard.type("7")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    expect(tab.locator("tr.event")).to_have_count(2)
    tab.locator("tr.event a.open").first.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    tab.keyboard.press("Tab")
    while tab.evaluate("document.activeElement.textContent") != "History of this object":
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("History of Customer 7")

"""The log renews itself where somebody asked it to; the clock is the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.steps import follow
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg
    from playwright.sync_api import Page as Tab

    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page

ROUND_MS = 5_000


def stopped(tab: Tab) -> Tab:
    """Return a window whose clock only the test moves, so that no other round comes in between."""
    tab.clock.install(time=0)
    tab.clock.pause_at(1)
    return tab


def test_live_shows_what_happens_without_loading_the_page_again(
    page: Page, reader: Client, conn: psycopg.Connection, browse: Browse
) -> None:
    record(conn, Recorded())
    tab = stopped(browse(page.url, reader, alone=True))
    tab.goto("/?user=alice")
    follow(tab.locator("a.live"))
    expect(tab.locator("a.live.on")).to_be_visible()
    tab.evaluate("window.untouched = true")
    record(conn, Recorded(minutes(1), target_id="8"), Recorded(minutes(2), actor="bob"))
    tab.clock.run_for(ROUND_MS)
    expect(tab.locator("tr.event .key")).to_have_text(["8", "7"])
    expect(tab.locator("tr.fresh .key")).to_have_text(["8"])
    expect(tab.get_by_role("status")).to_have_text("1 new")
    assert tab.evaluate("window.untouched") is True
    tab.locator("a.live.on").click()
    expect(tab).to_have_url(f"{page.url}/?user=alice")


def test_live_keeps_an_open_event_open(page: Page, reader: Client, conn: psycopg.Connection, browse: Browse) -> None:
    record(conn, Recorded())
    tab = stopped(browse(page.url, reader, alone=True))
    tab.goto("/?user=alice&live=1")
    tab.locator("tr.event .details").click()
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    record(conn, Recorded(minutes(1), target_id="8"))
    tab.clock.run_for(ROUND_MS)
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    expect(tab.locator("tr.event .key").first).to_have_text("8")


def test_live_keeps_what_is_being_typed(page: Page, reader: Client, conn: psycopg.Connection, browse: Browse) -> None:
    tab = stopped(browse(page.url, reader, alone=True))
    tab.goto("/?live=1")
    tab.get_by_label("User", exact=True).press_sequentially("bo")
    record(conn, Recorded())
    tab.clock.run_for(ROUND_MS)
    expect(tab.locator("tr.event")).to_have_count(2)
    expect(tab.get_by_label("User", exact=True)).to_be_focused()
    expect(tab.get_by_label("User", exact=True)).to_have_value("bo")


def test_live_ends_at_the_sign_in_page_once_the_session_is_over(page: Page, reader: Client, browse: Browse) -> None:
    tab = stopped(browse(page.url, reader, alone=True, refusals=(401,)))
    tab.goto("/?live=1")
    reader.form("/logout", {}, source="/")
    tab.clock.run_for(ROUND_MS)
    expect(tab.get_by_label("Password")).to_be_visible()


def test_live_keeps_an_open_event_that_newer_ones_have_pushed_off_the_page(
    page: Page, reader: Client, conn: psycopg.Connection, browse: Browse
) -> None:
    record(conn, Recorded())
    tab = stopped(browse(page.url, reader, alone=True))
    tab.goto("/?user=alice&limit=2&live=1")
    tab.locator("tr.event a.open").press("Enter")
    tab.locator("tr.opened .detail").get_by_role("link", name="History").focus()
    record(conn, *(Recorded(minutes(number), target_id=f"new {number}") for number in (1, 2)))
    tab.clock.run_for(ROUND_MS)
    expect(tab.locator("tr.event .key")).to_have_text(["new 2", "new 1", "7"])
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    expect(tab.locator("tr.opened .detail").get_by_role("link", name="History")).to_be_focused()

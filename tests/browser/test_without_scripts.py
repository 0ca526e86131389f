"""Everything can be done in a browser that runs no scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.fixtures.web import PASSWORD
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    import psycopg
    from playwright.sync_api import Route

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page


def test_one_signs_in_filters_turns_pages_and_signs_out(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, javascript=False)
    tab.goto("/?target=Customer")
    tab.get_by_label("Login").fill(archive.reader_login.name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.locator("tr.event")).to_have_count(50)
    tab.get_by_label("User", exact=True).fill("bob")
    tab.get_by_role("group", name="Action").locator("summary").click()
    tab.get_by_role("checkbox", name="UPDATE").check()
    tab.get_by_role("button", name="Filter").click()
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&user=bob&action=update")
    expect(tab.locator("tr.event")).to_have_count(35)
    tab.get_by_role("link", name="Remove Action: update").click()
    tab.get_by_role("link", name="Older").click()
    expect(tab.locator("tr.event")).to_have_count(20)
    tab.get_by_role("link", name="Newer", exact=True).click()
    expect(tab.locator("tr.event")).to_have_count(50)
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_an_event_and_its_history_are_pages_of_their_own(archive: Archive, browse: Browse, width: int) -> None:
    tab = browse(archive.url, archive.reader, javascript=False, width=width)
    tab.goto("/?target=Customer&id=7&action=update")
    tab.locator("tr.event a.open").click()
    expect(tab.locator(".values del")).to_have_text(["info", "May"])
    expect(tab.locator(".values ins")).to_have_text(["rechnung", "June"])
    tab.get_by_role("link", name="History of this object").click()
    expect(tab.locator("tr.event .action")).to_have_text(["CREATE", "UPDATE"])


def test_times_are_utc_and_say_so(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, javascript=False)
    tab.goto("/?target=Customer&until=2026-03-01T12:00:01Z")
    expect(tab.locator("tr.event time")).to_have_text("1 Mar 2026, 12:00:00 UTC")
    expect(tab.get_by_role("columnheader").first).to_have_text("Created on (UTC)")


def test_live_loads_the_page_again_after_a_while(
    page: Page, reader: Client, conn: psycopg.Connection, browse: Browse
) -> None:
    def hurry(route: Route) -> None:
        """Let the page wait for one second where it says ten."""
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('content="10"', 'content="1"'))

    tab = browse(page.url, reader, javascript=False, alone=True)
    tab.route(f"{page.url}/?*", hurry)
    tab.goto("/?user=alice")
    tab.locator("a.live").click()
    refresh = tab.locator("meta[http-equiv=refresh]")
    expect(refresh).to_have_attribute("content", "1")
    record(conn, Recorded())
    expect(tab.locator("tr.event")).to_have_count(1)
    tab.unroute(f"{page.url}/?*")
    expect(refresh).to_have_attribute("content", "10")
    tab.locator("a.live").click()
    expect(refresh).to_have_count(0)

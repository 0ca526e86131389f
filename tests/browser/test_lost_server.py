"""A page says where it no longer shows what happens: the server is gone, the session is over, an address is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_live import ROUND_MS, stopped
from tests.browser.test_signing_in import sign_in
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    import psycopg

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page


def test_a_server_that_is_gone_is_named_on_a_click_and_turns_live_off(
    page: Page, reader: Client, conn: psycopg.Connection, browse: Browse
) -> None:
    record(conn, Recorded())
    tab = stopped(browse(page.url, reader, alone=True, refusals=(0, 504)))
    tab.goto("/?user=alice&live=1")
    tab.route("**/*", lambda route: route.abort())
    tab.locator("tr.event .details").click()
    cell = tab.locator("tr.opened").get_by_role("alert")
    expect(cell).to_contain_text("The server does not answer.")
    tab.clock.run_for(ROUND_MS)
    trouble = tab.locator("#trouble").get_by_role("alert")
    expect(trouble).to_be_visible()
    expect(trouble).to_contain_text("Live is off")
    expect(tab.locator("a.live.on")).to_have_count(0)
    tab.unroute("**/*")
    cell.get_by_role("button", name="Try again").click()
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    record(conn, Recorded(target_id="8"))
    tab.clock.run_for(ROUND_MS)
    expect(tab.locator("tr.event")).to_have_count(1)  # off is off
    trouble.get_by_role("button", name="Turn on again").click()
    expect(tab.locator("tr.event")).to_have_count(2)
    expect(tab.locator("a.live.on")).to_be_visible()
    expect(trouble).to_have_count(0)
    tab.route("**/?*", lambda route: route.fulfill(status=504, body="<div class='notice'><p>Too slow.</p></div>"))
    tab.clock.run_for(ROUND_MS)
    expect(trouble).to_contain_text("Too slow.")


def test_the_view_survives_the_end_of_the_session_on_a_click_and_in_live(
    page: Page, person: MakeLogin, browse: Browse, conn: psycopg.Connection
) -> None:
    record(conn, Recorded())
    login = person("ann", roles=["auditctl_reader"])
    client = page.as_login(login)
    tab = stopped(browse(page.url, client, alone=True, refusals=(401,)))
    for address in ("/?user=alice&action=update&limit=3", "/?user=alice&live=1"):
        tab.goto(address)
        expect(tab.locator(".place.waiting")).to_have_count(0)
        tab.context.clear_cookies()
        if "live" in address:
            tab.clock.run_for(ROUND_MS)
        else:
            tab.locator("tr.event .details").click()
        expect(tab.get_by_label("Password")).to_be_visible()
        sign_in(tab, login.name)
        expect(tab).to_have_url(f"{page.url}{address}")
        expect(tab.locator("tr.event")).to_have_count(1)


def test_an_address_that_leads_nowhere_keeps_the_navigation(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.admin, refusals=(404,))
    tab.goto("/nowhere")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Page not found")
    expect(tab.locator(".person")).to_contain_text("Sign out")
    tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Doctor").click()
    expect(tab).to_have_url(f"{archive.url}/doctor")

"""What else in that transaction: a line that opens where it stands, and a list of the large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.looks import NOTHING, beside_the_edge, violations
from tests.browser.steps import follow

if TYPE_CHECKING:
    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

BOTH = "2 events: updated 1 Customer: email, note; updated 1 row of billing.plan: price"


def test_the_log_is_grouped_and_a_transaction_opens_in_place(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, examined=True)
    tab.goto("/?user=alice&since=24h")
    follow(tab.get_by_role("link", name="Group by transaction"))
    row = tab.locator("tr.event").filter(has_text=BOTH)
    expect(tab.locator("tr.event .details")).to_have_count(3)
    row.locator(".details").click()
    events = tab.locator("tr.opened tr.event")
    expect(events.locator(".what")).to_have_text(["UPDATE", "UPDATE"])
    events.first.locator(".details").click()
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    assert violations(tab) == []
    assert beside_the_edge(tab) == NOTHING
    row.locator(".details").click()
    expect(events).to_have_count(0)
    follow(tab.get_by_role("link", name="Show each event"))
    expect(tab.locator("tr.event .details")).to_have_count(4)


def test_large_transactions_are_found_from_any_page(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/")
    follow(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Transactions"))
    tab.get_by_label("Minimum events").fill("2")
    tab.get_by_label("User", exact=True).fill("alice")
    follow(tab.get_by_role("button", name="Filter", exact=True))
    expect(tab.get_by_role("heading", name="Transactions with 2 events or more")).to_be_visible()
    expect(tab.locator("tr.event .details")).to_have_text([BOTH.partition(": ")[2]])
    tab.locator("tr.event .details").click()
    expect(tab.locator("tr.opened tr.event")).to_have_count(2)
    assert beside_the_edge(tab) == NOTHING

"""A person saves a view, opens it, drops it, and passes a link on, with scripts and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from tests.browser.looks import ALL_RULES, EXAMINE, NOTHING, beside_the_edge
from tests.browser.steps import follow

if TYPE_CHECKING:
    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_a_view_is_saved_opened_and_dropped_and_a_link_to_it_passed_on(
    archive: Archive, browse: Browse, javascript: bool
) -> None:
    tab = browse(archive.url, archive.reader, javascript=javascript)
    tab.goto("/?since=3650d&user=bob&action=update")
    views = tab.locator("details.views")
    views.locator("summary").click()
    tab.get_by_label("Save these filters as").fill("Bob's updates")
    follow(tab.get_by_role("button", name="Save"))
    expect(tab).to_have_title("Bob's updates · From: 3650d, User: bob, Action: update · auditctl")
    tab.goto("/")
    views.locator("summary").click()
    if javascript:
        assert beside_the_edge(tab) == NOTHING
        tab.evaluate(AXE_SCRIPT)
        assert tab.evaluate(EXAMINE, ALL_RULES) == []
    follow(tab.get_by_role("link", name="Bob's updates"))
    expect(tab).to_have_url(f"{archive.url}/?since=3650d&user=bob&action=update")
    expect(tab.locator("tr.event")).to_have_count(35)
    if javascript:
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab.get_by_role("link", name="Copy link").click()
        expect(tab.get_by_role("link", name="Copied")).to_be_visible()
        tab.goto(tab.evaluate("navigator.clipboard.readText()"))
    else:
        follow(tab.get_by_role("link", name="Link with fixed times"))
    expect(tab.locator(".chips")).not_to_contain_text("3650d")
    expect(tab.locator("tr.event")).to_have_count(35)
    views.locator("summary").click()
    follow(tab.get_by_role("button", name="Drop the view Bob's updates"))
    views.locator("summary").click()
    expect(views.get_by_role("list", name="Your views")).to_have_count(0)

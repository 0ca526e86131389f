"""No page keeps anybody from reading it: axe-core finds nothing, in light and dark, on a desktop and a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import violations
from tests.browser.steps import follow

if TYPE_CHECKING:
    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

PAGES = {
    "the log": "/?limit=5",
    "a filtered log": "/?limit=2&target=Customer&user=alice&action=update&since=2026-01-01",
    "a page within the log": "/?limit=2&target=Customer&after=2026-03-01T13:00:00%2B00:00/9",
    "a grouped log": "/?limit=5&group=transaction&user=alice",
    "transactions": "/transactions?rows=2",
    "a live log": "/?limit=2&live=1",
    "no match": "/?user=nobody",
    "a mistake": "/?since=yesterday-ish",
    "a history": "/history?target=Customer&id=7",
    "a missing event": "/events/999999",
    "an unknown export": "/check?name=log.csv&sha256=" + "0" * 64,
    "pictures": "/?limit=1&pictures=1&target=Customer&until=2026-03-02",
    "an overview": "/overview?target=Customer&since=2026-03-01&until=2026-03-02&hour=0-24&compare=1",
    "a configuration": "/config",
    "a question for a target": "/config/add",
    "a form for several tables": "/config/tables",
    "a form for business events": "/config/event?target=auth.login",
    "a form for a hold": "/retention/change?change=hold",
    "a form": "/config/table?table=billing.customer",
    "a form for many tables": "/config/table?table=billing.*",
    "a question before disabling": "/config/disable?table=billing.customer",
    "the doctor": "/doctor",
    "access": "/access",
    "retention": "/retention",
}  # fmt: skip


QUICK = ("the log", "an overview", "a form")
"""Pages that have, together, nearly everything that the others have. For each, a browser examines four views."""


@pytest.mark.parametrize(
    "page", [page if page in QUICK else pytest.param(page, marks=pytest.mark.slow) for page in PAGES]
)
def test_a_page_has_no_violations(archive: Archive, browse: Browse, page: str) -> None:
    tab = browse(archive.url, archive.admin, examined=True, refusals=(400, 404))
    tab.goto(PAGES[page])
    assert violations(tab) == []


def test_an_open_event_has_no_violations(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, examined=True)
    tab.goto("/?target=Customer&id=7&action=update")
    tab.locator("tr.event a.open").press("Enter")
    expect(tab.locator("tr.opened .detail")).to_be_visible()
    assert violations(tab) == []


def test_an_event_on_its_own_page_has_no_violations(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, examined=True)
    tab.goto("/?target=billing.plan&action=delete")
    tab.goto(str(tab.locator("tr.event a.open").get_attribute("href")))
    assert violations(tab) == []


def test_the_sign_in_page_has_no_violations_before_and_after_a_mistake(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, examined=True, refusals=(401,))
    tab.goto("/login")
    assert violations(tab) == []
    tab.get_by_label("Login").fill("nobody_at_all")
    tab.get_by_label("Password").fill("guessed")
    follow(tab.get_by_label("Password"), "Enter")
    expect(tab.get_by_role("alert")).to_be_visible()
    assert violations(tab) == []


def test_a_plan_has_no_violations(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.admin, examined=True)
    tab.goto("/config/table?table=billing.customer")
    tab.get_by_role("checkbox", name="Mask email").check()
    follow(tab.get_by_role("button", name="Show the plan"))
    expect(tab.get_by_role("table", name="The changes, in order")).to_be_visible()
    assert violations(tab) == []

"""Narrowing the log: by typing, by choosing, by chips, and by an address that somebody sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.archive import PAST
from tests.browser.looks import VALUES
from tests.browser.steps import follow

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse


def identities(tab: Tab) -> list[str]:
    """Return the events on the page, from top to bottom."""
    return list(tab.locator("tr.event").evaluate_all("rows => rows.map((row) => row.dataset.event)"))


def chips(tab: Tab) -> Locator:
    """Return the filters in force."""
    return tab.get_by_role("list", name="Filters in force").locator("span")


def test_typing_into_fields_and_enter_narrows_the_log(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/")
    tab.get_by_label("Target", exact=True).fill("Customer")
    tab.get_by_label("Target ID", exact=True).fill("7")
    tab.get_by_label("User", exact=True).fill("alice")
    tab.get_by_label("User", exact=True).press("Enter")
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&id=7&user=alice")
    expect(tab.locator("tr.event .action")).to_have_text(["UPDATE", "CREATE"])
    expect(chips(tab)).to_have_text(["Target: Customer", "Target ID: 7", "User: alice"])
    expect(tab.get_by_label("User", exact=True)).to_have_attribute("placeholder", "add another")


def test_actions_are_ticked_and_the_button_narrows_the_log(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=billing.plan")
    tab.get_by_role("group", name="Action").locator("summary").click()
    tab.get_by_role("checkbox", name="DELETE").check()
    tab.get_by_role("checkbox", name="UPDATE").check()
    tab.get_by_role("button", name="Filter").click()
    expect(tab.locator("tr.event .action")).to_have_text(["DELETE", "UPDATE"])
    expect(chips(tab)).to_have_text(["Target: billing.plan", "Action: update", "Action: delete"])


def test_a_second_target_widens_the_view_and_keeps_the_first(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=billing.plan&context=request_id=r-1")
    tab.get_by_label("Target", exact=True).fill("Customer")
    tab.get_by_label("Target", exact=True).press("Enter")
    expect(chips(tab)).to_have_text(["Target: billing.plan", "Target: Customer", "Context: request_id=r-1"])
    expect(tab.locator("tr.event")).to_have_count(4)


def test_a_chip_is_taken_away_and_the_others_stay(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer&user=bob&column=balance")
    tab.get_by_role("link", name="Remove User: bob").click()
    expect(chips(tab)).to_have_text(["Target: Customer", "Changed column: balance"])
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&column=balance")
    tab.get_by_role("link", name="Clear all").click()
    expect(tab).to_have_url(f"{archive.url}/")
    expect(tab.locator("tr.event")).to_have_count(50)


def test_users_are_typed_as_they_are_shown_and_clicked_in_the_overview(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=billing.plan&action=delete")
    login = tab.locator("tr.event .who").inner_text()
    for text, shown in ((login, login), ("(System)", "(System)"), (" Alice ", "alice")):
        tab.goto("/?target=billing.*&limit=3")
        tab.get_by_label("User", exact=True).fill(text)
        tab.get_by_label("User", exact=True).press("Enter")
        expect(chips(tab)).to_have_text(["Target: billing.*", f"User: {text.strip()}"])
        assert set(tab.locator("tr.event .who").all_inner_texts()) == {shown}
    tab.goto("/?user=alicce")
    expect(tab.locator("#events")).to_contain_text("Did you mean alice?")
    tab.goto("/overview?target=billing.*")
    follow(tab.get_by_role("link", name=login))
    assert tab.locator("tr.event .who").all_inner_texts() == [login]
    tab.goto("/overview?target=billing.*")
    follow(tab.get_by_role("list", name="User types").get_by_role("link", name="database"))
    assert tab.locator("tr.event .who").all_inner_texts() == [login]


def test_values_and_users_to_leave_out_narrow_the_log(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=billing.plan")
    tab.get_by_text("More filters").click()
    tab.get_by_label("Value before or after", exact=True).fill(" price=34 ")
    tab.get_by_label("Value before or after", exact=True).press("Enter")
    expect(tab.locator("tr.event .action")).to_have_text(["DELETE", "UPDATE"])
    tab.get_by_label("Not by user", exact=True).fill("alice")
    tab.get_by_label("Not by user", exact=True).press("Enter")
    expect(tab.locator("tr.event .action")).to_have_text(["DELETE"])
    expect(chips(tab)).to_have_text(["Target: billing.plan", "Not by user: alice", "Value before or after: price=34"])


def test_a_quick_choice_sets_the_time_and_is_marked(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer&limit=60")
    choices = tab.get_by_role("list", name="Time", exact=True)
    expect(choices.locator("[aria-current]")).to_have_text("All time")
    tab.get_by_label("Before", exact=True).fill("2026-03-01T12:30:00Z")
    follow(tab.get_by_role("button", name="Filter"))
    expect(tab.locator("tr.event")).to_have_count(30)
    expect(choices.locator("[aria-current]")).to_have_count(0)
    tab.get_by_label("User", exact=True).fill("alice")
    choices.get_by_role("link", name="Last 24 hours").click()
    expect(choices.locator("[aria-current]")).to_have_text("Last 24 hours")
    expect(chips(tab)).to_have_text(["From: 24h", "Target: Customer", "User: alice"])
    expect(tab.locator("tr.event")).to_have_count(2)
    choices.get_by_role("link", name="All time").click()
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&user=alice&limit=60")
    expect(tab.locator("tr.event")).to_have_count(60)


def test_audited_tables_are_suggested_by_label_and_name(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/")
    field = tab.get_by_label("Target", exact=True)
    options = tab.locator(f"datalist#{field.get_attribute('list')} option")
    offered = options.evaluate_all(VALUES)
    assert {"Customer", "billing.plan"} <= set(offered)


def test_users_are_suggested_as_one_types(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?limit=1")
    tab.get_by_label("User", exact=True).press_sequentially("bo")
    expect(tab.locator("datalist#users option[value='bob']")).to_have_count(1)
    expect(tab.locator("datalist#users option[value='alice']")).to_have_count(0)


def test_a_view_sent_to_a_colleague_shows_them_the_same_rows(archive: Archive, browse: Browse) -> None:
    mine, theirs = browse(archive.url, archive.reader), browse(archive.url, archive.admin)
    mine.goto("/")
    mine.get_by_label("User", exact=True).fill("bob")
    mine.get_by_text("More filters").click()
    mine.get_by_label("IP address", exact=True).fill("203.0.113.4/30")
    follow(mine.get_by_role("button", name="Filter"))
    expect(chips(mine)).to_have_text(["User: bob", "IP address: 203.0.113.4/30"])
    theirs.goto(mine.url)
    assert identities(theirs) == identities(mine)
    assert len(identities(mine)) > 10


def test_a_mistyped_filter_is_explained_beside_what_was_typed(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader, refusals=(400,))
    tab.goto("/")
    tab.get_by_label("From", exact=True).fill("yesterday-ish")
    tab.get_by_label("From", exact=True).press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("yesterday-ish")
    expect(tab.get_by_label("From", exact=True)).to_have_value("yesterday-ish")
    tab.get_by_label("From", exact=True).fill("24h")
    tab.get_by_label("From", exact=True).press("Enter")
    expect(tab.get_by_role("alert")).to_have_count(0)
    expect(tab.locator("tr.event").first).to_be_visible()


def test_older_and_newer_lead_through_the_log_and_show_each_event_once(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer")
    pages = [identities(tab)]
    turns = tab.get_by_role("navigation", name="Pages of the log")
    while turns.get_by_role("link", name="Older").count():
        follow(turns.get_by_role("link", name="Older"))
        pages.append(identities(tab))
    assert [len(page) for page in pages] == [50, 50, 50, 50, PAST + 2 - 200]
    assert len({identity for page in pages for identity in page}) == PAST + 2
    for page in reversed(pages[:-1]):
        follow(turns.get_by_role("link", name="Newer", exact=True))
        assert identities(tab) == page
    expect(turns.get_by_role("link", name="Newer", exact=True)).to_have_count(0)

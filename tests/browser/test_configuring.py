"""The configuration and the doctor in a real browser: by pointer and keyboard, readable for all, on a phone too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import NOTHING, beside_the_edge, violations
from tests.browser.steps import follow
from tests.support.capturing import audit
from tests.web.configuring import ITEM, stored

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page

PATHS = (
    "/config",
    "/config/add",
    "/config/tables?all=1",
    "/config/event?target=auth.login",
    "/retention/change?change=keep&back=config",
    "/config/table?table=item",
    "/config/table?table=public.*",
    "/config/disable?table=old",
    "/doctor",
)


@pytest.fixture(autouse=True)
def tables(db: str, conn: psycopg.Connection, unguarded: None) -> None:
    """One table without a rule, and one whose rule is not followed."""
    conn.execute(ITEM)
    conn.execute("create table old (id int primary key, name text)")
    audit(db, "public.old", mask=("name",))
    conn.execute("alter table old disable trigger auditctl_update")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_table_is_added_from_the_list_to_the_message(
    browse: Browse, page: Page, admin: Client, conn: psycopg.Connection, javascript: bool
) -> None:
    tab = browse(page.url, admin, javascript=javascript)
    tab.goto("/config")
    tab.get_by_role("link", name="Add activity log to public.item").click()
    tab.get_by_label("Mask secret").check()
    tab.get_by_label("Label").fill("Thing")
    tab.get_by_role("button", name="Show the plan").click()
    tab.get_by_text("SQL", exact=True).click()
    expect(tab.get_by_text("create or replace function auditctl_triggers.public__item__create()")).to_be_visible()
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("status")).to_have_text("Applied 4 changes to public.item.")
    tab.reload()
    expect(tab.get_by_role("status")).to_have_count(0)
    assert [(rule.name, rule.label, rule.mask) for rule in stored(conn)][-1] == ("public.item", "Thing", ("secret",))


def test_nothing_keeps_people_from_reading_a_page(browse: Browse, page: Page, admin: Client) -> None:
    tab = browse(page.url, admin, examined=True)
    for path in PATHS:
        tab.goto(path)
        assert (path, violations(tab), beside_the_edge(tab)) == (path, [], NOTHING)
    tab.goto("/config")
    follow(tab.get_by_role("button", name="Review all rules"))
    tab.get_by_text("SQL", exact=True).click()
    assert (violations(tab), beside_the_edge(tab)) == ([], NOTHING)


def test_a_remedy_is_copied_with_a_button(browse: Browse, page: Page, admin: Client) -> None:
    tab = browse(page.url, admin, alone=True)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.clock.install(time=0)
    tab.clock.pause_at(1)  # what the button says lasts two seconds
    tab.goto("/doctor")
    tab.get_by_role("button", name="Copy").first.click()
    expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == "auditctl apply --yes"


def test_the_way_back_from_a_plan_keeps_what_was_entered(browse: Browse, page: Page, admin: Client) -> None:
    tab = browse(page.url, admin)
    tab.goto("/config/table?table=item")
    tab.get_by_label("Label").fill("Thing")
    tab.get_by_label("Mask secret").check()
    tab.get_by_label("TRUNCATE").uncheck()
    for way in ("back", "edit"):
        follow(tab.get_by_role("button", name="Show the plan"))
        if way == "back":
            tab.go_back()
        else:
            follow(tab.get_by_role("button", name="Edit"))
        expect(tab.get_by_label("Label")).to_have_value("Thing")
        expect(tab.get_by_label("Mask secret")).to_be_checked()
        expect(tab.get_by_label("TRUNCATE")).not_to_be_checked()

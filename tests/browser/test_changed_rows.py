"""After a change of the configuration the page leads to its row: in sight, highlighted, with what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import NOTHING, at, beside_the_edge, violations
from tests.browser.steps import follow
from tests.fixtures.browser import DESKTOP
from tests.web.configuring import stored

if TYPE_CHECKING:
    import psycopg
    from playwright.sync_api import Page as Tab

    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page

COLOR = "row => getComputedStyle(row.cells[0]).backgroundColor"


def assert_leads_to(tab: Tab, row: str, said: str) -> None:
    """The row is in sight below the message, and looks different from the row of every event."""
    line = tab.locator(f"[id='{row}']")
    expect(tab.get_by_role("status")).to_have_text(said)
    expect(tab.get_by_role("status")).to_be_in_viewport()
    expect(line).to_be_in_viewport(ratio=1)
    message, place = tab.get_by_role("status").bounding_box(), line.bounding_box()
    assert message is not None
    assert place is not None
    assert place["y"] >= message["y"] + message["height"]
    assert line.evaluate(COLOR) != tab.locator("[id='keep-%2A']").evaluate(COLOR)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
def test_several_tables_are_ticked_and_a_hold_is_placed(
    page: Page, admin: Client, conn: psycopg.Connection, browse: Browse, javascript: bool
) -> None:
    conn.execute("create schema billing")
    for number in range(30):
        conn.execute(f"create table billing.part_{number:02} (id int primary key)".encode())
    tab = browse(page.url, admin, javascript=javascript, examined=javascript)
    tab.goto("/config")
    tab.get_by_role("link", name="Add several tables").click()
    tab.get_by_label("Schema").select_option("billing")
    tab.get_by_role("button", name="Search").click()
    tab.get_by_role("link", name="Tick all 30 of billing").click()
    for number in range(27):
        tab.get_by_label(f"billing.part_{number:02}").uncheck()
    follow(tab.get_by_role("button", name="Show the plan"))
    follow(tab.get_by_role("button", name="Edit"))
    expect(tab.locator("[name=table]:checked")).to_have_count(3)
    follow(tab.get_by_role("button", name="Show the plan"))
    tab.get_by_role("button", name="Apply").click()
    assert_leads_to(tab, "table-billing.part_27", "Applied 12 changes to 3 tables.")
    assert [rule.name for rule in stored(conn)] == [f"billing.part_{number}" for number in (27, 28, 29)]
    if javascript:
        assert (violations(tab), beside_the_edge(tab)) == ([], NOTHING)
        at(tab, DESKTOP)
    tab.get_by_role("link", name="+ Place a hold").click()
    tab.get_by_label("Target").fill("billing.part_28")
    tab.get_by_label("Reason").fill("case 31")
    follow(tab.get_by_role("button", name="Show the plan"))
    tab.get_by_role("button", name="Place the hold").click()
    assert_leads_to(tab, "hold-1", "Placed hold 1.")
    tab.get_by_role("link", name="History").click()
    expect(tab.locator("ol li").first).to_contain_text("placed hold 1 on billing.part_28: case 31")


def test_a_business_event_is_named_from_the_first_form_and_switched_off(
    page: Page, admin: Client, conn: psycopg.Connection, browse: Browse
) -> None:
    tab = browse(page.url, admin)
    tab.goto("/config")
    tab.get_by_role("link", name="+ Add activity log").first.click()
    tab.get_by_role("radio", name="Business event").check()
    expect(tab.get_by_role("checkbox", name="CREATE")).to_be_hidden()
    tab.get_by_role("combobox", name="Target").fill("auth.login")
    tab.get_by_role("button", name="Next").click()
    tab.get_by_label("Label").fill("Sign-in")
    follow(tab.get_by_role("button", name="Show the plan"))
    follow(tab.get_by_role("button", name="Edit"))
    expect(tab.get_by_label("Label")).to_have_value("Sign-in")
    follow(tab.get_by_role("button", name="Show the plan"))
    tab.get_by_role("button", name="Apply").click()
    assert_leads_to(tab, "event-auth.login", "auth.login is recorded and shown as Sign-in.")
    tab.get_by_role("link", name="Switch auth.login off").click()
    follow(tab.get_by_role("button", name="Show the plan"))
    tab.get_by_role("button", name="Apply").click()
    assert_leads_to(tab, "event-auth.login", "auth.login is no longer recorded.")
    assert conn.execute("select auditctl.record_event('auth.login', null, 'x')").fetchone() == (None,)

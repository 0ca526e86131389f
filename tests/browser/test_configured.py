"""An administrator turns an activity log on, changes it and turns it off; a reader is kept out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import follow
from tests.fixtures.databases import connect
from tests.support.capturing import audit, events

if TYPE_CHECKING:
    import psycopg
    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page


@pytest.fixture
def invoices(conn: psycopg.Connection) -> str:
    conn.execute("create schema billing; create table billing.invoice (id int primary key, amount numeric, card text)")
    return "billing.invoice"


def changes(tab: Tab) -> list[str]:
    """Return the changes of the plan that is shown."""
    rows = tab.get_by_role("table", name="The changes, in order").locator("tbody tr")
    return list(rows.evaluate_all("rows => rows.map((row) => `${row.cells[0].innerText} ${row.cells[2].innerText}`)"))


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
def test_an_activity_log_is_added_after_its_plan_was_shown(
    page: Page, admin: Client, conn: psycopg.Connection, invoices: str, browse: Browse, javascript: bool
) -> None:
    tab = browse(page.url, admin, javascript=javascript)
    tab.goto("/")
    tab.get_by_role("link", name="Configuration").click()
    tab.get_by_role("link", name="+ Add activity log", exact=True).first.click()
    tab.get_by_role("combobox", name="Target").fill(invoices)
    tab.get_by_role("checkbox", name="TRUNCATE").uncheck()
    tab.get_by_role("button", name="Next").click()
    expect(tab.get_by_role("checkbox", name="TRUNCATE")).not_to_be_checked()
    tab.get_by_label("Label").fill("Invoice")
    tab.get_by_role("checkbox", name="Mask card").check()
    follow(tab.get_by_role("button", name="Show the plan"))
    assert changes(tab) == ["CREATE CREATE", "CREATE UPDATE", "CREATE DELETE"]
    conn.execute("insert into billing.invoice values (1, 10, '4111')")
    assert events(conn, invoices) == []
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("status").first).to_contain_text("Applied 3 changes to billing.invoice.")
    conn.execute("update billing.invoice set amount = 12, card = '4222'")
    old, new = {"amount": 10, "card": {"$masked": True}}, {"amount": 12, "card": {"$masked": True}}
    assert events(conn, invoices) == [(invoices, "UPDATE", "1", old, new)]
    tab.get_by_role("link", name="Log of billing.invoice").click()
    expect(tab.locator("tr.event .action").first).to_have_text("UPDATE")


def test_an_activity_log_is_edited_and_then_disabled_and_what_was_recorded_stays(
    page: Page, admin: Client, conn: psycopg.Connection, invoices: str, browse: Browse
) -> None:
    audit(page.dsn, invoices)
    conn.execute("insert into billing.invoice values (1, 10, '4111')")
    tab = browse(page.url, admin)
    tab.goto("/config")
    tab.get_by_role("link", name="Edit billing.invoice").click()
    tab.get_by_role("checkbox", name="Exclude card").check()
    follow(tab.get_by_role("button", name="Show the plan"))
    assert {change.partition(" ")[0] for change in changes(tab)} == {"REPLACE"}
    follow(tab.get_by_role("button", name="Apply"))
    conn.execute("update billing.invoice set card = '4222'")
    tab.get_by_role("link", name="Disable billing.invoice").click()
    follow(tab.get_by_role("button", name="Show the plan"))
    assert {change.partition(" ")[0] for change in changes(tab)} == {"DROP"}
    tab.get_by_role("button", name="Disable").click()
    expect(tab.get_by_role("link", name="Add activity log to billing.invoice")).to_be_visible()
    conn.execute("delete from billing.invoice")
    assert [event[1] for event in events(conn, invoices)] == ["CREATE"]


def test_what_changed_after_the_plan_was_shown_is_shown_anew_and_not_done(
    page: Page, admin: Client, conn: psycopg.Connection, invoices: str, browse: Browse
) -> None:
    tab = browse(page.url, admin, refusals=(409,))
    tab.goto(f"/config/table?table={invoices}")
    follow(tab.get_by_role("button", name="Show the plan"))
    audit(page.dsn, invoices, mask=("card",))
    follow(tab.get_by_role("button", name="Apply"))
    expect(tab.get_by_role("alert")).to_contain_text("The database changed after the plan was shown.")
    assert {change.partition(" ")[0] for change in changes(tab)} == {"REPLACE"}


def test_a_table_that_is_not_there_is_said_to_be_beside_its_name(
    page: Page, admin: Client, invoices: str, browse: Browse
) -> None:
    tab = browse(page.url, admin, refusals=(422,))
    tab.goto("/config/add")
    tab.get_by_role("combobox", name="Target").fill("billing.invoicee")
    tab.get_by_role("combobox", name="Target").press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("billing.invoicee")
    expect(tab.get_by_role("combobox", name="Target")).to_have_value("billing.invoicee")


def test_the_doctor_names_what_is_weak_with_its_remedy(
    page: Page, admin: Client, conn: psycopg.Connection, invoices: str, browse: Browse
) -> None:
    audit(page.dsn, invoices)
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    tab = browse(page.url, admin)
    tab.goto("/")
    tab.get_by_role("link", name="Doctor").click()
    found = tab.locator(".finding", has_text="auditctl_guard_ddl")
    remedy = found.locator("pre code").first.inner_text()
    with connect(page.dsn) as dba:
        dba.execute(remedy.encode())
    tab.get_by_role("link", name="Check again").click()
    expect(tab.get_by_role("heading", name="Doctor")).to_be_visible()
    expect(found).to_have_count(0)


@pytest.mark.parametrize("path", ["/config", "/config/table?table=billing.plan", "/config.toml", "/doctor"])
def test_an_address_of_administrators_is_refused_to_a_reader_and_written_down(
    archive: Archive, browse: Browse, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    tab = browse(archive.url, archive.reader, refusals=(403,))
    answer = tab.goto(path)
    assert answer is not None
    assert answer.status == 403
    expect(tab.locator("main")).to_contain_text(f"auditctl grant admin {archive.reader_login.name}")
    written = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    bare = path.partition("?")[0]
    assert [line for line in written if f"{archive.reader_login.name} GET {bare} 403" in line]


@pytest.mark.parametrize("path", ["/config/plan", "/config/apply"])
def test_a_form_that_a_reader_makes_up_is_refused_and_written_down(
    archive: Archive, browse: Browse, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    tab = browse(archive.url, archive.reader, refusals=(403,))
    tab.goto("/?limit=1")
    tab.evaluate(
        """path => {
            const form = document.querySelector("form[action$='/logout']");
            form.setAttribute("action", path);
            for (const [name, value] of [["change", "disable"], ["table", "billing.plan"], ["action", "delete"]]) {
                form.append(Object.assign(document.createElement("input"), {name, value}));
            }
            form.submit();
        }""",
        path,
    )
    expect(tab.get_by_role("heading", level=1)).to_have_text("Administrators only")
    written = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line for line in written if f"{archive.reader_login.name} POST {path} 403" in line]

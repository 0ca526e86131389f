"""An auditor's ten questions, answered by the clicks that docs/how-to/auditor-questions.md names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from playwright.sync_api import expect

from auditctl.actions import Action
from tests.browser.archive import Archive, opened
from tests.browser.looks import NOTHING, beside_the_edge
from tests.browser.steps import follow
from tests.support.capturing import audit
from tests.support.recorded import Recorded, bulk, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from playwright.sync_api import Page as Tab
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.browser import Browse

TABLES: LiteralString = """
    create schema billing;
    create table billing.invoice (id int primary key, amount numeric);
    create table billing.customer (id int primary key, balance numeric)
"""

FIRST = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
"""When this month began."""

LAST_MONTH = FIRST - timedelta(days=9, hours=-12)
SOME_NIGHT = FIRST - timedelta(hours=21)

INVOICE = "billing.invoice"


def fill(conn: psycopg.Connection, dsn: str, web: str) -> None:
    """What the questions are about: a month of a company, and a run over 1,100 invoices."""
    conn.execute(TABLES)
    audit(dsn, INVOICE, label="Invoice")
    audit(dsn, "billing.customer", label="Customer")
    record(
        conn,
        Recorded(
            LAST_MONTH, target=INVOICE, target_id="4711", old='{"amount": 90}', new='{"amount": 9}', xact=50,
            context='{"reason": "discount"}',
        ),
        Recorded(LAST_MONTH, xact=50),
        Recorded(LAST_MONTH, target=INVOICE, target_id="12", action="DELETE", old='{"amount": 5}', new=None, xact=51),
        Recorded(SOME_NIGHT, actor="dana", kind="database", db_user="dana", ip=None, target=INVOICE, xact=52),
        Recorded(FIRST, actor="bob", xact=53),
    )  # fmt: skip
    bulk(conn, 1100, INVOICE)
    audit(dsn, INVOICE, label="Invoice", actions=(Action.CREATE, Action.DELETE))


@pytest.fixture(scope="module")
def log(server: EmbeddedServer, template: NoopExecutor, passwords_asked: None) -> Iterator[Archive]:
    """The company's log."""
    with opened(server, template.template_dbname, fill) as ready:
        yield ready


def search(tab: Tab, *actions: str, **texts: str) -> None:
    """Go to the log, fill fields of the first row in, tick actions, and filter."""
    follow(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Log"))
    for label, text in texts.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(text)
    if actions:
        tab.locator(".actions summary").click()
    for action in actions:
        tab.get_by_role("checkbox", name=action, exact=True).check()
    follow(tab.get_by_role("button", name="Filter", exact=True))


def open_charts(tab: Tab) -> None:
    """Have the charts open, whether or not they were."""
    button = tab.get_by_role("button", name="Charts")
    if button.get_attribute("aria-expanded") == "false":
        button.click()


def test_ten_questions_are_answered_by_clicking(log: Archive, browse: Browse) -> None:
    tab = browse(log.url, log.reader)
    details = tab.locator("tr.event .details")
    tab.goto("/")

    # Who changed the amount of invoice 4711 last month, and what else in that transaction?
    tab.locator("summary", has_text="More filters").click()
    tab.get_by_label("Target", exact=True).fill("Invoice")
    tab.get_by_label("Target ID", exact=True).fill("4711")
    tab.get_by_label("Changed column").fill("amount")
    follow(tab.get_by_role("button", name="Filter", exact=True))
    follow(tab.get_by_role("link", name="Last month"))
    expect(tab.locator("tr.event .who")).to_have_text("alice")
    details.click()
    expect(tab.locator(".detail")).to_contain_text("discount")
    follow(tab.locator(".detail").get_by_role("link", name="Same transaction"))
    expect(tab.locator("tr.event .target")).to_have_text(["Customer", "Invoice"])

    # All deletions of a quarter, exported.
    search(tab, "DELETE", From=(FIRST - timedelta(days=80)).date().isoformat(), Before=FIRST.date().isoformat())
    expect(details).to_have_count(1)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Export CSV", exact=True).click()
    assert ",Invoice,12,DELETE," in Path(download.value.path()).read_text()

    # What did privileged logins change outside the application?
    follow(tab.get_by_role("link", name="Clear all"))
    tab.locator("summary", has_text="More filters").click()
    tab.get_by_role("checkbox", name="database").check()
    tab.locator(".actions summary").click()
    for action in ("CREATE", "UPDATE", "DELETE", "TRUNCATE"):
        tab.get_by_role("checkbox", name=action, exact=True).check()
    follow(tab.get_by_role("button", name="Filter", exact=True))
    expect(tab.locator("tr.event .who").filter(has_text="@dana")).to_have_count(1)

    # Who looked at customer 7?
    search(tab, Target="Customer", Target_ID="7")
    details.first.click()
    follow(tab.locator(".detail").get_by_role("link", name="Who looked at this"))
    expect(details.first).to_contain_text("target Customer, target id 7")
    expect(tab.locator("tr.event .who").first).to_have_text(f"@{log.reader_login.name}")

    # This month against the last one.
    search(tab)
    follow(tab.get_by_role("link", name="This month"))
    open_charts(tab)
    follow(tab.get_by_role("link", name="Compare with the period before"))
    expect(tab.locator(".compared")).to_contain_text("Before: ")
    expect(tab.locator(".tops .change").first).to_be_visible()

    # Transactions of more than 1,000 rows.
    follow(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Transactions"))
    tab.get_by_label("Minimum events").fill("1001")
    follow(tab.get_by_role("button", name="Filter", exact=True))
    expect(details).to_contain_text(["created 1,100 Invoices"])

    # Odd hours.
    search(tab, Target="Invoice", User="@dana")
    follow(tab.get_by_role("link", name="Odd hours"))
    follow(tab.locator(".heat td a").first)
    expect(tab.locator("tr.event .who")).to_have_text("@dana")

    # What was recorded of a table, and when was it off?
    search(tab, Target="Invoice")
    coverage = tab.locator(".coverage")
    expect(coverage).to_contain_text(re.compile(r"UPDATE .* of Invoice are not recorded since .*: switched off by"))
    follow(coverage.get_by_role("link", name="History of the configuration"))
    tab.get_by_label("Target", exact=True).fill("Invoice")
    follow(tab.get_by_role("button", name="Search"))
    expect(tab.locator(".lines li").first).to_contain_text("Invoice")

    # Who has access?
    follow(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Access"))
    expect(tab.get_by_role("table", name="Who may read the log")).to_contain_text(log.reader_login.name)

    # Send the view to a colleague.
    search(tab, User="bob", From="70d")
    address = tab.locator("a.share").get_attribute("href")
    assert address is not None
    tab.goto(address)
    expect(tab.locator(".chips")).to_contain_text("Before: 2")
    assert beside_the_edge(tab) == NOTHING


def test_an_administrators_pages_fit_a_phone_though_they_are_more(log: Archive, browse: Browse) -> None:
    tab = browse(log.url, log.admin)
    tab.goto("/access")
    expect(tab.get_by_role("link", name="Doctor")).to_be_visible()
    assert beside_the_edge(tab) == NOTHING

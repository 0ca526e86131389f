"""Months that are in an archive alone: the charts hatch them, and a person pages through their events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.steps import follow
from tests.support.archived import move_month
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.browser import Browse
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import ServePage


def test_archived_months_are_hatched_in_the_charts_and_read_in_the_list(
    conn: psycopg.Connection, tmp_path: Path, serve_page: ServePage, person: MakeLogin, browse: Browse
) -> None:
    days = [START + timedelta(days=day) for day in range(0, 120, 4)]
    numbers = record(conn, *(Recorded(at=at, action="CREATE") for at in days))
    for month in ("2026-04", "2026-05"):
        move_month(conn, tmp_path, month)
    page = serve_page(archive=str(tmp_path))
    tab = browse(page.url, page.as_login(person("reader", roles=["auditctl_reader"])))
    tab.goto("/?target=billing.customer&since=2026-03-01&until=2026-07-01&limit=25")
    tab.get_by_role("button", name="Charts").click()
    expect(tab.locator(".lacking")).to_contain_text("Not counted: 2026-04 to 2026-05")
    marked = tab.locator("a.bucket:has(rect.archived)")
    names = marked.evaluate_all("bars => bars.map((bar) => bar.getAttribute('aria-label'))")
    assert len(names) > 8
    assert all(name.endswith("those in the archive are not counted") for name in names)
    expect(tab.locator("tr.event")).to_have_count(25)
    tab.locator(f'tr.event[data-event="{numbers[10]}"] a.open').click()
    expect(tab.locator(".detail")).to_contain_text("12.50")
    follow(tab.get_by_role("link", name="Older"))
    expect(tab.locator("tr.event")).to_have_count(len(numbers) - 25)

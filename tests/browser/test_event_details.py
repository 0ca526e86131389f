"""What an opened event shows first, and that opening it loses neither the row nor its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from playwright.sync_api import expect

from tests.browser.archive import Archive, opened
from tests.support.capturing import audit
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.browser import Browse

DOCUMENT = {f"key{number:03}": {"name": f"value {number}", "limits": [number, 2, 3, 597]} for number in range(120)}
CHANGED = {**DOCUMENT, "key119": {"name": "value 119", "limits": [119, 2, 3, 908]}}

TABLES: LiteralString = "create table note (id int primary key, title text, body text, amount numeric)"

HEIGHT = 800
"""Of the window."""


def as_text(**values: Any) -> str:
    """Values by column, as an event holds them."""
    return json.dumps(values)


def fill(conn: psycopg.Connection, dsn: str, web: str) -> None:
    """A long change of a document, a wide row, a business event, a rule that changed, and some events around them."""
    conn.execute(TABLES)
    audit(dsn, "public.note", label="Note")
    record(
        conn,
        *(Recorded(minutes(number), target="public.note", target_id=str(number)) for number in range(12)),
        Recorded(minutes(20), target="public.doc", old=as_text(attrs=DOCUMENT), new=as_text(attrs=CHANGED)),
        *(Recorded(minutes(30 + number), target="public.note", target_id=str(number)) for number in range(8)),
        Recorded(
            minutes(40), target="public.wide", action="CREATE", old=None,
            new=as_text(**{f"column_{number}": f"value {number}" for number in range(120)}),
        ),
        *(Recorded(minutes(50 + number), target="public.note", target_id=str(number)) for number in range(8)),
        Recorded(
            minutes(60), target="sign_in", target_id=None, action="EVENT", old=None, new=as_text(method="", device=None)
        ),
        Recorded(
            minutes(61), target="public.note", target_id="70", action="CREATE", old=None,
            new=as_text(amount=1.5, body=None, id=70, title=""),
        ),
    )  # fmt: skip
    conn.execute("update auditctl.rule set require_reason = true where name = 'public.note'")


@pytest.fixture(scope="module")
def details(server: EmbeddedServer, template: NoopExecutor, passwords_asked: None) -> Iterator[Archive]:
    """A log of such events, which no test changes."""
    with opened(server, template.template_dbname, fill) as ready:
        yield ready


def test_a_row_that_opens_stays_in_sight_and_closes_where_it_was(details: Archive, browse: Browse) -> None:
    tab = browse(details.url, details.reader)
    tab.goto("/?target=public.*")
    row = tab.locator("tr.event").filter(has_text="public.wide")
    row.scroll_into_view_if_needed()
    row.locator(".details").click()
    expect(tab.locator("tr.opened .values")).to_be_visible()
    top = tab.evaluate("document.querySelector('.events > thead th').getBoundingClientRect().bottom")
    box = row.bounding_box()
    assert box is not None
    assert top - 1 <= box["y"] <= HEIGHT - box["height"]
    row.locator(".details").click()
    expect(tab.locator("tr.opened")).to_have_count(0)
    expect(row).to_be_in_viewport()


def test_a_long_change_of_a_document_is_seen_at_once(details: Archive, browse: Browse) -> None:
    tab = browse(details.url, details.reader)
    tab.goto("/?target=public.doc")
    row = tab.locator("tr.event")
    expect(row.locator(".details")).to_have_text("attrs.key119.limits[3]: 597 → 908")
    row.locator(".details").click()
    below = tab.locator("tr.opened")
    expect(below.locator("del")).to_have_text("597")
    expect(below.locator("ins")).to_have_text("908")
    marks, box = below.locator("del").bounding_box(), below.bounding_box()
    assert marks is not None
    assert box is not None
    assert marks["y"] - box["y"] < 200
    assert below.locator(".line").count() == 2 + 2 * 3
    below.get_by_text("Show whole value").click()
    expect(below.locator(".whole .value.json").first).to_contain_text('"key000"')


def test_a_click_on_the_page_of_an_event_opens_nothing_twice(details: Archive, browse: Browse) -> None:
    tab = browse(details.url, details.reader)
    tab.goto("/?target=public.wide")
    tab.goto(str(tab.locator("a.open").get_attribute("href")))
    tab.locator("tr.event .details").click()
    tab.locator("tr.event time").click()
    expect(tab.locator(".detail")).to_have_count(1)
    expect(tab.locator("tr.opened")).to_have_count(0)
    tab.get_by_role("link", name="Previous event").click()
    expect(tab.locator("tr.event .target")).to_have_text("Note")


def test_only_what_an_update_of_a_rule_changed_is_shown(details: Archive, browse: Browse) -> None:
    tab = browse(details.url, details.reader)
    tab.goto("/?target=auditctl.rule&action=update")
    row = tab.locator("tr.event")
    expect(row.locator(".details")).to_have_text("require_reason: false → true")
    row.locator(".details").click()
    expect(tab.locator("tr.opened .values").first.get_by_role("rowheader")).to_have_text(["require_reason"])
    expect(tab.locator("tr.opened .rest summary")).to_contain_text("columns that did not change")


def test_a_value_that_is_empty_is_not_one_that_is_missing(details: Archive, browse: Browse) -> None:
    tab = browse(details.url, details.reader)
    tab.goto("/?target=sign_in")
    tab.locator("tr.event .details").click()
    expect(tab.locator("tr.opened .values").get_by_role("columnheader")).to_have_text(["Column", "Value"])
    expect(tab.locator("tr.opened .values td")).to_have_text("empty text")
    expect(tab.locator("tr.opened .rest summary")).to_have_text("1 column without a value (null)")
    tab.goto("/history?target=Note&id=70")
    expect(tab.get_by_role("heading", level=1)).to_have_text("History of Note 70")
    expect(tab.locator("tr.event .details")).to_have_text('amount: 1.5; id: 70; title: ""')
    tab.locator("tr.event .details").click()
    expect(tab.locator("tr.opened .values").get_by_role("rowheader")).to_have_text(["id", "title", "amount"])
    tab.goto("/history?target=Note&id=3")
    first = tab.locator("tr.event").first.get_attribute("data-event")
    tab.get_by_role("link", name="Newest first").click()
    expect(tab.locator("tr.event").last).to_have_attribute("data-event", str(first))

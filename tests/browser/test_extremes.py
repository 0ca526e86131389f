"""Logs that are empty, lost, or fuller than anybody thought of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests.browser.archive import Archive, opened
from tests.browser.looks import NOTHING, beside_the_edge, labels_apart
from tests.browser.steps import follow
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.browser import Browse
    from tests.fixtures.web import Client, Page

LONGEST = "w" * 63
"""As long as a name in PostgreSQL gets, with nothing in it to break at."""

LONG = "x" * 10_000
COLUMNS = 200


def fill(conn: psycopg.Connection, dsn: str, web: str) -> None:
    """A table of many columns with names and values that are too long."""
    names = [LONGEST, *(f"column_{number}" for number in range(1, COLUMNS))]
    conn.execute(sql.SQL("create schema {}").format(sql.Identifier(LONGEST)))
    table = sql.Identifier(LONGEST, LONGEST)
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
    conn.execute(sql.SQL("create table {} ({}, key text primary key)").format(table, columns))
    conn.execute(sql.SQL("grant all on schema {} to public").format(sql.Identifier(LONGEST)))
    conn.execute(sql.SQL("grant all on {} to public").format(table))
    audit(dsn, f"{LONGEST}.{LONGEST}")
    with connect(make_conninfo(dsn, user=web, application_name=LONGEST)) as application:
        context = Jsonb({LONGEST: LONG, "request_id": LONG})
        application.execute(
            "select auditctl.set_context(%s, '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', %s, null, false)",
            [LONG[:500], context],
        )
        places = sql.SQL(", ").join(sql.Placeholder() * (COLUMNS + 1))
        application.execute(
            sql.SQL("insert into {} values ({})").format(table, places), [*[LONG] * COLUMNS, LONG[:900]]
        )
        changed = sql.SQL("update {} set {} = {} || ' and more', column_7 = 'now short', column_9 = null")
        application.execute(changed.format(table, sql.Identifier(LONGEST), sql.Identifier(LONGEST)))


@pytest.fixture(scope="module")
def huge(server: EmbeddedServer, template: NoopExecutor, passwords_asked: None) -> Iterator[Archive]:
    """A log of texts that are too long, with a reader whose login is as long as it may be."""
    with opened(server, template.template_dbname, fill, "r" * 58) as ready:
        yield ready


def test_an_empty_log_says_how_it_fills(page: Page, admin: Client, conn: psycopg.Connection, browse: Browse) -> None:
    conn.execute("alter table auditctl.event disable trigger all")
    conn.execute("delete from auditctl.event")
    tab = browse(page.url, admin)
    tab.goto("/")
    expect(tab.locator(".empty")).to_contain_text("The log is empty.")
    assert beside_the_edge(tab) == NOTHING


def test_filters_that_match_nothing_lead_back_to_everything(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?user=nobody")
    expect(tab.locator(".empty")).to_contain_text("No events match.")
    assert beside_the_edge(tab) == NOTHING
    tab.get_by_role("link", name="Clear filters").click()
    expect(tab.locator("tr.event")).to_have_count(50)


def test_a_lost_database_is_said_to_be_lost_and_comes_back(
    page: Page, reader: Client, server: EmbeddedServer, conn: psycopg.Connection, browse: Browse
) -> None:
    record(conn, Recorded())
    tab, name = browse(page.url, reader, refusals=(503,)), sql.Identifier(conn.info.dbname)
    tab.goto("/?user=alice")
    with connect(server.dsn()) as maintenance:
        maintenance.execute(sql.SQL("alter database {} allow_connections false").format(name))
        maintenance.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [conn.info.dbname]
        )
        tab.locator("tr.event a.open").press("Enter")
        expect(tab.locator("tr.opened").get_by_role("alert")).to_contain_text("The database does not answer")
        tab.reload()
        expect(tab.get_by_role("heading", level=1)).to_have_text("The log is not available")
        assert beside_the_edge(tab) == NOTHING
        maintenance.execute(sql.SQL("alter database {} allow_connections true").format(name))
    tab.reload()
    expect(tab.locator("tr.event")).to_have_count(1)


@pytest.mark.parametrize("action", ["create", "update"])
def test_what_is_too_long_stays_within_the_page(huge: Archive, browse: Browse, action: str) -> None:
    tab = browse(huge.url, huge.reader)
    tab.goto(f"/?target={LONGEST}.{LONGEST}&action={action}")
    assert beside_the_edge(tab) == NOTHING
    tab.locator("tr.event a.open").press("Enter")
    expect(tab.locator("tr.opened .values tbody tr")).to_have_count({"create": COLUMNS + 1, "update": 3}[action])
    # A row of so many long values is cut, and says so at each of them.
    expect(tab.locator("tr.opened")).to_contain_text("and more" if action == "update" else LONG[:480])
    expect(tab.locator("tr.opened")).to_contain_text("and more" if action == "update" else "10,000 bytes in all")
    assert beside_the_edge(tab) == NOTHING
    follow(tab.get_by_role("link", name="History of this object"))
    expect(tab.locator("tr.event")).to_have_count(2)
    assert beside_the_edge(tab) == NOTHING


def test_names_that_are_too_long_stay_within_the_pages_of_administrators(huge: Archive, browse: Browse) -> None:
    tab = browse(huge.url, huge.admin)
    for path in ("/config", "/doctor", f"/config/table?table={LONGEST}.{LONGEST}", "/overview"):
        tab.goto(path)
        assert (path, beside_the_edge(tab)) == (path, NOTHING)
    tab.goto(f"/config/table?table={LONGEST}.{LONGEST}")
    tab.get_by_role("checkbox", name=f"Mask {LONGEST}").check()
    follow(tab.get_by_role("button", name="Show the plan"))
    expect(tab.get_by_role("table", name="The changes, in order")).to_be_visible()
    assert beside_the_edge(tab) == NOTHING


def test_on_a_phone_each_label_of_a_short_form_stands_beside_its_field(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.admin)
    for path in ("/config", "/config/tables", "/config/history", "/retention", "/access", "/doctor"):
        tab.goto(path)
        assert (path, labels_apart(tab), beside_the_edge(tab)) == (path, [], NOTHING)

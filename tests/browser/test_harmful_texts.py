"""Whatever is recorded is shown as text: it runs nothing, asks for nothing, and turns nothing around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from auditctl.display import harmless
from tests.browser.archive import Archive, opened
from tests.browser.looks import VALUES
from tests.browser.steps import follow
from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from playwright.sync_api import Page as Tab
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.browser import Browse

EVIL = "\"'><img src=x onerror=executed=1>\u202e=1+1"
"""Short enough for a name in PostgreSQL, with a number behind it."""

EVILS = (
    "<script>executed=1</script>",
    "</td></tr></table><svg onload=executed=1>",
    "<img src=http://elsewhere.example/x.png onerror=executed=1>",
    "<div hx-get=/logout hx-trigger=load hx-on:htmx:load=executed=1>x</div>",
    "javascript:executed=1",
    "{{ 7 * 7 }}${7*7}",
    "=HYPERLINK(\"http://elsewhere.example\",\"x\")",
    "\x01\x1b[2J\x7f\u0085\u200b\u2066\ufeff\U000e0041",
    "\\u0000%00&#0;&lt;b&gt;",
)  # fmt: skip

INJECTED = (
    "script:not([src^='/static/']), [onerror], [onload], [hx-on\\:htmx\\:load], svg[onload], img, a[href^='javascript']"
)


def fill(conn: psycopg.Connection, dsn: str, web: str) -> None:
    """A table, its columns, rows and author, all of harmful texts."""
    names = [sql.Identifier(f"{EVIL}{number}") for number in range(len(EVILS))]
    table = sql.Identifier("public", EVIL)
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(name) for name in names)
    conn.execute(sql.SQL("create table {} (key text primary key, {})").format(table, columns))
    conn.execute(sql.SQL("grant all on {} to public").format(table))
    audit(dsn, f'public."{EVIL.replace(chr(34), chr(34) * 2)}"', label=EVIL)
    with connect(make_conninfo(dsn, user=web, application_name="<img src=x onerror=executed=1>")) as application:
        application.execute(
            "select auditctl.set_context(%s, %s, %s, %s, false)", [EVIL, EVIL, Jsonb({EVIL: list(EVILS)}), EVIL]
        )
        places = sql.SQL(", ").join(sql.Placeholder() * len(EVILS))
        application.execute(sql.SQL("insert into {} values (%s, {})").format(table, places), [EVIL, *EVILS])
        first = sql.SQL("update {} set {} = {} || %s").format(table, names[0], names[0])
        application.execute(first, ["<script>executed=2</script>"])


@pytest.fixture(scope="module")
def hostile(server: EmbeddedServer, template: NoopExecutor, passwords_asked: None) -> Iterator[Archive]:
    """A log of harmful texts, with a reader whose login is one."""
    with opened(server, template.template_dbname, fill, EVIL) as ready:
        yield ready


def assert_harmless(tab: Tab) -> None:
    """Nothing ran, and no text became part of the page."""
    assert tab.evaluate("window.executed") is None
    expect(tab.locator(INJECTED)).to_have_count(0)


def test_the_log_shows_them_as_text_and_so_do_open_events(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, hostile.reader)
    tab.goto("/?action=create&action=update")
    row = tab.locator("tr.event").first
    for place in (".who", "td:nth-child(4)", ".key"):
        expect(row.locator(place)).to_have_text(harmless(EVIL))
    expect(tab.locator(".person")).to_contain_text(harmless(EVIL))
    for event in tab.locator("tr.event a.open").all():
        event.press("Enter")
    expect(tab.locator("tr.opened .detail")).to_have_count(tab.locator("tr.event").count())
    shown = tab.locator("tr.opened").nth(1)
    for evil in EVILS:
        expect(shown).to_contain_text(harmless(evil))
    expect(shown.locator(".facts")).to_contain_text(harmless(EVIL))
    expect(shown.get_by_role("rowheader").nth(1)).to_have_text(f"{harmless(EVIL)}0")
    assert_harmless(tab)


def test_links_made_of_them_lead_where_they_say(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, hostile.reader)
    tab.goto("/?action=update")
    tab.locator("tr.event a.open").press("Enter")
    follow(tab.get_by_role("link", name="Everything by this user"))
    expect(tab.locator("tr.event .action")).to_have_text(["UPDATE", "CREATE"])
    expect(tab.get_by_role("list", name="Filters in force")).to_contain_text(harmless(EVIL))
    assert_harmless(tab)
    tab.locator("tr.event a.open").first.press("Enter")
    follow(tab.get_by_role("link", name="History of this object"))
    expect(tab.locator("tr.event .action")).to_have_text(["CREATE", "UPDATE"])
    expect(tab.get_by_role("heading", level=1)).to_contain_text(harmless(EVIL))
    assert harmless(EVIL) in tab.title()
    assert_harmless(tab)


def test_a_table_and_a_user_of_such_names_are_suggested_and_found(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, hostile.reader)
    tab.goto("/")
    assert EVIL in tab.locator("datalist#targets option").evaluate_all(VALUES)
    tab.get_by_label("Target", exact=True).fill(EVIL)
    follow(tab.get_by_label("Target", exact=True), "Enter")
    expect(tab.locator("tr.event .action")).to_have_text(["UPDATE", "CREATE"])
    assert_harmless(tab)


def test_pictures_and_suggestions_show_them_as_text(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, hostile.reader)
    tab.goto("/")
    expect(tab.locator(".tops")).to_have_count(2)
    tab.get_by_role("button", name="Charts").click()
    for tops in tab.locator(".tops").all():
        expect(tops.locator(".name", has_text=harmless(EVIL)).first).to_be_visible()
    tab.get_by_label("User", exact=True).press_sequentially(EVIL[:3])
    offered = tab.locator("datalist#users option")
    expect(offered.first).to_be_attached()
    assert EVIL in offered.evaluate_all(VALUES)
    assert_harmless(tab)
    follow(tab.locator(".tops").first.get_by_role("link", name=harmless(EVIL)))
    expect(tab.locator("tr.event .action")).to_have_text(["UPDATE", "CREATE"])
    assert_harmless(tab)


def test_administrators_see_them_as_text(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, hostile.admin)
    for path in ("/config", "/doctor", "/config/add", "/config/tables"):
        tab.goto(path)
        assert_harmless(tab)
    tab.goto("/config")
    name = harmless(f'public."{EVIL.replace(chr(34), chr(34) * 2)}"')
    for link, button in (("Edit", "Show the plan"), ("Disable", "Show the plan")):
        tab.goto("/config")
        follow(tab.get_by_role("link", name=f"{link} {name}"))
        expect(tab.get_by_role("heading", level=1)).to_contain_text(name)
        assert_harmless(tab)
        if link == "Edit":
            tab.get_by_role("checkbox", name=f"Mask {harmless(EVIL)}1").check()
        follow(tab.get_by_role("button", name=button))
        expect(tab.get_by_role("table", name="The changes, in order")).to_contain_text(name)
        assert_harmless(tab)


@pytest.mark.parametrize("place", ["target", "since", "user", "column", "ip", "xact", "context"])
def test_what_stands_in_an_address_is_no_part_of_the_page(hostile: Archive, browse: Browse, place: str) -> None:
    tab = browse(hostile.url, hostile.reader, refusals=(400,))
    tab.goto("/")
    tab.goto(hostile.reader.build_request("GET", "/", params={place: f"nothing {EVIL}"}).url.raw_path.decode())
    expect(tab.locator("main")).to_contain_text(harmless(f"nothing {EVIL}"))
    assert_harmless(tab)


def test_a_failed_sign_in_and_a_missing_page_repeat_them_as_text(hostile: Archive, browse: Browse) -> None:
    tab = browse(hostile.url, refusals=(401, 404))
    tab.goto(f"/login?next=/%22%3E{EVILS[0]}")
    tab.get_by_label("Login").fill(EVIL)
    tab.get_by_label("Password").fill(EVIL)
    follow(tab.get_by_role("button", name="Sign in"))
    expect(tab.get_by_label("Login")).to_have_value(EVIL)
    assert_harmless(tab)
    tab.goto(f"/events/{EVILS[2]}")
    assert_harmless(tab)

"""Who signs in, out, and comes from elsewhere, as a browser shows it and keeps it."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest
from playwright.sync_api import expect

from tests.fixtures.web import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page as Tab

    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Page


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.views.login.DELAY_SECONDS", 0.0)


def wait_for_charts(*tabs: Tab) -> None:
    """Wait until the charts are there: a request for them after the session's end is refused."""
    for tab in tabs:
        expect(tab.locator(".place.waiting")).to_have_count(0)


def sign_in(tab: Tab, login: str, password: str = PASSWORD) -> None:
    """Type login and password, and press Enter."""
    tab.get_by_label("Login").fill(login)
    tab.get_by_label("Password").fill(password)
    tab.get_by_label("Password").press("Enter")


class Foreign(BaseHTTPRequestHandler):
    """Another site: one page with a link."""

    link: ClassVar[str]

    def do_GET(self) -> None:
        body = f'<!doctype html><title>Elsewhere</title><a href="{self.link}">The change in question</a>'.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""


@contextmanager
def elsewhere(link: str) -> Iterator[str]:
    """Serve a page of another site, which links here; its host and port."""
    with HTTPServer(("127.0.0.1", 0), type("Linking", (Foreign,), {"link": link})) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"localhost:{site.server_port}"
        site.shutdown()
        thread.join()


def test_a_person_signs_in_and_comes_to_the_page_they_asked_for(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url)
    tab.goto("/?target=Customer&user=bob")
    expect(tab).to_have_title(re.compile("Sign in"))
    sign_in(tab, archive.reader_login.name)
    expect(tab).to_have_url(f"{archive.url}/?target=Customer&user=bob")
    expect(tab.locator("tr.event .who").first).to_have_text("bob")


def test_a_wrong_password_is_refused_in_words_and_the_login_stays_typed(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, refusals=(401,))
    tab.goto("/")
    sign_in(tab, archive.reader_login.name, "guessed")
    expect(tab.get_by_role("alert")).to_contain_text("wrong")
    expect(tab.get_by_label("Login")).to_have_value(archive.reader_login.name)
    expect(tab.get_by_label("Password")).to_have_value("")
    sign_in(tab, archive.reader_login.name)
    expect(tab.locator("tr.event")).to_have_count(50)


def test_after_signing_out_neither_back_nor_the_address_shows_anything(
    page: Page, person: MakeLogin, browse: Browse
) -> None:
    tab = browse(page.url, page.as_login(person("ann", roles=["auditctl_reader"])))
    tab.goto("/?user=nobody")
    tab.goto("/?target=auditctl.store")
    expect(tab.locator("tr.event")).to_have_count(1)
    wait_for_charts(tab)
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_title(re.compile("Sign in"))
    tab.go_back()
    expect(tab).to_have_title(re.compile("Sign in"))
    tab.goto("/?user=nobody")
    expect(tab).to_have_title(re.compile("Sign in"))
    expect(tab.locator("body")).not_to_contain_text("No events")


def test_a_cookie_copied_before_signing_out_opens_nothing_afterwards(
    page: Page, person: MakeLogin, browse: Browse
) -> None:
    client = page.as_login(person("ann", roles=["auditctl_reader"]))
    tab, thief = browse(page.url, client), browse(page.url, client)
    thief.goto("/?target=auditctl.store")
    expect(thief.locator("tr.event")).to_have_count(1)
    tab.goto("/")
    wait_for_charts(thief, tab)
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_title(re.compile("Sign in"))
    thief.goto("/?target=auditctl.store")
    expect(thief).to_have_title(re.compile("Sign in"))


def test_two_people_at_once_see_only_what_each_may(archive: Archive, browse: Browse) -> None:
    reader, admin = browse(archive.url, archive.reader), browse(archive.url, archive.admin)
    for tab in (reader, admin, reader):
        tab.goto("/")
    pages = [tab.get_by_role("navigation", name="Pages", exact=True) for tab in (reader, admin)]
    expect(pages[0].get_by_role("link", name="Configuration")).to_have_count(0)
    expect(pages[1].get_by_role("link", name="Configuration")).to_be_visible()
    expect(reader.locator(".person")).to_contain_text(archive.reader_login.name)
    expect(admin.locator(".person")).not_to_contain_text(archive.reader_login.name)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
def test_a_link_on_another_site_reaches_the_page_of_who_is_signed_in(
    archive: Archive, browse: Browse, javascript: bool
) -> None:
    address = f"{archive.url}/?target=Customer&id=7"
    with elsewhere(address.replace("&", "&amp;")) as host:
        tab = browse(archive.url, archive.reader, hosts=(host,), javascript=javascript, refusals=(404,))
        tab.goto(f"http://{host}/")
        tab.get_by_role("link", name="The change in question").click()
        expect(tab.locator("tr.event")).to_have_count(2)
        expect(tab).to_have_url(address)


def test_a_link_on_another_site_asks_who_is_not_signed_in_for_the_password(archive: Archive, browse: Browse) -> None:
    address = f"{archive.url}/?target=Customer&id=7"
    with elsewhere(address.replace("&", "&amp;")) as host:
        tab = browse(archive.url, hosts=(host,), refusals=(404,))
        tab.goto(f"http://{host}/")
        tab.get_by_role("link", name="The change in question").click()
        sign_in(tab, archive.reader_login.name)
        expect(tab).to_have_url(address)

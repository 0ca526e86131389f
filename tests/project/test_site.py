"""The documentation's site: it has every page, builds without a broken link, and loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests import site
from tests.fixtures.browser import ARGUMENTS, MISSING, find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = sorted(page.relative_to(site.DOCS).as_posix() for page in site.DOCS.rglob("*.md"))
SECTIONS = ("Tutorial", "How-to guides", "Reference", "Explanation")
LOADED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>|"""
                    r"""<link\b(?![^>]*rel=["']?canonical)[^>]*\bhref=["']?(?:https?:)?//[^>]*>|"""
                    r"""(?:url\(|@import )["']?(?:https?:)?//[^)]*""")  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library has it
        """Do nothing."""


def test_every_page_is_once_in_the_navigation() -> None:
    sections = site.navigation()
    assert tuple(title for section in sections[1:] for title in section) == SECTIONS
    linked = [
        link for section in sections[1:] for pages in section.values() for page in pages for link in page.values()
    ]
    assert Counter(["README.md", *linked]) == Counter(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_list_begins_after_an_empty_line_as_in_every_dialect_of_markdown(name: str) -> None:
    text = "".join(site.FENCE.split((site.DOCS / name).read_text("utf-8"))[::2])
    item = r"(?:[-*]|\d+\.) "
    assert re.findall(rf"^(?!\s*{item}|\s|#).+\n{item}.*$", text, re.MULTILINE) == []
    assert re.findall(r"^ {1,3}[-*] .*$", text, re.MULTILINE) == [], "nested lists take four spaces"


def test_a_link_that_leaves_the_documentation_is_plain_text_in_the_site(tmp_path: Path) -> None:
    page = site.DOCS / "how-to" / "web.md"
    inside = ("retention.md#holds", "#pages", "https://example.org/", "../security.md", "nowhere.md")
    assert [link for link in inside if not site.is_in_site(page, link)] == []
    outside = ("../../README.md", "../examples/systemd", "../../examples/")
    assert [link for link in outside if site.is_in_site(page, link)] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("Zensical is not installed: make site, or pip install '.[docs]'")
    work = tmp_path_factory.mktemp("site")
    assert site.build(work) == 0
    return work / "site"


@pytest.mark.slow
def test_the_site_has_every_page_and_a_search_and_names_no_other_host_to_load_from(built: Path) -> None:
    expected = {"index.html" if name == "README.md" else re.sub(r"\.md$", ".html", name) for name in PAGES}
    files = [path for path in built.rglob("*") if path.is_file()]
    assert expected - {path.relative_to(built).as_posix() for path in files} == set()
    assert "write-once" in (built / "search.json").read_text("utf-8")
    texts = {path: path.read_text("utf-8") for path in files if path.suffix in (".html", ".css")}
    assert {path.name: LOADED.findall(text) for path, text in texts.items() if LOADED.search(text)} == {}


@pytest.fixture
def address(built: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=built)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_browser_asks_no_other_host_and_finds_a_page(address: str) -> None:
    from playwright.sync_api import sync_playwright

    program = find_chromium()
    if program is None:
        pytest.skip(MISSING)
    requests: list[str] = []
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=ARGUMENTS) as browser,
    ):
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{address}/quickstart.html")
        page.goto(f"{address}/reference/commands.html")
        page.keyboard.press("/")
        page.keyboard.type("retention")
        page.get_by_text("Retention and upkeep").last.wait_for()
    assert {urlsplit(url).netloc for url in requests if not url.startswith(("data:", "blob:"))} == {
        urlsplit(address).netloc
    }

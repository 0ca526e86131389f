"""Steps from one page to the next: what a test reads afterwards is of the new page, all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator


def follow(link: Locator, key: str | None = None) -> None:
    """Click a link or button, or press a key on it, and wait until the page it leads to has loaded."""
    with link.page.expect_navigation():
        if key is None:
            link.click()
        else:
            link.press(key)

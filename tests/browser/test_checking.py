"""A file that is dropped on the page is checked without being sent; without scripts it is posted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse

DROP = """([text, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def test_dropped_file_is_checked_without_being_sent(archive: Archive, browse: Browse) -> None:
    tab = browse(archive.url, archive.reader)
    tab.goto("/?target=Customer")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Export CSV", exact=True).click()
    content = Path(download.value.path()).read_text()
    tab.get_by_role("link", name="Check an export").click()
    expect(tab.get_by_role("heading", name="Check an export")).to_be_visible()
    tab.evaluate(DROP, [content, "log.csv"])
    expect(tab.get_by_role("status")).to_contain_text("log.csv is export")
    expect(tab.get_by_role("status")).to_contain_text("unaltered")
    tab.evaluate(DROP, [content + "x", "other.csv"])
    expect(tab.get_by_role("status")).to_contain_text("No export of this log has this content: other.csv was altered")


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
def test_chosen_file_is_checked(archive: Archive, browse: Browse, tmp_path: Path, javascript: bool) -> None:
    tab = browse(archive.url, archive.reader, javascript=javascript)
    file = tmp_path / "log.csv"
    file.write_text("not an export")
    tab.goto("/check")
    tab.get_by_label("File", exact=True).set_input_files(file)
    if not javascript:
        tab.get_by_role("button", name="Check the file").click()
    expect(tab.get_by_role("status")).to_contain_text("No export of this log has this content: log.csv was altered")

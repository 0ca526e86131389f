"""A click takes the filtered view home, as the command line writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.archive import Archive
    from tests.fixtures.browser import Browse
    from tests.fixtures.command import RunAuditctl


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_click_downloads_what_the_export_command_writes(
    archive: Archive, browse: Browse, auditctl: RunAuditctl, form: str, javascript: bool
) -> None:
    tab = browse(archive.url, archive.reader, javascript=javascript)
    tab.goto("/?target=Customer&user=alice")
    # What is typed or ticked counts before it is sent, as it is what the reader sees.
    tab.get_by_role("group", name="Action").locator("summary").click()
    tab.get_by_role("checkbox", name="UPDATE").check()
    with tab.expect_download() as download:
        tab.get_by_role("button", name=f"Export {form.upper()}", exact=True).click()
    written = auditctl(
        "export", "--target", "Customer", "--user", "alice", "--action", "update", "--format", form,
        dsn=archive.dsn, check=0,
    ).out  # fmt: skip
    assert Path(download.value.path()).read_bytes().decode() == written
    assert re.fullmatch(rf"activity-Customer-\d{{4}}-\d\d-\d\dT\d{{6}}Z\.{form}", download.value.suggested_filename)
    assert len(written.splitlines()) > 30
    expect(tab.get_by_label("Target ID", exact=True)).to_be_enabled()

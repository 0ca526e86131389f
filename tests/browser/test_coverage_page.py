"""An empty answer says whether the log could have had anything, for readers of all kinds, on a phone too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import NOTHING, beside_the_edge, violations
from tests.fixtures.browser import DESKTOP, PHONE
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.browser import Browse
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client, Page


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_what_was_not_recorded_stands_beside_the_answer(
    db: str, page: Page, reader: Client, conn: psycopg.Connection, auditctl: RunAuditctl, browse: Browse,
    width: int, scheme: str,
) -> None:  # fmt: skip
    conn.execute("create table invoice (id int primary key, amount numeric); create table secret (id int primary key)")
    audit(db, "public.invoice", label="Invoice", mask=("amount",))
    auditctl("disable", "public.invoice", "--actions", "delete", check=0)
    tab = browse(page.url, reader, width=width, scheme=scheme, examined=True, refusals=(400,))
    tab.goto("/?target=Invoice&action=read")
    expect(tab.get_by_text("No events match.")).to_be_visible()
    expect(tab.get_by_text("READ of Invoice is not recorded.")).to_be_visible()
    tab.goto("/?target=Invoice")
    expect(tab.get_by_text("DELETE of Invoice is not recorded since")).to_contain_text("switched off by postgres")
    expect(tab.get_by_text("recorded without values (masked): amount")).to_be_visible()
    assert (violations(tab), beside_the_edge(tab)) == ([], NOTHING)
    tab.goto("/?target=secret")
    expect(tab.get_by_role("alert")).to_contain_text("public.secret is not audited")

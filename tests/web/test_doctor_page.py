"""The doctor in a browser: what the command finds, the worst first, each with its remedy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from auditctl.doctor.examine import Examination
from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import GUARD_OFF, connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import audit
from tests.web.configuring import ITEM, page
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

EVIL = "<script>alert(1)</script>\u202e"


def headings(client: Client, path: str) -> list[str]:
    """The heading of each finding."""
    found = re.findall(r"<h2>.*?</h2>", client.get(path).text, re.DOTALL)
    return [read(heading).text for heading in found if "severity" in heading]


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(GUARD_OFF)
        conn.execute(ITEM)
        conn.execute("create table keyless (a int)")
        audit(dsn, "public.item", "public.keyless")
        conn.execute("alter table item disable trigger auditctl_update")


db_template = begin_with(prepare, fixture="broken")


@pytest.fixture
def broken(db: str) -> None:
    """A table that is recorded no more, and one without a key."""


def test_the_findings_are_those_of_the_command(broken: None, admin: Client, auditctl: RunAuditctl) -> None:
    rows = json.loads(auditctl("doctor", "--format", "json", check=3).out)
    assert {"critical", "warning", "notice"} == {row["severity"] for row in rows}
    assert headings(admin, "/doctor") == [f"{row['severity']} {row['object']} {row['check']}" for row in rows]
    text = page(admin, "/doctor").text
    for row in rows:
        assert " ".join(row["meaning"].split()) in text
        assert " ".join(row["remedy"].split()) in text


def test_commands_and_sql_are_there_to_be_copied_and_sentences_to_be_read(broken: None, admin: Client) -> None:
    text = admin.get("/doctor").text
    assert "<pre data-copy><code>auditctl apply --yes</code></pre>" in text
    assert '<p class="remedy">Name the columns that identify its rows' in text


@pytest.mark.parametrize(
    ("query", "kinds"),
    [("", {"critical", "warning", "notice"}), ("warning", {"critical", "warning"}), ("critical", {"critical"})],
)
def test_findings_that_matter_less_can_be_left_out(broken: None, admin: Client, query: str, kinds: set[str]) -> None:
    path = f"/doctor?severity={query}" if query else "/doctor"
    found = headings(admin, path)
    assert {heading.split()[0] for heading in found} == kinds
    assert re.search(r"1 critical \d warnings? \d notices?", page(admin, path).text)


@pytest.mark.parametrize("query", ["severity=loud", "severity=critical&severity=notice", "check=guard"])
def test_an_address_that_means_nothing_is_refused(admin: Client, query: str) -> None:
    assert admin.get(f"/doctor?{query}").status_code == 400


def test_how_long_it_took_is_said_and_that_nothing_was_changed(admin: Client) -> None:
    assert re.search(r"Read-only check, \d+\.\d s\.", page(admin, "/doctor").text)


def test_an_administrator_needs_no_right_on_internal_functions(page: Page, person: MakeLogin) -> None:
    answer = page.as_login(person("deputy", roles=["auditctl_admin"])).get("/doctor")
    assert answer.status_code == 200
    refused = answer.text.partition("Not checked")[2]
    assert re.findall(r"<li><code>(\w+)</code>", refused) == ["log_default_rows"]


def test_a_login_that_may_not_see_all_is_told_what_was_not_looked_at_and_why(
    conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    client = page.as_login(person("deputy", roles=["auditctl_admin"]))
    conn.execute("revoke select on auditctl.hold from auditctl_reader")
    answer = client.get("/doctor")
    assert answer.status_code == 200
    text = read(answer.text).text
    assert "Not checked" in text
    assert "permission denied" in text


def examined(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(
        "auditctl.web.views.doctor.examine", lambda _conn, **_limits: Examination(findings, ((EVIL, EVIL),))
    )


def test_where_nothing_is_found_the_page_says_so(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    examined(monkeypatch)
    assert "No findings." in page(admin, "/doctor").text
    examined(monkeypatch, Finding(Severity.NOTICE, "a_check", "it", "It is so.", "Leave it."))
    assert "No findings of that severity. Show everything" in page(admin, "/doctor?severity=critical").text


def test_what_is_found_is_shown_as_text(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    examined(monkeypatch, Finding(Severity.CRITICAL, EVIL, EVIL, EVIL, f"drop table {EVIL};"))
    text = admin.get("/doctor").text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 6


def test_only_findings_about_the_tables_that_are_named_are_shown(broken: None, admin: Client) -> None:
    assert [heading.split()[-1] for heading in headings(admin, "/doctor?only=public.key*")] == ["table_keyless"]
    assert headings(admin, "/doctor?severity=warning&only=keyless") == []
    assert admin.get("/doctor?only=nothing.*").status_code == 400

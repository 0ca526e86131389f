"""Several tables at once: ticked in a list of those that are not audited, one plan, one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.actions import Action
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import audit, pending
from tests.web.configuring import applied, asked, changes, done, page, planned, stored
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

FORM = "/config/tables"
TABLES = """
    create schema billing; create schema crm;
    create table billing.invoice (id int primary key, amount numeric, noted text);
    create table billing.plan (id int primary key, secret text);
    create table crm.contact (id int primary key, secret text, noted text);
    create table crm.note (id int primary key);
"""
SHARED = {
    "action": ["create", "update", "delete", "truncate"],
    "exclude_lines": [""],
    "mask_lines": [""],
    "on_drop": ["refuse"],
}

db_template = begin_with(running(TABLES))


@pytest.mark.parametrize(
    ("query", "names", "ticked"),
    [
        ("", ["billing.invoice", "billing.plan", "crm.contact"], []),
        ("?schema=billing", ["billing.invoice", "billing.plan"], []),
        ("?find=CON", ["crm.contact"], []),
        ("?schema=billing&all=1", ["billing.invoice", "billing.plan"], ["billing.invoice", "billing.plan"]),
    ],
)
def test_the_list_has_the_tables_that_are_not_audited(
    db: str, admin: Client, query: str, names: list[str], ticked: list[str]
) -> None:
    audit(db, "crm.note")
    text = admin.get(FORM + query).text
    assert [name for name in ("billing.invoice", "billing.plan", "crm.contact", "crm.note") if f"> {name}" in text] == (
        names
    )
    fields = page(admin, FORM + query).form("/config/plan")
    assert {name: values for name, values in fields.items() if name not in ("csrf", "change", "table")} == SHARED
    assert fields.get("table", []) == ticked


def test_a_schema_is_said_to_be_its_tables_of_today_and_a_rule_for_all_is_offered(admin: Client) -> None:
    document = page(admin, f"{FORM}?schema=billing&all=1")
    assert "2 tables of billing ticked." in document.text
    assert "These are the tables of today. A rule for billing.* covers future tables, too." in document.text
    assert dict(document.links)["A rule for billing.*"] == "/config/table?table=billing.%2A"


def test_ticked_tables_are_audited_alike_after_one_plan(conn: psycopg.Connection, db: str, admin: Client) -> None:
    chosen = ["billing.invoice", "billing.plan", "crm.contact"]
    plan = planned(
        admin, FORM, table=chosen, action=["update"], mask_lines=["secret"], exclude_lines=["noted"],
        require_reason=["1"],
    )  # fmt: skip
    assert [row[:3] for row in changes(plan)] == [["CREATE", name, "UPDATE"] for name in chosen]
    assert stored(conn) == []
    answer = applied(admin, plan)
    assert answer.headers["location"] == "/config#table-billing.invoice"
    shown = admin.get("/config").text
    assert "Applied 3 changes to 3 tables." in shown
    assert shown.count('class="changed"') == len(chosen)
    assert admin.get("/config").text.count('class="changed"') == 0
    assert [(rule.name, rule.actions, rule.exclude, rule.mask, rule.require_reason) for rule in stored(conn)] == [
        ("billing.invoice", (Action.UPDATE,), ("noted",), None, True),
        ("billing.plan", (Action.UPDATE,), None, ("secret",), True),
        ("crm.contact", (Action.UPDATE,), ("noted",), ("secret",), True),
    ]
    assert pending(db) == []
    assert conn.execute(
        "select count(distinct xact_id) from auditctl.event where target !~ 'auditctl.(store|session)'"
    ).fetchone() == (1,)


def test_a_mistake_or_an_edit_keeps_what_was_ticked(conn: psycopg.Connection, admin: Client) -> None:
    for fields, message in (
        ({"table": []}, "Tables: tick at least one"),
        ({"action": []}, "Actions: choose at least one"),
        ({"mask_lines": ["secrt"]}, "Masked columns: none of these tables has a column secrt"),
        ({"table": ["crm.contact", "crm.contacts"]}, "Table: there is no table crm.contacts"),
    ):
        answer = asked(admin, FORM, **{"table": ["crm.contact"], **fields})
        assert (answer.status_code, message in read(answer.text).alerts[0]) == (422, True), answer.text
        assert sorted(read(answer.text).form("/config/plan").get("table", [])) == fields.get("table", ["crm.contact"])
    plan = planned(admin, FORM, table=["crm.contact"], mask_lines=["secret\nnoted"], action=["delete"])
    edited = read(admin.post("/config/edit", data=plan.form("/config/apply")).text).form("/config/plan")
    assert (edited["table"], edited["mask_lines"], edited["action"]) == (
        ["crm.contact"], ["secret\nnoted"], ["delete"],
    )  # fmt: skip
    assert stored(conn) == []


def test_a_table_that_somebody_else_audited_meanwhile_is_shown_and_not_overwritten(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    plan = planned(admin, FORM, table=["billing.plan", "crm.contact"])
    audit(db, "billing.plan", mask=("secret",))
    answer = applied(admin, plan)
    assert answer.status_code == 409
    assert "now CREATE UPDATE DELETE TRUNCATE masked: secret then" in read(answer.text).text
    assert [rule.name for rule in stored(conn)] == ["billing.plan"]


def test_a_glob_leads_to_its_row_too(admin: Client) -> None:
    assert applied(admin, planned(admin, "/config/table?table=billing.*")).headers["location"] == (
        "/config#rule-billing.%2A"
    )
    assert 'id="rule-billing.%2A" class="changed"' in admin.get("/config").text
    assert done(admin, planned(admin, "/config/table?table=crm.*")) == "Applied 8 changes to crm.*."

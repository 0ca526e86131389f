"""The forms of the configuration: what they know of a table, and how they say that something does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from psycopg import sql

from auditctl.actions import Action
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import STORED
from auditctl.table_names import qualified
from tests.support.capturing import apply, audit
from tests.web.configuring import ITEM, applied, asked, done, page, planned, stored
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

EVERY = ["create", "update", "delete", "truncate"]


def form(client: Client, path: str) -> dict[str, list[str]]:
    """What a form sends as it stands, without its token."""
    fields = page(client, path).form("/config/plan")
    return {name: values for name, values in fields.items() if name != "csrf"}


def test_a_table_without_a_rule_has_the_usual_actions_checked(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    assert form(admin, "/config/table?table=item") == {
        "change": ["enable"],
        "table": ["public.item"],
        "action": EVERY,
        "label": [""],
        "on_drop": ["refuse"],
        "auto": ["1"],
    }


def test_the_form_of_a_rule_states_that_rule(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute("create table item (a int, b int, name text, secret text)")
    audit(
        db,
        "public.item",
        actions=(Action.UPDATE, Action.READ),
        label="Thing",
        exclude=("name",),
        mask=("secret",),
        key=("b", "a"),
        require_actor=True,
        read_query=True,
    )
    before = stored(conn)
    assert form(admin, "/config/table?table=public.item") == {
        "change": ["enable"],
        "table": ["public.item"],
        "action": ["update", "read"],
        "label": ["Thing"],
        "exclude": ["name"],
        "mask": ["secret"],
        "key": ["a", "b"],
        "require_actor": ["1"],
        "read_query": ["1"],
        "on_drop": ["refuse"],
        "auto": ["1"],
    }
    plan = planned(admin, "/config/table?table=public.item")
    assert "No changes needed." in plan.text
    assert stored(conn) == before


def test_a_table_that_a_glob_covers_starts_with_what_the_glob_says(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute("create table item (id int primary key, name text)")
    conn.execute("create table other (id int primary key, note text)")
    audit(db, "public.*", actions=(Action.DELETE,), mask=("name", "note"))
    assert form(admin, "/config/table?table=item") == {
        "change": ["enable"],
        "table": ["public.item"],
        "action": ["delete"],
        "label": [""],
        "mask": ["name"],
        "on_drop": ["refuse"],
        "auto": ["1"],
    }
    assert "becomes a rule of its own" in page(admin, "/config/table?table=item").text


def test_the_form_of_a_rule_for_one_table_states_only_what_it_does_not_inherit(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute(ITEM)
    audit(db, "public.*", mask=("secret",))
    assert form(admin, "/config/table?table=item")["mask"] == ["secret"]
    assert applied(admin, planned(admin, "/config/table?table=item", label=["Item"])).status_code == 303
    assert [(rule.name, rule.mask) for rule in stored(conn)] == [("public.*", ("secret",)), ("public.item", None)]
    plan = planned(admin, "/config/table?table=item", mask=[])
    assert applied(admin, plan, uncover=["1"]).status_code == 303
    assert [rule.mask for rule in stored(conn)] == [("secret",), ()]


def test_a_glob_has_its_columns_in_lines_and_names_its_tables(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    audit(db, "public.*", mask=("secret", "noted"))
    assert form(admin, "/config/table?table=public.*") == {
        "change": ["enable"],
        "table": ["public.*"],
        "action": EVERY,
        "exclude_lines": [""],
        "mask_lines": ["secret\nnoted"],
        "key_lines": [""],
        "on_drop": ["refuse"],
        "auto": ["1"],
    }
    plan = planned(admin, "/config/table?table=public.*", mask_lines=[" secret \r\n\r\nname"])
    assert "public.item: noted was hidden until now, and is recorded in the clear by rule public.*." in plan.text
    refused = applied(admin, plan)
    assert (refused.status_code, [rule.mask for rule in stored(conn)]) == (422, [("secret", "noted")])
    assert "Check the box below the plan if you mean it." in refused.text
    assert applied(admin, plan, uncover=["1"]).status_code == 303
    assert [rule.mask for rule in stored(conn)] == [("secret", "name")]
    assert "Now: public.item." in page(admin, "/config/table?table=public.*").text


REFUSED = {
    "public.itme": "Table: there is no table public.itme; did you mean public.item?",
    "auditctl.event": "Table: auditctl.event belongs to auditctl itself",
    "a_view": "Table: public.a_view is a view; audit the tables under it",
    "a.b.c": "'a.b.c' is not a table name",
    "<script>alert(1)</script>": "Table: there is no table <script>alert(1)</script>",
    "x" * 64: "is too long: a name has at most 63 bytes",
}


def test_a_glob_that_matches_nothing_yet_is_planned_with_a_warning(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    plan = planned(admin, "/config/table?table=nowhere.*")
    assert "no table matches nowhere.* yet" in plan.text
    assert done(admin, plan) == "Stored the rule of nowhere.*. No trigger had to change."


def test_a_name_that_cannot_be_audited_is_refused_and_stays_in_its_field(
    conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute(ITEM)
    conn.execute("create view a_view as select 1 as id")
    for name, said in REFUSED.items():
        answer = admin.get("/config/table", params={"table": name})
        assert answer.status_code == 422
        document = read(answer.text)
        assert said in document.alerts[0]
        assert document.form("/config/add")["table"] == [name]
        assert "<script>alert" not in answer.text


def test_all_that_does_not_fit_is_said_at_once_beside_what_was_typed(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    typed = {"label": ["A thing"], "exclude": ["id", "gone"], "mask": ["secret"], "key": ["name"], "read_query": ["1"]}
    answer = asked(admin, "/config/table?table=item", **typed)
    assert answer.status_code == 422
    document = read(answer.text)
    assert document.alerts == [
        "Excluded columns: public.item has no column gone "
        "Key: public.item has a primary key (id); key is only for tables without one "
        "Text of queries: the rule does not record reads; add read to its actions "
        "Nothing was changed."
    ]
    fields = document.form("/config/plan")
    assert {name: fields[name] for name in typed} == typed
    assert stored(conn) == []


def test_a_label_that_stands_for_something_else_is_refused(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    conn.execute("create table other (id int primary key)")
    audit(db, "public.other", label="Thing")
    answer = asked(admin, "/config/table?table=item", label=["Thing"])
    assert answer.status_code == 422
    assert read(answer.text).alerts == ["Label: Thing is already used for public.other Nothing was changed."]


@pytest.mark.parametrize("path", ["/config/table?table=item", "/config/disable?table=item"])
def test_a_form_without_an_action_is_refused(db: str, conn: psycopg.Connection, admin: Client, path: str) -> None:
    conn.execute(ITEM)
    audit(db, "public.item")
    before = stored(conn)
    answer = asked(admin, path, action=[])
    assert answer.status_code == 422
    assert read(answer.text).alerts == ["Actions: choose at least one Nothing was changed."]
    assert stored(conn) == before


@pytest.mark.parametrize(
    "field",
    [{"change": ["destroy"]}, {"change": []}, {"action": ["event"]}, {"label": ["a", "b"]}, {"label": ["a\0"]}],
)
def test_what_no_form_of_ours_sends_is_not_understood(
    conn: psycopg.Connection, admin: Client, field: dict[str, list[str]]
) -> None:
    conn.execute(ITEM)
    assert asked(admin, "/config/table?table=item", **field).status_code == 400
    assert stored(conn) == []


VALUE = re.compile(r'value="[^"]*"')
"""What a form sends back must be as it was; nobody reads it."""

NAMES = [
    'We"ird',
    "with.dot",
    "Capital",
    "two words",
    "<script>alert(1)</script>",
    "'; drop table x; --",
    "billing*",
    "ä" * 31 + "b",
    "x" * 63,
    "right\u202eleft",
    "{braces} %s",
    "&amp;",
    "line\nbreak",
]


def test_names_of_any_kind_are_shown_as_text_planned_and_applied(conn: psycopg.Connection, admin: Client) -> None:
    for name in NAMES:
        table, column = sql.Identifier("public", name), sql.Identifier(name)
        conn.execute(sql.SQL("create table {} (id int primary key, {} text)").format(table, column))
    links = [
        address for text, address in page(admin, "/config").links if text == "+ Add activity log" and "?" in address
    ]
    assert len(links) == len(NAMES)
    names = {parse_qs(urlsplit(link).query)["table"][0]: link for link in links}
    for name in NAMES:
        link = names[qualified("public", name)]
        answer = applied(admin, planned(admin, link, mask=[name], label=[f"{name} of it"]))
        assert answer.status_code == 303, (name, answer.text)
        conn.execute(sql.SQL("insert into {} values (1, 'hidden')").format(sql.Identifier("public", name)))
        assert_text(admin.get(link).text)
    recorded = conn.execute(
        "select new_values from auditctl.event where target not like 'auditctl.%' order by event_id"
    ).fetchall()
    assert recorded == [({"id": 1, name: {"$masked": True}},) for name in NAMES]
    for path in ("/config", "/doctor"):
        assert_text(admin.get(path).text)
    rules = {(rule.mask, rule.label) for rule in stored(conn)}
    assert rules == {((name,), f"{name} of it") for name in NAMES}


def assert_text(text: str) -> None:
    """No name became a part of the page, or turns it around."""
    assert "<script>alert" not in text
    assert "\u202e" not in VALUE.sub("", text)


def test_a_table_that_is_gone_can_be_disabled(
    db: str, conn: psycopg.Connection, unguarded: None, admin: Client
) -> None:
    conn.execute(ITEM)
    audit(db, "public.item")
    conn.execute("drop table item")
    assert "there is no table public.item" in page(admin, "/config/table?table=public.item").alerts[0]
    plan = planned(admin, "/config/disable?table=public.item")
    assert applied(admin, plan).status_code == 303
    assert stored(conn) == []


def test_a_rule_that_only_keeps_a_table_from_a_glob_can_be_edited(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute(ITEM)
    apply(db, '[[table]]\nname = "public.item"\nactions = []\n[[table]]\nname = "public.*"\n')
    assert "public.item not audited" in page(admin, "/config").text
    plan = planned(admin, "/config/table?table=public.item", action=["delete"])
    assert applied(admin, plan).status_code == 303
    assert stored(conn)[0] == Rule("public.item", (Action.DELETE,), origin=STORED)

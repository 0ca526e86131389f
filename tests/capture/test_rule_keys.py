"""Every key of a rule is complete: option, form, documentation, columns, and the way through a file and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture import rule_store
from auditctl.capture.config import document
from auditctl.capture.rule_keys import CAPTURED, KEYS, NAMES, Kind, Rule, RuleKey
from auditctl.cli.capture import enable
from auditctl.doctor.rule_repair import command
from tests.support.capturing import apply, audit, pending, plan
from tests.web.configuring import applied, page, planned, stored
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
TABLE = "create table item (id int not null, name text)"
BOOKKEEPING = {"position", "set_by", "set_at"}
STATED = {
    Kind.ACTIONS: (Action.UPDATE, Action.READ),
    Kind.COLUMNS: ("name",),
    Kind.TEXT: "Thing",
    Kind.CHOICE: "record",
}
"""For each kind a value that is not the default."""

every_key = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
every_captured_key = pytest.mark.parametrize("key", CAPTURED, ids=lambda key: key.name)


def stating(key: RuleKey, name: str = "public.item") -> Rule:
    """A rule that states a key."""
    actions = DEFAULT if key.needs is None else (*DEFAULT, key.needs)
    value = not key.default if key.kind is Kind.SWITCH else STATED[key.kind]
    values: dict[str, Any] = {"actions": actions} | {key.name: value}
    return Rule(name, **values)


def options(rule: Rule) -> dict[str, Any]:
    return {name: value for name, value in rule.row().items() if name != "name"}


@every_key
def test_a_key_is_described_for_options_form_and_documentation(key: RuleKey) -> None:
    assert re.fullmatch(r"[A-Z].*\.", key.help)
    assert key.title
    assert key.summary
    assert key.otherwise
    assert f"| `{key.name}` | {key.help} | {key.otherwise} |" in (REFERENCE / "configuration.md").read_text("utf-8")
    assert f"`{key.option}" in (REFERENCE / "commands.md").read_text("utf-8")
    assert any(key.option in parameter.opts for parameter in enable.params)


def test_a_rule_has_a_column_for_each_key_and_its_capture_for_each_that_triggers_obey(
    conn: psycopg.Connection[Any],
) -> None:
    query = """
        select a.attname, format_type(a.atttypid, null), a.attnotnull
          from pg_attribute as a where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
    """
    rule, capture = (
        {name: column for name, *column in conn.execute(query, [table])}
        for table in ("auditctl.rule", "auditctl.capture")
    )
    assert rule.keys() == {*NAMES, *BOOKKEEPING}
    for key in CAPTURED:
        kind, is_set = rule[key.name]
        assert capture.get(key.name) == [kind, is_set or key.is_inherited], key.name


@every_key
def test_what_enable_states_of_a_key_is_stored_printed_and_applied_again_without_a_change(
    db: str, conn: psycopg.Connection[Any], auditctl: RunAuditctl, tmp_path: Path, key: RuleKey
) -> None:
    conn.execute(TABLE)
    rule = stating(key)
    auditctl(*command(rule)[1:], check=0)
    assert rule_store.read(conn) == (rule,)
    printed = auditctl("config", check=0).out
    assert document.load(printed, "audit.toml").rules == (rule,)
    assert plan(db, printed).is_empty
    auditctl("enable", "item", "--uncover", check=0)
    changes = plan(db, printed).rule_changes
    assert [(pair.before, pair.after) for pair in changes] == [(Rule("public.item", DEFAULT), rule)]
    apply(db, printed)
    assert rule_store.read(conn) == (rule,)
    assert plan(db, printed).is_empty


@every_key
def test_the_form_of_a_rule_states_its_key_and_the_plan_shows_it(
    db: str, conn: psycopg.Connection[Any], admin: Client, key: RuleKey
) -> None:
    conn.execute(TABLE)
    rule = stating(key)
    audit(db, "item", **options(rule))
    unchanged = planned(admin, "/config/table?table=item")
    assert "No changes needed." in unchanged.text
    fields = page(admin, "/config/table?table=item").form("/config/plan")
    assert key.title in page(admin, "/config/table?table=item").text
    audit(db, "item")
    shown = admin.post("/config/plan", data=fields)
    assert shown.status_code == 200, shown.text
    asked = read(shown.text)
    assert key.kind is Kind.ACTIONS or key.summary in asked.text
    assert applied(admin, asked).status_code == 303
    assert stored(conn) == [rule]


@every_captured_key
def test_a_table_that_leaves_its_glob_takes_the_key_along(db: str, conn: psycopg.Connection[Any], key: RuleKey) -> None:
    conn.execute(TABLE)
    audit(db, "public.*", **options(stating(key)))
    conn.execute("alter table item rename to thing")
    assert [rule.name for rule in stored(conn)] == ["public.*"]
    conn.execute("create schema other; alter table thing set schema other")
    assert stored(conn)[1:] == [stating(key, "other.thing")]
    assert pending(db) == []


@every_captured_key
def test_a_table_whose_glob_says_something_else_now_takes_the_key_of_its_capture(
    db: str, conn: psycopg.Connection[Any], key: RuleKey
) -> None:
    conn.execute(TABLE)
    audit(db, "public.*", **options(stating(key)))
    other = "'{CREATE}'" if key.kind is Kind.ACTIONS else "default"
    conn.execute(f"update auditctl.rule set {key.name} = {other}".encode())
    conn.execute("alter table item rename to thing")
    assert stored(conn)[1:] == [stating(key, "public.thing")]

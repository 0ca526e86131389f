"""Every key of a rule, for every kind of table: what differs from the rule is a difference, and apply repairs it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture import rule_store
from auditctl.capture.config import document
from auditctl.capture.rule_keys import CAPTURED, KEYS, TEXTS, Kind, Rule, RuleKey
from auditctl.errors import DriftError
from auditctl.retention.times import Retention
from tests.fixtures.databases import prepared
from tests.support.capturing import apply, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TABLES: LiteralString = """
    create table plain (id int primary key, v text, w text);
    create table keyless (id int, v text, w text);
    create table parted (id int, v text, w text) partition by list (id);
    create table part partition of parted default;
    create table only_read (id int, v text, w text);
    create schema m;
    create table m.a (id int, v text, w text)
"""

RULES = {
    "ordinary": Rule("public.plain", DEFAULT),
    "keyless": Rule("public.keyless", DEFAULT),
    "partitioned": Rule("public.parted", DEFAULT),
    "read alone": Rule("public.only_read", (Action.READ,)),
    "glob": Rule("m.*", DEFAULT),
}

OTHER = {
    Kind.ACTIONS: (Action.CREATE, Action.READ),
    Kind.COLUMNS: ("v",),
    Kind.TEXT: "Thing",
}
"""For some kinds of keys a value that is not the default; of a choice it is the last, of a switch the other one."""


def make_audited(dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn) as conn:
        conn.execute(TABLES)
    apply(dsn, file())


def file(*changed: Rule) -> str:
    """A file with all rules, some of them changed."""
    rules = {rule.name: rule for rule in (*RULES.values(), *changed)}
    return document.dump(tuple(rules.values()), (), Retention())


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with prepared(server, template, make_audited) as name:
        yield name


def fits(kind: str, key: RuleKey) -> bool:
    """Whether a rule for such a table may have the key, with a value that is not the default."""
    if kind == "ordinary":
        return key.name != "key"
    if kind == "glob":
        return key.kind is not Kind.TEXT
    return key.needs is None or key.needs in RULES[kind].actions


def changed(kind: str, key: RuleKey) -> Rule:
    rule = RULES[kind]
    needed = () if key.needs is None or key.needs in rule.actions else (key.needs,)
    other: Any = OTHER.get(key.kind)
    other = key.choices[-1] if key.kind is Kind.CHOICE else other
    other = not key.default if key.kind is Kind.SWITCH else other
    # No two tables have the same label.
    other = f"{other} {kind}" if key.kind is Kind.TEXT else other
    values: dict[str, Any] = {"actions": (*rule.actions, *needed)} | {key.name: other}
    return replace(rule, **values)


def all_changed(key: RuleKey) -> list[Rule]:
    """The rule of each kind of table that may have the key, with the key."""
    return [changed(kind, key) for kind in RULES if fits(kind, key)]


def tables(rules: list[Rule]) -> set[str]:
    return {"m.a" if rule.name == "m.*" else rule.name for rule in rules}


def write(conn: psycopg.Connection, table: str, key: RuleKey, rules: list[Rule]) -> None:
    """Write a key of rules, with the actions that it may need, into auditctl.rule or auditctl.capture."""
    names = dict.fromkeys(("actions", key.name))
    column = "name" if table == "rule" else "target"
    rows = [
        rule.row() | {column: name} for rule in rules for name in ([rule.name] if table == "rule" else tables([rule]))
    ]
    conn.execute(
        f"update auditctl.{table} as r set ({', '.join(names)}) = row({', '.join(f'n.{name}' for name in names)}) "
        f"from jsonb_populate_recordset(null::auditctl.{table}, %s) as n where r.{column} = n.{column}".encode(),
        [json.dumps(rows)],
    )


every_key = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)


@every_key
def test_a_key_that_a_file_states_otherwise_is_a_difference_of_each_table_until_the_file_is_applied(
    db: str, conn: psycopg.Connection, key: RuleKey
) -> None:
    rules = all_changed(key)
    for text in (file(*rules), file()):
        planned = plan(db, text)
        different = {change.target for change in planned.pending} | {pair.name for pair in planned.rule_differences}
        assert {name.replace("*", "a") for name in different} == tables(rules)
        assert not planned.is_done
        apply(db, text)
        assert plan(db, text).is_done
        assert plan(db).is_done
        assert document.load(text, "audit.toml").rules == rule_store.read(conn)


@pytest.mark.parametrize("key", (*TEXTS, *CAPTURED), ids=lambda key: key.name)
def test_a_key_of_stored_rules_that_was_changed_by_hand_is_a_difference_of_each_table_until_they_are_applied(
    db: str, conn: psycopg.Connection, key: RuleKey
) -> None:
    rules = all_changed(key)
    write(conn, "rule", key, rules)
    assert {change.target for change in plan(db).pending} == tables(rules)
    apply(db)
    assert plan(db).is_done
    assert set(rules) <= set(rule_store.read(conn))


@pytest.mark.parametrize("key", CAPTURED, ids=lambda key: key.name)
def test_what_the_guard_knows_of_a_rule_is_a_difference_if_it_was_changed_by_hand(
    db: str, conn: psycopg.Connection, key: RuleKey
) -> None:
    rules = all_changed(key)
    write(conn, "capture", key, rules)
    pending = plan(db).pending
    assert {change.target for change in pending} == tables(rules)
    assert all(f"The guard knows {key.name} = " in change.reason or key.needs for change in pending)
    apply(db)
    assert plan(db).is_done


def test_what_is_known_otherwise_than_a_rule_says_is_found_by_check_tables_and_doctor(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("update auditctl.capture set on_drop = 'record' where target = 'public.only_read'")
    reason = 'The guard knows on_drop = "record", the rule says "refuse".'
    assert auditctl("check", check=DriftError.exit_code).out == f"STORE   public.only_read  read  {reason}\n"
    assert "registration_stale" in auditctl("doctor", check=DriftError.exit_code).out
    assert (
        json.loads(auditctl("tables", "--only", "only_read", "--format", "json", check=0).out)[0]["state"] == "outdated"
    )
    assert "Applied 1 change." in auditctl("apply", "--yes", check=0).err
    auditctl("check", check=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("update auditctl.target set label = 'Thing' where target = 'public.plain'", 'The log labels it "Thing"'),
        (
            "update auditctl.target set key_columns = '{v}' where target = 'public.plain'",
            'The log knows its key as ["v"]',
        ),
        ("delete from auditctl.capture where target = 'public.only_read'", "The coverage guard does not watch it."),
        ("delete from auditctl.target where target = 'public.plain'", "The log knows its key as []"),
    ],
)
def test_what_the_log_knows_of_a_table_is_a_difference_if_it_was_changed_by_hand(
    conn: psycopg.Connection, auditctl: RunAuditctl, change: LiteralString, reason: str
) -> None:
    conn.execute(change)
    assert reason in auditctl("check", check=DriftError.exit_code).out
    auditctl("apply", "--yes", check=0)
    auditctl("check", check=0)


def test_a_rule_that_is_not_stored_or_stored_without_need_is_a_difference(auditctl: RunAuditctl) -> None:
    new = file(Rule("later.*", DEFAULT))
    assert "STORE   rule later.*  is not stored yet\n" in auditctl("check", "-", input=new, check=3).out
    auditctl("apply", "-", input=new, check=0)
    auditctl("check", "-", input=new, check=0)
    assert "STORE   rule later.*  is stored, and no rule says so\n" in auditctl("check", "-", input=file(), check=3).out
    assert "Applied 1 change." in auditctl("apply", "-", input=file(), check=0).err


def test_globs_in_another_order_are_a_difference(auditctl: RunAuditctl) -> None:
    both = [Rule("later.*", DEFAULT), Rule("*.later", (Action.CREATE,))]
    auditctl("apply", "-", input=file(*both), check=0)
    auditctl("check", "-", input=file(*both), check=0)
    other = file(*reversed(both))
    assert (
        auditctl("check", "-", input=other, check=3).out
        == "STORE   rules  their order is another one than the stored one\n"
    )
    auditctl("apply", "-", input=other, check=0)
    auditctl("check", "-", input=other, check=0)


def test_a_label_beside_another_key_is_printed_as_what_it_was_and_will_be(auditctl: RunAuditctl) -> None:
    labelled = file(replace(RULES["read alone"], label="Thing"))
    assert auditctl("plan", "-", input=labelled, check=0).out == (
        'STORE   public.only_read  read  The log labels it none, the rule says "Thing".\n'
    )

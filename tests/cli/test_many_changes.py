"""Plans of many tables are summed up, and check reports everything that it can see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditctl.capture import plan_summary
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

TABLES = [f"{schema}.t{number}" for schema in ("a", "b") for number in range(12)]


def make_tables(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create schema a; create schema b")
        for table in TABLES:
            conn.execute(f"create table {table} (id integer, v text)".encode())


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with prepared(server, template, make_tables) as name:
        yield name


def file(*rules: tuple[str, ...]) -> str:
    return "".join(f'[[table]]\nname = "{name}"\nactions = {json.dumps(actions)}\n' for name, *actions in rules)


ALL = file(("a.t0", "create"), ("a.*", "create", "update"), ("b.*", "create"))


def test_a_plan_of_many_tables_is_summed_up_by_rule_kind_and_reason(db: str, auditctl: RunAuditctl) -> None:
    why = "There is no trigger yet."
    summary = [
        f"CREATE  1 change of 1 table, such as a.t0  create  {why}  by rules of their own",
        f"CREATE  22 changes of 11 tables, such as a.t1  create, update  {why}  by rule a.*",
        f"CREATE  12 changes of 12 tables, such as b.t0  create  {why}  by rule b.*",
    ]
    done = auditctl("plan", "-", input=ALL, check=0)
    assert done.out.splitlines() == summary
    assert done.err.splitlines() == [
        "warning: 11 tables have no key, so that events have no target_id: a.t1, a.t10, a.t11 and 8 others. "
        "Name the columns of one in the file:",
        "    [[table]]",
        '    name = "a.t1"',
        '    actions = ["create", "update"]',
        '    key = ["COLUMN"]',
    ]
    assert auditctl("check", "-", input=ALL, check=3).out.splitlines() == summary
    whole = auditctl("plan", "-", "--verbose", input=ALL, check=0).out.splitlines()
    assert len(whole) == 35
    assert whole[0] == f"CREATE  a.t0  create  {why}  by its own rule, which comes before a.*"
    assert "create trigger" in auditctl("plan", "-", "--sql", input=ALL, check=0).out
    applied = auditctl("apply", "-", input=ALL, check=0).err.splitlines()
    assert applied[:3] == summary
    assert applied[-1] == "Applied 35 changes."


def test_enable_and_disable_of_many_tables_say_it_in_a_sentence(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    done = auditctl("enable", "[ab].*", check=0).err.splitlines()
    assert done[0] == "24 tables, such as a.t0: now captures create, update, delete, truncate."
    assert done[1].startswith("warning: 24 tables have no key, ")
    assert len(done) == 5
    gone = auditctl("disable", "*.*", check=0).err.splitlines()
    assert gone == ["24 tables, such as a.t0: no longer captures create, update, delete, truncate."]
    assert triggers(conn) == []


def test_a_summary_counts_tables_only_where_changes_are_of_tables(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    findings = "".join(
        f'[[doctor.accept]]\ncheck = "table_keyless"\nobject = "a.t{number}"\nreason = "r"\n' for number in range(21)
    )
    text = f'table = []\n[admin]\ntables = ["a.*"]\n[[event]]\nname = "auth.login"\n{findings}'
    assert auditctl("plan", "-", input=text, check=0).out.splitlines() == [
        "CREATE  1 change, such as auth.login  event  The file states it.",
        "CREATE  1 change, such as [admin]  Administrators may change a.*.",
        "CREATE  21 changes, such as finding table_keyless a.t0  The file accepts it: r",
    ]
    auditctl("enable", "a.*", check=0)
    conn.execute("alter event trigger auditctl_guard_drop disable; drop table a.t1, a.t2, a.t3, a.t4, a.t5, a.t6")
    shown = auditctl("plan", check=0).out.splitlines()
    assert shown[0] == (
        "DROP    24 changes, such as auditctl_triggers.a__t1__create  create, update, delete, truncate  "
        "No rule needs the function."
    )


def test_of_many_texts_the_first_are_shown_with_the_number_of_the_others() -> None:
    texts = [str(number) for number in range(25)]
    assert plan_summary.limited(texts, "line") == [*texts[:20], "... and 5 more lines; plan --verbose shows all"]
    assert plan_summary.limited(texts, "line", is_whole=True) == texts
    assert plan_summary.limited(texts[:20], "line") == texts[:20]


def test_check_reports_differences_beside_rules_that_do_not_fit(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "a.t1", "a.t2", "a.t3", actions=())
    before = triggers(conn)
    text = (
        file(("a.t0", "create"), ("a.t1", "create", "update", "delete", "truncate"), ("a.none", "create"))
        + '[[table]]\nname = "a.t2"\nmask = ["nope"]\n[[table]]\nname = "b.*"\nlabel = "All"\nactions = ["delete"]\n'
    )
    done = auditctl("check", "-", input=text, check=4)
    assert [line.split("  ")[:3] for line in done.out.splitlines()] == [
        ["DROP", "", "a.t3"],
        ["DROP", "", "a.t3"],
        ["DROP", "", "a.t3"],
        ["DROP", "", "a.t3"],
        ["CREATE", "a.t0", "create"],
        *(["DROP", "", f"auditctl_triggers.a__t3__{verb}"] for verb in ("create", "update", "delete", "truncate")),
    ]
    assert [line for line in done.err.splitlines() if "key" not in line and line[:4].strip()] == [
        "9 differences between the rules and the database, apart from rules that do not fit",
        "error: stdin: table[2].name: there is no table a.none",
        "error: stdin: table[4].label: a label belongs to one table, and b.* is a glob",
        "error: stdin: table[3].mask[0]: a.t2 has no column nope",
        "hint: List the tables with: auditctl tables --all",
    ]
    assert triggers(conn) == before
    auditctl("apply", "-", input=text, check=4)
    assert triggers(conn) == before


def test_check_of_stored_rules_reports_differences_beside_a_rule_that_does_not_fit(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "a.t1", "a.t2", mask=("v",))
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute("alter table a.t1 drop column v; alter table a.t2 disable trigger auditctl_update")
    done = auditctl("check", check=4)
    assert done.out == "ENABLE  a.t2  update  The trigger is disabled.\n"
    assert "error: rule a.t1: mask: a.t1 has no column v\n" in done.err
    conn.execute("alter table a.t1 add column v text")
    auditctl("check", check=3)


def test_check_leaves_out_event_types_and_times_with_mistakes(auditctl: RunAuditctl) -> None:
    for mistake in (
        '[[event]]\nname = "a.*"\nlabel = "All"',
        '[[event]]\nname = "auth.login"\nenabled = "no"',
        '[retention]\nkeep = "soon"',
        '[retention]\nkeep = "7 days"\n[[retention.target]]\nname = "auth.login"\nkeep = 7',
    ):
        assert auditctl("check", "-", input=f"table = []\n{mistake}\n", check=4).out == ""

"""Plans: what each change is called and why, from rules and the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from auditctl.actions import DEFAULT
from auditctl.capture import rule_store
from auditctl.capture.config import document
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect, fresh_database
from tests.support.capturing import apply, audit, events, lines, pending, plan, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

CREATE, UPDATE, DELETE, TRUNCATE = DEFAULT

HOSTILE = [
    ("public", 'quo"te'),
    ("public", "dot.ted"),
    ("public", "per%cent %s {} {x} %(y)s"),
    ("public", "$$ $auditctl $1"),
    ("public", "back\\slash 'single'"),
    ("public", "ünïcödé 表 😀"),
    ("public", "Upper Case"),
    ("public", "upper case"),
    ("public", "glob*?[a]"),
    ("public", "globa"),
    ("public", "_leading"),
    ("public", "trailing_"),
    ("public", " blanks "),
    ("public", "tab\tline\nend\x7f\x01"),
    ("public", "x" * 63),
    ("public", "x" * 62 + "y"),
    ("public", "é" * 31),
    ("public", "é" * 30 + "e"),
    ("public", "select"),
    ("a__b", "c"),
    ("a", "b__c"),
    ("a_", "_b"),
    ("a", "__b"),
    ("Sch.ema", "T"),
]

HOSTILE_ROW = sql.SQL("insert into {} values (1, 'one'); update {} set {} = 'two'; delete from {}; truncate {}")


def written(schema: str, table: str) -> str:
    """A table's name as a rule may state it whatever it is called."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))


def file(*names: str) -> str:
    return document.dump(Rule(name, DEFAULT) for name in names)


@pytest.fixture(scope="module")
def hostile_db(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with audited tables whose names break careless tools, each with a column of the same name."""
    with fresh_database(server, "hostile", template.template_dbname) as dsn:
        with connect(dsn) as conn:
            for schema, table in HOSTILE:
                conn.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
                create = sql.SQL("create table {} (id int primary key, {} text)")
                conn.execute(create.format(sql.Identifier(schema, table), sql.Identifier(table)))
        apply(dsn, file(*(written(*name) for name in HOSTILE)))
        yield dsn


@pytest.mark.usefixtures("unguarded")
def test_each_kind_of_change_is_named_with_its_reason(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    audit(db, "public.a")
    conn.execute("alter table a disable trigger auditctl_create; alter table a add column n int")
    wanted = (
        '[[table]]\nname = "public.a"\nactions = ["create", "update"]\n[[table]]\nname = "b"\nactions = ["delete"]\n'
    )
    outdated = "The function does not match the rule and the table's columns."
    steps = [
        "DROP public.a delete: No rule asks for it.",
        "DROP public.a truncate: No rule asks for it.",
        f"REPLACE public.a create: {outdated}",
        f"REPLACE public.a update: {outdated}",
        "CREATE public.b delete: There is no trigger yet.",
        "DROP auditctl_triggers.public__a__delete delete: No rule needs the function.",
        "DROP auditctl_triggers.public__a__truncate truncate: No rule needs the function.",
    ]
    assert pending(db, wanted) == steps
    assert lines(apply(db, wanted)) == steps
    assert triggers(conn) == [
        ("public.a", "auditctl_create", "A"),
        ("public.a", "auditctl_update", "A"),
        ("public.b", "auditctl_delete", "A"),
    ]
    conn.execute("alter table b enable replica trigger auditctl_delete")
    assert [f"{c.kind} {c.relation} {c.action.lower()}: {c.reason}" for c in plan(db).changes] == [
        "KEEP public.a create: The trigger is as the rule says.",
        "KEEP public.a update: The trigger is as the rule says.",
        "ENABLE public.b delete: The trigger is silent outside replica mode.",
    ]


def test_planning_changes_nothing_and_gives_the_same_bytes_twice(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    audit(db, "public.a")
    before = conn.execute("select count(*), max(event_id) from auditctl.event").fetchone()
    text = file("public.b", "public.a")
    first, second = (
        auditctl("plan", "-", "--sql", input=text, env={"PYTHONHASHSEED": seed}, check=0) for seed in ("1", "2")
    )
    assert first == second
    assert "create trigger" in first.out
    assert plan(db, text) == plan(db, text)
    assert conn.execute("select count(*), max(event_id) from auditctl.event").fetchone() == before
    assert [table for table, _, _ in triggers(conn)] == ["public.a"] * 4


def test_the_statements_of_a_plan_do_what_apply_does(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table a (id int primary key, v text)")
    text = file("public.a")
    script = auditctl("plan", "-", "--sql", input=text, check=0).out
    conn.execute(script.encode())
    assert pending(db, text) == ["STORE public.a create: The coverage guard does not watch it."]
    conn.execute("insert into a values (1, 'x')")
    assert conn.execute("select action::text from auditctl.event where target = 'public.a'").fetchall() == [("CREATE",)]


def test_rules_that_are_printed_and_applied_again_plan_nothing(hostile_db: str, auditctl: RunAuditctl) -> None:
    assert pending(hostile_db) == []
    printed = auditctl("config", dsn=hostile_db, check=0)
    again = auditctl("apply", "-", dsn=hostile_db, input=printed.out, check=0)
    assert (again.out, again.err) == ("", "Nothing to do: the database matches the rules.\n")
    with connect(hostile_db) as conn:
        stored = rule_store.read(conn)
    assert len(stored) == len(HOSTILE)
    assert document.load(printed.out, "audit.toml") == document.Document(stored)
    assert auditctl("config", dsn=hostile_db, check=0) == printed


def test_tables_with_hostile_names_are_captured_each_under_its_own(hostile_db: str) -> None:
    with connect(hostile_db) as conn:
        for name in HOSTILE:
            table = sql.Identifier(*name)
            change = HOSTILE_ROW.format(table, table, sql.Identifier(name[1]), table, table)
            conn.execute(change)
            target = conn.execute("select target from auditctl.event order by event_id desc limit 1").fetchone()
            assert target is not None
            assert conn.execute(
                "select action::text, target_id, old_values, new_values from auditctl.event where target = %s "
                "order by event_id",
                target,
            ).fetchall() == [
                ("CREATE", "1", None, {"id": 1, name[1]: "one"}),
                ("UPDATE", "1", {name[1]: "one"}, {name[1]: "two"}),
                ("DELETE", "1", {"id": 1, name[1]: "two"}, None),
                ("TRUNCATE", None, None, None),
            ]


def test_functions_of_different_tables_never_share_a_name(conn: psycopg.Connection) -> None:
    names = [
        row[0]
        for table in [*HOSTILE, ("billing", "invoice")]
        for row in conn.execute("select auditctl_internal.function_name(%s, %s, 'CREATE')", table)
    ]
    assert len(set(names)) == len(HOSTILE) + 1
    assert max(len(name.encode()) for name in names) <= 63
    assert names[-1] == "billing__invoice__create"


def test_a_column_whose_name_ends_a_quoted_function_body_is_captured(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute('create table a (id int primary key, "x$auditctl$y" text, "$auditctl10$" text)')
    auditctl("enable", "a", check=0)
    conn.execute("insert into a values (1, 'x', 'y')")
    assert events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "x$auditctl$y": "x", "$auditctl10$": "y"})
    ]
    assert pending(db) == []


def test_a_script_grants_usage_of_the_functions_schema_once_and_takes_it_back(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    text = '[[table]]\nname = "public.a"\n[[table]]\nname = "public.b"\n'
    reader = login("reader", roles=["auditctl_reader"]).dsn
    lines = auditctl("plan", "-", "--sql", dsn=reader, input=text, check=0).out.splitlines()
    grant, revoke = (
        f"{words} session_user;"
        for words in ('grant usage on schema "auditctl_triggers" to', 'revoke usage on schema "auditctl_triggers" from')
    )
    made = [number for number, line in enumerate(lines) if line.startswith("create trigger ")]
    assert (len(made), lines.count(grant), lines.count(revoke)) == (8, 1, 1)
    assert lines.index(grant) < made[0] < made[-1] < lines.index(revoke)

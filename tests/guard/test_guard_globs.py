"""The database matches globs as the tool does, whatever they consist of."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditctl import table_names
from auditctl.errors import UsageError
from auditctl.names import IDENTIFIER_BYTES
from auditctl.table_names import Pattern, quoted
from tests.support.capturing import audit, events, pending

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

CHARACTERS = "ab é表😀\n*?[]!-^\\$%_'\"."
NAMES = st.text(CHARACTERS, min_size=1, max_size=5).filter(lambda name: len(name.encode()) <= IDENTIFIER_BYTES)
PARTS = st.text("ab é表*?[]!-^\\$%_'", min_size=1, max_size=8) | NAMES.map(quoted)

MATCHING = "select r.name from auditctl_internal.matching_globs(%s, %s) as r"


def parsed(text: str) -> Pattern | None:
    try:
        return table_names.parse(text)
    except UsageError:
        return None


@given(st.lists(st.tuples(PARTS, PARTS), min_size=20, max_size=30), st.lists(st.tuples(NAMES, NAMES), min_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_the_database_matches_the_globs_that_the_tool_matches(
    conn: psycopg.Connection, rules: list[tuple[str, str]], tables: list[tuple[str, str]]
) -> None:
    patterns = {str(pattern): pattern for rule in rules if (pattern := parsed(".".join(rule))) and pattern.is_glob}
    with conn.transaction(force_rollback=True):
        conn.cursor().executemany(
            "insert into auditctl.rule (name, position, actions) values (%s, %s, '{CREATE}')",
            [(name, position) for position, name in enumerate(patterns)],
        )
        # A text between the rules' own makes some of them match.
        for schema, table in [*tables, *((rule[0].strip('"'), rule[1].strip('"')) for rule in rules)]:
            expected = [name for name, pattern in patterns.items() if pattern.matches(schema, table)]
            assert [name for (name,) in conn.execute(MATCHING, [schema, table])] == expected, (schema, table)


@pytest.mark.parametrize(
    ("glob", "table"),
    [
        ("s.[ab]", "b"),
        ("s.tenant_[0-9][0-9]", "tenant_07"),
        ("s.[!a]*", "bcd"),
        ('"s".x[]]?', "x]y"),
        ('"s".*', "any"),
    ],
)
def test_a_table_under_a_glob_with_sets_or_quotes_needs_no_rule_of_its_own_after_ddl(
    conn: psycopg.Connection, db: str, glob: str, table: str
) -> None:
    conn.execute("create schema s")
    conn.execute(f'create table s."{table}" (id integer primary key)'.encode())
    audit(db, glob)
    conn.execute(f'alter table s."{table}" add column v text'.encode())
    assert conn.execute("select name from auditctl.rule").fetchall() == [(str(table_names.parse(glob)),)]
    assert pending(db) == []


DROPS: list[tuple[LiteralString, list[str]]] = [
    ("drop table tenant_002.a", ["disable", "tenant_002.a"]),
    ("drop table tenant_002.b, tenant_002.a", ["disable", "tenant_002.a", "disable", "tenant_002.b"]),
    ("drop schema tenant_002 cascade", ["disable", "tenant_002.*"]),
    ('drop schema "Te.n\'ant" cascade', ["disable", '"Te.n\'ant".*']),
    (
        'drop schema "Te.n\'ant", tenant_002 cascade; drop schema if exists nothing',
        ["disable", '"Te.n\'ant".*', "disable", "tenant_002.*"],
    ),
    ("drop type kind cascade; drop table tenant_002.a", ["disable", "tenant_002.a"]),
]


@pytest.mark.parametrize(("drop", "words"), DROPS, ids=[drop for drop, _ in DROPS])
def test_the_hint_of_a_refused_drop_ends_the_auditing_of_all_that_it_drops(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, drop: LiteralString, words: list[str]
) -> None:
    conn.execute("""
        create type kind as enum ('x');
        create schema tenant_001; create schema tenant_002; create schema "Te.n'ant";
        create table tenant_001.a (id integer primary key);
        create table tenant_002.a (id integer primary key);
        create table tenant_002.b (id integer primary key);
        create table "Te.n'ant".a (id integer primary key)
    """)
    audit(db, "*.a", "tenant_*.b", "tenant_002.a")
    with pytest.raises(psycopg.errors.DatabaseError) as refused:
        conn.execute(drop)
    hint = refused.value.diag.message_hint or ""
    commands = shlex.split(hint.partition("first run: ")[2].replace(";", " "))
    assert [word for word in commands if word != "auditctl"] == words
    for name in words[1::2]:
        auditctl("disable", name, check=0)
    conn.execute(drop)
    assert pending(db) == []
    conn.execute("insert into tenant_001.a values (1)")
    assert len(events(conn, "tenant_001.a")) == 1

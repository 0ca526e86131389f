"""What a superuser, or a member of auditctl_owner, writes into the store to hide what it did to capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from auditctl.errors import DriftError
from tests.support.capturing import audit, events

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

REPLACED: LiteralString = """
    create or replace function auditctl_triggers.public__a__create() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as 'begin return null; end'
"""

FORGED: LiteralString = """
    update auditctl.function_digest as d
    set digest = auditctl_internal.function_digest(i.inputs, 'CREATE', p.prosrc, p.proconfig)
    from auditctl.capture as k, auditctl_internal.function_inputs(array[k]) as i, pg_proc as p
    where k.target = 'public.a' and d.function = 'public__a__create' and p.proname = d.function
"""


@pytest.fixture
def table(db: str, conn: psycopg.Connection) -> str:
    conn.execute("create table a (id int primary key)")
    audit(db, "a")
    return "public.a"


def test_a_function_that_was_replaced_together_with_its_digest_is_found_by_doctor_and_repaired_as_it_says(
    conn: psycopg.Connection, table: str, auditctl: RunAuditctl
) -> None:
    conn.execute(REPLACED)
    conn.execute(FORGED)
    assert "auditctl apply --yes --thorough" in auditctl("doctor", check=DriftError.exit_code).out
    assert "Applied 1 change." in auditctl("apply", "--yes", "--thorough", check=0).err
    conn.execute("insert into a values (1)")
    assert [event[:3] for event in events(conn, table)] == [(table, "CREATE", "1")]
    assert "--thorough" not in auditctl("doctor").out


def test_a_function_that_was_replaced_without_its_digest_is_repaired_by_any_apply(
    conn: psycopg.Connection, table: str, auditctl: RunAuditctl
) -> None:
    conn.execute(REPLACED)
    auditctl("check", check=DriftError.exit_code)
    assert "Applied 1 change." in auditctl("apply", "--yes", check=0).err
    conn.execute("insert into a values (1)")
    assert [event[:3] for event in events(conn, table)] == [(table, "CREATE", "1")]


@pytest.mark.parametrize("command", [["apply", "-"], ["apply", "-", "--only", "a"]])
def test_a_thorough_apply_of_a_file_or_of_some_tables_repairs_a_forged_digest(
    conn: psycopg.Connection, table: str, auditctl: RunAuditctl, command: list[str]
) -> None:
    conn.execute(REPLACED)
    conn.execute(FORGED)
    auditctl(*command, "--thorough", input='[[table]]\nname = "public.a"\n', check=0)
    conn.execute("insert into a values (1)")
    assert [event[:3] for event in events(conn, table)] == [(table, "CREATE", "1")]


@pytest.mark.parametrize("forged", ["update auditctl.capture set on_drop = 'record'", None])
def test_what_the_guard_knows_of_a_rule_is_compared_with_it(
    conn: psycopg.Connection, table: str, auditctl: RunAuditctl, forged: LiteralString | None
) -> None:
    rules = '[[table]]\nname = "public.a"\n'
    if forged is not None:
        conn.execute(forged)
    else:
        auditctl("enable", "a", "--on-drop", "record", check=0)
    assert 'The guard knows on_drop = "record", the rule says "refuse".' in (
        auditctl("check", "-", input=rules, check=DriftError.exit_code).out
    )
    auditctl("apply", "-", input=rules, check=0)
    auditctl("check", "-", input=rules, check=0)
    assert conn.execute("select on_drop from auditctl.capture").fetchall() == [("refuse",)]


def test_a_glob_that_is_changed_for_one_table_alone_leaves_the_others_to_be_changed(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create schema m; create table m.a (id int primary key); create table m.b (id int primary key)")
    auditctl("enable", "m.*", "--on-drop", "record", check=0)
    auditctl("apply", "-", "--only", "m.a", input='[[table]]\nname = "m.*"\n', check=0)
    assert "m.b" in auditctl("check", check=DriftError.exit_code).out
    auditctl("apply", "--yes", check=0)
    auditctl("check", check=0)

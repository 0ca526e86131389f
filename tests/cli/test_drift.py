"""Drift: everything that may happen to capture behind the tool's back is found, and repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.capture import apply as capture_apply
from auditctl.names import ROLE_OWNER
from tests.fixtures.databases import GUARD_OFF, connect, fresh_database
from tests.support.capturing import apply, audit, events, lines, pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.usefixtures("unguarded")
"""What happens to capture where nobody may create event triggers; with the guard, see test_guard_*."""

OWNERS = """
    select distinct pg_get_userbyid(proowner)::text from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace
"""

OUTDATED = "The function does not match the rule and the table's columns."
TAMPERED = "The function's owner, privileges or security were changed."
REDEFINED = "The trigger's definition was changed."
ALL = ("create", "update", "delete", "truncate")
ROWS = ("create", "update", "delete")

UPDATE = "auditctl_triggers.public__a__update"
EMPTY = f"create or replace function {UPDATE}() returns trigger language plpgsql "
BODY = "as $$ begin return null; end $$"


def replaced(trigger: LiteralString) -> LiteralString:
    """Replace the trigger for updates by another of its name, made as whoever may call the function."""
    return f"""
        grant execute on function {UPDATE}() to public;
        drop trigger auditctl_update on a;
        create {trigger};
        alter table a enable always trigger auditctl_update;
        revoke execute on function {UPDATE}() from public
    """


DRIFTS: list[tuple[LiteralString, LiteralString, list[str]]] = [
    (
        "trigger disabled",
        "alter table a disable trigger auditctl_update",
        ["ENABLE public.a update: The trigger is disabled."],
    ),
    (
        "all triggers disabled",
        "alter table a disable trigger all",
        [f"ENABLE public.a {action}: The trigger is disabled." for action in ALL],
    ),
    (
        "trigger enabled as usual triggers are",
        "alter table a enable trigger auditctl_update",
        ["ENABLE public.a update: The trigger is silent in replica mode."],
    ),
    (
        "trigger enabled for replicas only",
        "alter table a enable replica trigger auditctl_update",
        ["ENABLE public.a update: The trigger is silent outside replica mode."],
    ),
    (
        "trigger dropped",
        "drop trigger auditctl_update on a",
        ["CREATE public.a update: There is no trigger yet."],
    ),
    (
        "trigger renamed",
        "alter trigger auditctl_update on a rename to other",
        ["DROP public.a event: No rule asks for it.", "CREATE public.a update: There is no trigger yet."],
    ),
    (
        "function dropped with its trigger",
        f"drop function {UPDATE}() cascade",
        ["CREATE public.a update: There is no trigger yet."],
    ),
    (
        "trigger with a condition",
        replaced(f"trigger auditctl_update after update on a for each row when (false) execute function {UPDATE}()"),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger of some columns",
        replaced(f"trigger auditctl_update after update of id on a for each row execute function {UPDATE}()"),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger before instead of after",
        replaced(f"trigger auditctl_update before update on a for each row execute function {UPDATE}()"),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger for each statement",
        replaced(f"trigger auditctl_update after update on a for each statement execute function {UPDATE}()"),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger deferred to the commit",
        replaced(
            "constraint trigger auditctl_update after update on a deferrable initially deferred "
            f"for each row execute function {UPDATE}()"
        ),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger with an argument",
        replaced(f"trigger auditctl_update after update on a for each row execute function {UPDATE}('x')"),
        [f"REPLACE public.a update: {REDEFINED}"],
    ),
    (
        "trigger that calls another table's function",
        "grant execute on function auditctl_triggers.public__b__update() to public; "
        "drop trigger auditctl_update on a; "
        "create trigger auditctl_update after update on a "
        "for each row execute function auditctl_triggers.public__b__update(); "
        "alter table a enable always trigger auditctl_update; "
        "revoke execute on function auditctl_triggers.public__b__update() from public",
        ["REPLACE public.a update: The trigger calls auditctl_triggers.public__b__update."],
    ),
    (
        "function replaced by hand",
        f"{EMPTY} security definer set search_path = pg_catalog, pg_temp {BODY}",
        [f"REPLACE public.a update: {OUTDATED}"],
    ),
    (
        "function that runs as its caller",
        f"alter function {UPDATE}() security invoker",
        [f"REPLACE public.a update: {TAMPERED}"],
    ),
    (
        "function that may write nothing",
        f"alter function {UPDATE}() stable",
        [f"REPLACE public.a update: {OUTDATED}"],
    ),
    (
        "function with another search path",
        f"alter function {UPDATE}() set search_path = public",
        [f"REPLACE public.a update: {OUTDATED}"],
    ),
    (
        "function with one more setting",
        f"alter function {UPDATE}() set work_mem = '1MB'",
        [f"REPLACE public.a update: {OUTDATED}"],
    ),
    (
        "function that anybody may call",
        f"grant execute on function {UPDATE}() to public",
        [f"REPLACE public.a update: {TAMPERED}"],
    ),
    (
        "function that a role may call",
        f"grant execute on function {UPDATE}() to auditctl_reader",
        [f"REPLACE public.a update: {TAMPERED}"],
    ),
    (
        "function of another owner",
        f"alter function {UPDATE}() owner to current_user",
        [f"REPLACE public.a update: {TAMPERED}"],
    ),
    (
        "function without its comment",
        f"comment on function {UPDATE}() is null",
        ["REPLACE public.a update: The function's comment was changed."],
    ),
    (
        "column added",
        "alter table a add column n int default 7",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "column dropped",
        "alter table a drop column v",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "column renamed",
        "alter table a rename column v to w",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "column retyped",
        "alter table a alter column v type varchar(9)",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "column retyped to a type that a setting changes",
        "alter table a alter column v type timestamptz using now()",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "primary key dropped",
        "alter table a drop constraint a_pkey",
        [f"REPLACE public.a {action}: {OUTDATED}" for action in ROWS],
    ),
    (
        "a stray function among the generated",
        f"create function auditctl_triggers.stray() returns trigger language plpgsql {BODY}",
        ["DROP auditctl_triggers.stray event: No rule needs the function."],
    ),
]


@pytest.fixture(scope="module")
def two_tables(server: EmbeddedServer, template: NoopExecutor) -> Iterator[psycopg.Connection]:
    """A session in a database with two audited tables, which each test leaves as it was."""
    with fresh_database(server, "drift", template.template_dbname) as dsn:
        with connect(dsn) as conn:
            conn.execute("create table a (id int primary key, v text); create table b (id int primary key, v text)")
            conn.execute(GUARD_OFF)
        audit(dsn, "public.a", "public.b")
        with connect(dsn) as conn:
            yield conn


@pytest.mark.parametrize(("statement", "found"), [drift[1:] for drift in DRIFTS], ids=[drift[0] for drift in DRIFTS])
def test_drift_is_found_and_repaired(
    two_tables: psycopg.Connection, statement: LiteralString, found: list[str]
) -> None:
    with two_tables.transaction(force_rollback=True):
        two_tables.execute(statement)
        assert lines(capture_apply.plan(two_tables)) == found
        assert lines(capture_apply.apply(two_tables)) == found
        assert lines(capture_apply.plan(two_tables)) == []
        assert two_tables.execute(OWNERS).fetchall() == [(ROLE_OWNER,)]
        two_tables.execute("insert into a (id) values (1); update a set id = 2; delete from a; truncate a")
        captured = [action for _, action, *_ in events(two_tables, "public.a")]
        assert captured == ["CREATE", "UPDATE", "DELETE", "TRUNCATE"]


def test_check_exits_with_3_and_says_how_to_mend(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "public.a")
    fine = auditctl("check", check=0)
    assert (fine.out, fine.err) == ("", "")
    conn.execute("alter table a disable trigger auditctl_update; drop trigger auditctl_delete on a")
    found = auditctl("check", check=3)
    assert found.out == (
        "ENABLE  public.a  update  The trigger is disabled.\nCREATE  public.a  delete  There is no trigger yet.\n"
    )
    assert found.err == ("error: 2 differences between the rules and the database\nhint: Fix with: auditctl apply\n")
    auditctl("apply", check=0)
    auditctl("check", check=0)


def test_check_of_a_file_names_the_file_in_its_hint(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table a (id int primary key)")
    found = auditctl("check", "-", input='[[table]]\nname = "a"\nactions = ["create"]\n', check=3)
    assert found.out == "CREATE  public.a  create  There is no trigger yet.\n"
    assert found.err == "error: 1 difference between the rules and the database\nhint: Fix with: auditctl apply -\n"


def test_a_rule_changed_by_hand_is_drift(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "public.a")
    conn.execute("update auditctl.rule set mask = '{v}', actions = '{UPDATE}'")
    assert pending(db) == [
        "DROP public.a create: No rule asks for it.",
        "DROP public.a delete: No rule asks for it.",
        "DROP public.a truncate: No rule asks for it.",
        f"REPLACE public.a update: {OUTDATED}",
        "DROP auditctl_triggers.public__a__create create: No rule needs the function.",
        "DROP auditctl_triggers.public__a__delete delete: No rule needs the function.",
        "DROP auditctl_triggers.public__a__truncate truncate: No rule needs the function.",
    ]


def test_a_routine_with_arguments_among_the_generated_functions_is_drift_that_apply_repairs(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("create table a (id int primary key)")
    audit(db, "public.a")
    conn.execute("create procedure auditctl_triggers.stray(a text) language sql as 'select 1'")
    assert lines(apply(db)) == ["DROP auditctl_triggers.stray(text) event: No rule needs the function."]
    assert pending(db) == []

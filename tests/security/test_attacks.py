"""What a hostile login tries: none of it forges an event, an actor or an address, or runs with the owner's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.databases import Login, MakeLogin

EVIL = """
    create function own.evil({0}) returns {1} language plpgsql as $$
    begin
        insert into own.trace values (current_user);
        insert into auditctl.event (actor, actor_kind, target, action) values ('forged', 'application', 'x', 'EVENT');
        return null;
    end $$
"""


@pytest.fixture
def owner(db: str, login: MakeLogin) -> Login:
    """The owner of a schema, a table in it, and everything a table's owner can make."""
    mallory = login("mallory", dsn=db)
    with connect(db) as conn:
        conn.execute(f"create schema own authorization {mallory.name}")
    with connect(mallory.dsn) as conn:
        conn.execute("create table own.trace (as_role text)")
        conn.execute("grant usage on schema own to public; grant all on own.trace to public")
    return mallory


def enable(db: str, name: str) -> None:
    with database.connect(db) as conn:
        apply.enable(conn, Rule(name, DEFAULT))


def forged(db: str) -> int:
    with connect(db) as conn:
        row = conn.execute("select count(*) from auditctl.event where actor = 'forged' or target = 'x'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("create type own.bad as enum ('v')", "'v'"),
        ("create type own.bad as (a integer)", "row(1)::own.bad"),
        ("create type own.bad as range (subtype = integer)", "'[1,2)'"),
    ],
    ids=["enum", "composite", "range"],
)
@pytest.mark.parametrize("to", ["json", "text", "integer", "jsonb"])
def test_a_cast_on_a_column_type_is_not_run_by_capture(db: str, owner: Login, kind: str, value: str, to: str) -> None:
    with connect(owner.dsn) as conn:
        conn.execute(kind)
        conn.execute(EVIL.format("own.bad", to))
        conn.execute(f"create cast (own.bad as {to}) with function own.evil(own.bad) as implicit")
        conn.execute("create table own.t (id integer primary key, v own.bad, w own.bad[])")
    enable(db, "own.t")
    with connect(owner.dsn) as conn:
        conn.execute(f"insert into own.t values (1, {value}, array[{value}]::own.bad[])")
        conn.execute("update own.t set v = null")
        conn.execute("delete from own.t")
        assert conn.execute("select * from own.trace").fetchall() == []
    assert forged(db) == 0


def test_a_cast_on_the_row_type_is_not_run_by_capture(db: str, owner: Login) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create table own.t (id integer primary key, v text)")
        conn.execute(EVIL.format("own.t", "json"))
        conn.execute("create cast (own.t as json) with function own.evil(own.t)")
    enable(db, "own.t")
    with connect(owner.dsn) as conn:
        conn.execute("insert into own.t values (1, 'a')")
        conn.execute("alter table own.t add column late integer")
        conn.execute("update own.t set v = 'b'")
        conn.execute("delete from own.t")
        assert conn.execute("select * from own.trace").fetchall() == []
    assert forged(db) == 0


@pytest.mark.parametrize("to", ["json", "text", "integer"])
def test_a_column_retyped_after_enabling_does_not_run_its_casts(db: str, owner: Login, to: str) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create table own.t (id integer primary key, v integer, k text)")
        conn.execute("create type own.bad as enum ('1')")
    enable(db, "own.t")
    with connect(owner.dsn) as conn:
        conn.execute("insert into own.t values (1, 1, '1')")
        conn.execute("alter table own.t alter column v type own.bad using v::text::own.bad")
        conn.execute(EVIL.format("own.bad", to))
        conn.execute(f"create cast (own.bad as {to}) with function own.evil(own.bad) as implicit")
        conn.execute("insert into own.t values (2, '1', '1')")
        conn.execute("update own.t set v = null")
        conn.execute("delete from own.t")
        conn.execute("alter table own.t drop column id, drop column v")
        conn.execute("alter table own.t add column id own.bad primary key default '1'")
        conn.execute("insert into own.t (k) values ('x')")
        assert conn.execute("select * from own.trace").fetchall() == []
    assert forged(db) == 0


def test_operators_and_functions_in_the_callers_search_path_are_not_used(db: str, owner: Login) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create table own.t (id integer primary key, v text)")
    enable(db, "own.t")
    with connect(owner.dsn) as conn:
        conn.execute(
            "create function own.to_jsonb(anyelement) returns jsonb language sql as $$ select '\"forged\"'::jsonb $$"
        )
        conn.execute("create function own.format(text, integer) returns text language sql as $$ select 'forged' $$")
        conn.execute(
            "create function own.current_setting(text, boolean) returns text language sql as $$ select 'forged' $$"
        )
        conn.execute("create temp table event (like pg_class)")
        conn.execute("set search_path = own, pg_temp, pg_catalog, auditctl")
        conn.execute("insert into own.t values (1, 'a')")
    with connect(db) as conn:
        assert conn.execute(
            "select actor, target_id, new_values from auditctl.event where target = 'own.t'"
        ).fetchall() == [(owner.name, "1", {"v": "a", "id": 1})]


def test_a_capture_function_cannot_be_attached_to_a_table_of_ones_own(db: str, owner: Login) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create table own.t (id integer primary key, v text)")
    enable(db, "own.t")
    with connect(owner.dsn) as conn:
        conn.execute("create temp table mine (id integer, v text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(
                "create trigger forge after insert on mine "
                "for each row execute function auditctl_triggers.own__t__create()"
            )


@pytest.mark.parametrize(
    "call",
    [
        "select auditctl_internal.insert_event('x', '1', 'EVENT', null, null, null)",
        "select auditctl.record_event('x')",
        "select auditctl.record_export('{}')",
        "select auditctl.record_membership('auditctl_app', 'postgres')",
        "select auditctl_internal.identify()",
        "select auditctl_internal.create_partition('2030-01-01')",
        "select auditctl_internal.careful_change('INSERT', 1, 1, 1::oid, '{}', '{}', '{}', '{}')",
    ],
)
def test_no_function_of_the_store_is_open_to_everybody(owner: Login, call: str) -> None:
    with connect(owner.dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(call)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("'auditctl.rule'", "insufficient_privilege"),
        ("'AUDITCTL.rule'", "insufficient_privilege"),
        ("'auditctl'", "insufficient_privilege"),
        ("''", "invalid_parameter_value"),
        ("null", "invalid_parameter_value"),
        ("repeat('x', 501)", "invalid_parameter_value"),
        ("'own.t', '1', 's', null, 'CREATE'", "invalid_parameter_value"),
        ("'own.t', '1', 's', null, 'DELETE'", "invalid_parameter_value"),
        ("'own.t', '1', 's', null, null", "invalid_parameter_value"),
    ],
)
def test_an_application_cannot_record_row_changes_or_events_of_auditctl_itself(
    db: str, login: MakeLogin, arguments: str, error: str
) -> None:
    app = login("web", roles=["auditctl_app"], dsn=db)
    with connect(app.dsn) as conn, pytest.raises(psycopg.Error) as refused:
        conn.execute(f"select auditctl.record_event({arguments})")
    assert type(refused.value) is psycopg.errors.lookup(
        {"insufficient_privilege": "42501", "invalid_parameter_value": "22023"}[error]
    )


def test_an_application_records_a_business_event_under_its_users_name(db: str, login: MakeLogin) -> None:
    app = login("web", roles=["auditctl_app"], dsn=db)
    with connect(app.dsn) as conn, conn.transaction():
        conn.execute("select auditctl.set_context('alice', '203.0.113.7')")
        row = conn.execute(
            "select auditctl.record_event('billing.report', '7', 'report sent', '{\"pages\": 3}')"
        ).fetchone()
    with connect(db) as conn:
        assert conn.execute(
            "select actor, actor_kind, host(ip), db_user, target, target_id, action::text, "
            "old_values, new_values, context "
            "from auditctl.event where event_id = %s",
            row,
        ).fetchone() == (
            "alice", "application", "203.0.113.7", app.name, "billing.report", "7", "EVENT", None, {"pages": 3},
            {"summary": "report sent"},
        )  # fmt: skip


def test_a_recorded_membership_is_what_is_true_not_what_is_said(db: str, login: MakeLogin) -> None:
    admin, victim = login("admin", roles=["auditctl_admin"], dsn=db), login("victim", dsn=db)
    with connect(admin.dsn) as conn:
        conn.execute("select auditctl.record_membership('auditctl_app', %s)", [victim.name])
    with connect(db) as conn:
        assert conn.execute(
            "select actor, new_values ->> 'member' from auditctl.event where target = 'auditctl.role'"
        ).fetchall() == [(admin.name, "false")]

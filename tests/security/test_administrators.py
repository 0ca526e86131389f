"""What a hostile administrator tries with the functions that change capture: names, words and rules stay data.

An administrator may audit tables, and so read in the log what changes in them from then on. It must not read what was
there before, run code, act as another, or change what the functions are not for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.fixtures.databases import Login, connect, fetch_value
from tests.security.administrators import (
    REFUSED,
    admin,
    capture,
    change,
    evils,
    nothing_happened,
    oid,
    owner,
    rule,
    triggers,
)

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

__all__ = ["admin", "nothing_happened", "owner"]


@pytest.mark.usefixtures("nothing_happened")
def test_what_is_no_table_of_an_application_is_not_captured(db: str, owner: Login, admin: psycopg.Connection) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create view own.v as select 1 as one; create materialized view own.m as select 1 as one")
        conn.execute("create sequence own.s; create type own.c as (a integer); create index i on own.cart (item)")
    admin.execute("create temp table t (id integer primary key)")
    names = (
        "pg_class pg_authid pg_trigger information_schema.sql_features auditctl.event auditctl.rule auditctl.capture "
        "auditctl.administration auditctl_guard.pass own.v own.m own.s own.c own.i own.cart_pkey"
    ).split()
    temporary = admin.execute("select 't'::regclass::oid::bigint").fetchone()
    assert temporary is not None
    for relation in (*(oid(db, name) for name in names), temporary[0], 0, 1, 4294967295):
        with pytest.raises(REFUSED):
            change(admin, [capture(relation)])
        with pytest.raises(REFUSED):
            change(admin, stopped=[relation])
        with pytest.raises(REFUSED):
            admin.execute("select auditctl.lock_table(%s::oid, 'access exclusive')", [relation])


@pytest.mark.usefixtures("nothing_happened")
def test_a_table_is_named_by_its_number_and_by_nothing_else(admin: psycopg.Connection) -> None:
    for relation in (
        "own.cart", "own.cart'; drop table own.cart; --", None, -1, 1.5, 2**40, True, [1], {"oid": 1}, "1259"
    ):  # fmt: skip
        with pytest.raises((*REFUSED, errors.NumericValueOutOfRange)):
            change(admin, [capture(relation)])


@pytest.mark.usefixtures("nothing_happened")
def test_lists_with_what_is_no_name_are_refused(db: str, admin: psycopg.Connection) -> None:
    cart = oid(db, "own.cart")
    for key in ("exclude", "mask", "key", "actions"):
        values: tuple[object, ...] = (
            [None],
            ["id", None],
            [["id"]],
            [1],
            [{}],
            [""],
            "id; drop table x",
            1,
            {"a": 1},
            None,
        )
        for value in values:
            with pytest.raises(REFUSED):
                change(admin, [capture(cart, **{key: value})])
            if value is None and key in ("exclude", "mask"):
                continue  # a rule need not state them
            with pytest.raises(REFUSED):
                change(admin, rules=[rule("own.cart") | {key: value}])


@pytest.mark.usefixtures("nothing_happened")
def test_only_actions_that_are_captured_are_captured(db: str, admin: psycopg.Connection) -> None:
    cart = oid(db, "own.cart")
    for actions in ([], ["EVENT"], ["CREATE", "EVENT"], ["create"], ["SELECT"], ["CREATE after insert on x"]):
        with pytest.raises(REFUSED):
            change(admin, [capture(cart, actions=actions)])


@pytest.mark.usefixtures("nothing_happened")
def test_keys_that_a_rule_does_not_have_are_refused_and_name_nobody_else(db: str, admin: psycopg.Connection) -> None:
    for key, value in (("set_by", "somebody"), ("set_at", "2000-01-01"), ("target", "own.other"), ("sql", "select 1")):
        with pytest.raises(REFUSED):
            change(admin, rules=[rule("own.cart") | {key: value}])
    for missing in ("on_drop", "position", "name"):
        with pytest.raises(REFUSED):
            change(admin, rules=[{key: value for key, value in rule("own.cart").items() if key != missing}])
    with pytest.raises(REFUSED):
        change(admin, [{"relation": oid(db, "own.cart")}])


@pytest.mark.usefixtures("nothing_happened")
def test_rules_about_what_is_not_audited_are_refused(admin: psycopg.Connection) -> None:
    for name in ("pg_catalog.pg_class", "auditctl.event", "auditctl_guard.*", "cart", "", "a.b.c", "x" * 900, "own."):
        with pytest.raises((*REFUSED, errors.CheckViolation)):
            change(admin, rules=[rule(name)])
    with pytest.raises(REFUSED):
        change(admin, rules=[rule("own.cart"), rule("own.cart", 1)])


def test_the_capture_of_one_table_cannot_take_the_name_of_another(db: str, admin: psycopg.Connection) -> None:
    change(admin, [capture(oid(db, "own.cart")) | {"target": "own.other", "members": [oid(db, "own.other")]}])
    assert fetch_value(db, "select array_agg(target || members::text) from auditctl.capture") == ["own.cart{}"]
    assert fetch_value(db, "select array_agg(distinct target) from auditctl.target") == ["own.cart"]


def test_labels_and_names_of_columns_are_data(db: str, owner: Login, admin: psycopg.Connection) -> None:
    hostile = "x'); insert into own.trace values (current_user); --$auditctl$ {} %s \\ \""
    table = "t\"'; drop table own.cart; --"
    with connect(owner.dsn) as conn:
        name = psycopg.sql.Identifier("own", table)
        column = psycopg.sql.Identifier(hostile[:60])
        conn.execute(psycopg.sql.SQL("create table {} (id integer primary key, {} text)").format(name, column))
        conn.execute(psycopg.sql.SQL("grant select on {} to public").format(name))
    relation = oid(db, 'own."' + table.replace('"', '""') + '"')
    stored = 'own."' + table.replace('"', '""') + '"'
    keys = {"mask": [hostile[:60], hostile], "exclude": ["$auditctl$; drop table own.cart"], "key": [hostile]}
    change(admin, [capture(relation, **keys)], rules=[rule(stored) | {"label": hostile} | keys])
    with connect(owner.dsn) as conn:
        conn.execute(psycopg.sql.SQL("insert into {} values (1, 'seen')").format(name))
        conn.execute(psycopg.sql.SQL("update {} set id = 2").format(name))
        assert conn.execute("select count(*) from own.cart").fetchone() == (1,)
        assert conn.execute("select * from own.trace").fetchall() == []
    assert fetch_value(db, "select count(*) from auditctl.event where action in ('CREATE', 'UPDATE')") >= 2
    assert "seen" not in fetch_value(db, "select string_agg(e::text, ' ') from auditctl.event as e")
    assert fetch_value(db, "select label from auditctl.rule") == hostile


@pytest.mark.usefixtures("nothing_happened")
def test_readers_and_applications_change_no_capture(db: str, owner: Login, login: MakeLogin) -> None:
    for role in ("auditctl_reader", "auditctl_app", "auditctl_backup"):
        with connect(login("other", roles=[role]).dsn) as conn:
            for call in ("change_capture('[]')", "prepare_capture('[]')", "lock_rules()", "lock_table(1259, 'share')"):
                with pytest.raises(errors.InsufficientPrivilege):
                    conn.execute(f"select auditctl.{call}".encode())


@pytest.mark.usefixtures("nothing_happened")
def test_an_administrator_gets_no_other_role_and_writes_to_no_table(admin: psycopg.Connection) -> None:
    for statement in (
        "set role auditctl_owner",
        "set session authorization postgres",
        "grant auditctl_owner to current_user",
        "insert into auditctl.rule (name, position, actions) values ('own.cart', 0, '{CREATE}')",
        "insert into auditctl.capture (relation, target) values ('pg_class', 'x')",
        "insert into auditctl.administration (patterns) values ('{*.*}')",
        "insert into auditctl.release (relation, xact) values ('pg_class', pg_current_xact_id())",
        "update auditctl.capture set being_changed_by = pg_current_xact_id()",
        "select auditctl_internal.insert_event('auditctl.capture', 'x', 'EVENT', null, null, 'forged')",
        "select auditctl_internal.record_changes('[]')",
        "select auditctl_internal.write_rules('[]')",
        "create function auditctl_triggers.f() returns trigger language plpgsql as 'begin return null; end'",
        "select from own.cart",
    ):
        with pytest.raises((errors.InsufficientPrivilege, errors.InvalidParameterValue)):
            admin.execute(statement.encode())


def test_a_member_that_acts_as_another_role_is_recorded_under_its_login(
    db: str, admin: psycopg.Connection, owner: Login
) -> None:
    admin.execute("set role auditctl_admin")
    admin.execute("select set_config('auditctl.actor', 'the boss', false), set_config('auditctl.ip', '1.2.3.4', false)")
    change(admin, [capture(oid(db, "own.cart"))], rules=[rule("own.cart")])
    query = """
        select array_agg(distinct concat_ws(' ', db_user, actor)) from auditctl.event
        where target in ('auditctl.rule', 'auditctl.capture')
    """
    assert fetch_value(db, query) == [f"{admin.info.user} {admin.info.user}"]
    assert fetch_value(db, "select set_by from auditctl.rule") == admin.info.user


@pytest.mark.usefixtures("nothing_happened")
def test_reads_are_not_for_administrators(db: str, owner: Login, admin: psycopg.Connection) -> None:
    cart = oid(db, "own.cart")
    for keys in ({"actions": ["READ"]}, {"read_force": True}, {"read_query": True}):
        with pytest.raises(errors.InsufficientPrivilege, match="recording of reads"):
            change(admin, [capture(cart, **keys)])
    assert fetch_value(db, "select relrowsecurity from pg_class where oid = 'own.cart'::regclass") is False


def test_a_partition_is_not_taken_from_the_table_that_it_is_audited_through(
    db: str, owner: Login, admin: psycopg.Connection
) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create table own.p (id integer primary key) partition by range (id)")
        conn.execute("create table own.p1 partition of own.p for values from (1) to (9)")
    change(admin, [capture(oid(db, "own.p"))])
    before = triggers(db)
    with pytest.raises(errors.InvalidParameterValue, match="is a partition of a table that is audited already"):
        change(admin, [capture(oid(db, "own.p1"), mask=["id"])])
    assert triggers(db) == before


def test_nothing_that_is_passed_runs_twice_or_is_left_halfway(db: str, admin: psycopg.Connection, owner: Login) -> None:
    with pytest.raises(REFUSED):
        change(admin, [capture(oid(db, "own.cart")), capture(oid(db, "auditctl.event"))], rules=[rule("own.cart")])
    assert triggers(db) == []
    assert fetch_value(db, "select count(*) from auditctl.rule") == 0
    admin.execute("begin")
    change(admin, [capture(oid(db, "own.cart"))])
    admin.execute("rollback")
    assert triggers(db) == []
    assert evils(db) == []


@pytest.mark.usefixtures("nothing_happened")
def test_event_types_that_are_no_types_are_refused(admin: psycopg.Connection) -> None:
    for types in ([{"name": None}], [{"name": "a", "label": "x", "enabled": None}], [1], {"name": "a"}, "x"):
        with pytest.raises((*REFUSED, errors.CheckViolation, psycopg.Error)):
            admin.execute("select auditctl.change_capture('[]', '{}', null, '{}', %s)", [Jsonb(types)])

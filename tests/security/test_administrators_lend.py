"""What has the installer's rights for administrators' changes: not for them, nor for anything but capture triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from tests.fixtures.databases import Login, connect, fetch_value
from tests.security.administrators import REFUSED, admin, capture, change, nothing_happened, oid, owner, triggers

if TYPE_CHECKING:
    pass

__all__ = ["admin", "nothing_happened", "owner"]


@pytest.mark.usefixtures("nothing_happened")
def test_functions_to_drop_are_capture_functions_that_nothing_calls(db: str, admin: psycopg.Connection) -> None:
    before = fetch_value(db, "select count(*) from pg_proc")
    change(admin, unused=["record_event", "auditctl.rule", "x() cascade; drop table own.cart; --", "", None])
    assert fetch_value(db, "select count(*) from pg_proc") == before
    assert oid(db, "own.cart")


def test_a_function_that_a_trigger_calls_is_not_dropped(db: str, admin: psycopg.Connection) -> None:
    change(admin, [capture(oid(db, "own.cart"))])
    before = triggers(db)
    change(admin, unused=["own__cart__create", "own__cart__update"])
    assert triggers(db) == before
    assert fetch_value(db, "select count(*) from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace") == 4


@pytest.mark.usefixtures("nothing_happened")
def test_what_lends_the_installers_rights_is_not_for_administrators(db: str, admin: psycopg.Connection) -> None:
    cart = oid(db, "own.cart")
    for call in (
        "auditctl_guard.lend('put', %s, 'CREATE', 'x')",
        "auditctl_guard.lend('count', %s, null, null)",
        "auditctl_internal.borrow('lock', %s, 'share')",
        "auditctl_internal.begin_change(array[%s]::oid[]::regclass[])",
        "auditctl_internal.require_reachable(%s)",
        "auditctl_internal.register_read(%s, %s, 'x', false, false)",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            admin.execute(f"select {call}".encode(), [cart] * call.count("%s"))


def test_what_lends_the_installers_rights_takes_no_sql(db: str, conn: psycopg.Connection, owner: Login) -> None:
    cart = oid(db, "own.cart")
    conn.execute("set role auditctl_owner")
    for task, detail, function in (
        ("lock", "share mode; drop table own.cart; --", None),
        ("lock", None, None),
        ("put", "create on own.other", "x"),
        ("put", "CREATE", "x(); drop table own.cart; --"),
        ("put", "CREATE", None),
        ("drop", "CREATE", None),
        ("enable", "CREATE on x", None),
        ("run", "CREATE", None),
        (None, "CREATE", None),
    ):
        with pytest.raises(REFUSED):
            conn.execute("select auditctl_guard.lend(%s, %s::oid, %s, %s)", [task, cart, detail, function])
    assert triggers(db) == []


def test_what_lends_the_installers_rights_attaches_only_capture_functions(
    db: str, conn: psycopg.Connection, owner: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("create function own.auditctl() returns trigger language plpgsql as 'begin return null; end'")
    conn.execute(
        "create function auditctl_triggers.foreign() returns trigger language plpgsql as 'begin return null; end'"
    )
    cart = oid(db, "own.cart")
    conn.execute("set role auditctl_owner")
    for function in ("foreign", "auditctl", "own.auditctl", "record_rule"):
        with pytest.raises(errors.UndefinedFunction):
            conn.execute("select auditctl_guard.lend('put', %s::oid, 'CREATE', %s)", [cart, function])
    assert triggers(db) == []


def test_a_trigger_of_the_owners_own_is_not_taken_away(db: str, owner: Login, admin: psycopg.Connection) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("create function own.f() returns trigger language plpgsql as 'begin return null; end'")
        conn.execute("create trigger auditctl_create after insert on own.cart for each row execute function own.f()")
    with pytest.raises(errors.InsufficientPrivilege, match="calls a function that is not auditctl's"):
        change(admin, [capture(oid(db, "own.cart"))])
    change(admin, stopped=[oid(db, "own.cart")])
    assert triggers(db) == ["own.cart auditctl_create"]

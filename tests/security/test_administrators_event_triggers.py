"""Event triggers fire while an administrator changes capture: nobody's code gets the rights that this has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from tests.fixtures.databases import Login, fetch_value
from tests.security.administrators import CART, admin, capture, change, evils, oid, owner, triggers

if TYPE_CHECKING:
    pass

__all__ = ["admin", "owner"]


def event_trigger(conn: psycopg.Connection, function_owner: str, attributes: str = "") -> None:
    """Create an event trigger whose function belongs to somebody, and says whose rights it has."""
    conn.execute(
        f"""
        create function own.on_ddl() returns event_trigger language plpgsql {attributes} as
            'begin insert into own.trace values (current_user); end';
        alter function own.on_ddl() owner to {function_owner};
        create event trigger foreign_trigger on ddl_command_end execute function own.on_ddl();
        """.encode()
    )


def test_the_function_of_another_logins_event_trigger_gets_no_rights(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    event_trigger(conn, owner.name)
    for event in ("ddl_command_end", "ddl_command_start", "sql_drop"):
        conn.execute("drop event trigger foreign_trigger")
        conn.execute(f"create event trigger foreign_trigger on {event} execute function own.on_ddl()".encode())
        conn.execute("truncate own.trace")
        with pytest.raises(
            errors.InsufficientPrivilege, match="event trigger foreign_trigger would run with the rights"
        ):
            change(admin, [capture(oid(db, "own.cart"))])
        assert "postgres" not in fetch_value(db, "select coalesce(array_agg(as_role), '{}') from own.trace")
    assert triggers(db) == []


def test_an_event_trigger_with_the_rights_of_its_owner_is_accepted(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    event_trigger(conn, owner.name, "security definer set search_path = pg_catalog, pg_temp")
    change(admin, [capture(oid(db, "own.cart"))])
    assert triggers(db) == CART
    assert evils(db) == []


def test_a_superusers_event_trigger_does_not_find_the_sessions_temporary_objects(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    conn.execute("create table public.journal (note text); grant insert on public.journal to public")
    conn.execute(
        "create function public.note() returns event_trigger language plpgsql as "
        "$$begin insert into journal values (tg_tag); exception when undefined_table then null; end$$"
    )
    conn.execute("create event trigger note on ddl_command_end execute function public.note()")
    admin.execute("create temp table journal (note text)")
    admin.execute(
        "create function pg_temp.f() returns trigger language plpgsql as "
        "$$begin insert into own.trace values (current_user); return new; end$$"
    )
    admin.execute("create trigger f before insert on journal for each row execute function pg_temp.f()")
    admin.execute("grant all on journal to public")
    with pytest.raises(errors.InsufficientPrivilege, match="event trigger note would run with the rights"):
        change(admin, [capture(oid(db, "own.cart"))])
    assert evils(db) == []
    admin.execute("drop table journal; drop function pg_temp.f()")
    change(admin, [capture(oid(db, "own.cart"))])
    assert triggers(db) == CART

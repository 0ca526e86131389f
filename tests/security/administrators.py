"""What the attacks of administrators share: a shop's tables, and calls of the functions that `apply` uses for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from auditctl.actions import DEFAULT
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import Login, connect, fetch_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from tests.fixtures.databases import MakeLogin

TRACE = """
    create schema own authorization {0};
    grant usage on schema own to public;
    set role {0};
    create table own.trace (as_role text);
    grant all on own.trace to public;
    create function own.evil() returns text language plpgsql immutable as $$
    begin
        insert into own.trace values (current_user);
        return current_user;
    exception when others then
        raise notice 'evil ran as %', current_user;
        return current_user;
    end $$;
    create table own.cart (id integer primary key, item text, card text);
    insert into own.cart values (1, 'tea', 'secret');
    create table own.other (id integer primary key);
    reset role;
"""

CART = [f"own.cart auditctl_{action}" for action in ("create", "delete", "truncate", "update")]
"""The capture triggers of own.cart, as `triggers` returns them."""

REFUSED = (
    errors.InsufficientPrivilege,
    errors.InvalidParameterValue,
    errors.UndefinedTable,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidTextRepresentation,
    errors.DataError,
    errors.NotNullViolation,
    errors.RaiseException,
)
"""What PostgreSQL or a function raises about what is not for administrators, or is no argument of it."""


def oid(db: str, name: str) -> int:
    """The object id of a relation."""
    with connect(db) as conn:
        row = conn.execute("select %s::regclass::oid::bigint", [name]).fetchone()
    assert row is not None
    return int(row[0])


def capture(relation: object, **keys: object) -> dict[str, object]:
    """What change_capture takes for one table."""
    return {"relation": relation, **Rule("x", DEFAULT).captured(), **keys}


def rule(name: str, number: int = 0, **keys: object) -> dict[str, object]:
    """A row of auditctl.rule, as change_capture takes it."""
    return {**Rule(name, DEFAULT).row(), "position": number, **keys}


def change(
    conn: psycopg.Connection[Any],
    captures: Sequence[object] = (),
    *,
    stopped: Sequence[int | None] = (),
    rules: Sequence[object] | None = None,
    unused: Sequence[str | None] = (),
) -> None:
    """Call auditctl.change_capture, in a transaction of its own."""
    given = [Jsonb(list(captures)), list(stopped), None if rules is None else Jsonb(list(rules)), list(unused)]
    conn.execute("select auditctl.change_capture(%s, %s::oid[], %s::jsonb, %s::text[])", given)


def triggers(db: str) -> list[str]:
    """The capture triggers outside of the store, as table and name."""
    query = """
        select coalesce(array_agg(tgrelid::regclass || ' ' || tgname order by 1), '{}') from pg_trigger
        where tgname like 'auditctl%' and not tgisinternal
    """
    found: list[str] = fetch_value(db, query)
    return sorted(found)


def evils(db: str) -> list[str]:
    """The roles whose rights hostile code had, but for its owner's and its caller's."""
    found: list[str] = fetch_value(
        db,
        """
        select coalesce(array_agg(distinct t.as_role), '{}')
        from own.trace as t join pg_roles as r on r.rolname = t.as_role
        where r.rolsuper or r.rolname = 'auditctl_owner'
        """,
    )
    return found


@pytest.fixture
def owner(db: str, login: MakeLogin) -> Login:
    """The owner of the tables, and of hostile code."""
    mallory = login("mallory")
    with connect(db) as conn:
        conn.execute(TRACE.format(mallory.name).encode())
    return mallory


@pytest.fixture
def admin(owner: Login, login: MakeLogin) -> Iterator[psycopg.Connection]:
    """A session of an administrator without any other right."""
    with connect(login("administrator", roles=["auditctl_admin"]).dsn) as conn:
        yield conn


@pytest.fixture
def nothing_happened(db: str) -> Iterator[None]:
    """The test ends without triggers, rules, captures and functions, and no hostile code has gained rights."""
    yield
    assert triggers(db) == []
    state = """
        select array[(select count(*) from auditctl.rule), (select count(*) from auditctl.capture),
            (select count(*) from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace)]
    """
    assert fetch_value(db, state) == [0, 0, 0]
    assert evils(db) == []

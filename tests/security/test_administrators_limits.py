"""What an administrator tries who is limited to some tables by the section [admin] of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.fixtures.databases import Login, connect, fetch_value
from tests.security.administrators import TRACE, admin, capture, change, oid, rule, triggers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.databases import MakeLogin

__all__ = ["admin"]

RULES = [rule("*.*", 0), rule("own.c*", 1), rule("own.other", 2), rule("x.*", 3)]


@pytest.fixture
def owner(db: str, login: MakeLogin) -> Login:
    """The owner of the tables."""
    mallory = login("mallory")
    with connect(db) as conn:
        conn.execute(TRACE.format(mallory.name).encode())
        change(conn, rules=RULES)
        conn.execute("""insert into auditctl.administration (patterns) values (array['own.c*', 'own."My *"'])""")
    return mallory


def test_tables_outside_of_the_limit_are_neither_captured_nor_stopped_nor_locked(
    db: str, conn: psycopg.Connection, admin: psycopg.Connection
) -> None:
    other = oid(db, "own.other")
    change(conn, [capture(other)])
    before = triggers(db)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: change(admin, [capture(other)]),
        lambda: change(admin, stopped=[other]),
        lambda: change(admin, [capture(oid(db, "own.cart")), capture(other, actions=["CREATE"])]),
        lambda: admin.execute("select auditctl.lock_table(%s::oid, 'share')", [other]),
        lambda: admin.execute("select auditctl.prepare_capture(%s)", [Jsonb([capture(other)])]),
        lambda: admin.execute("select auditctl.release('own.other', 'x')"),
    )
    for attempt in attempts:
        with pytest.raises(errors.InsufficientPrivilege):
            attempt()
    assert triggers(db) == before
    change(admin, [capture(oid(db, "own.cart"))])
    assert len(triggers(db)) == len(before) + 4


def test_rules_outside_of_the_limit_stay_as_they_are(db: str, admin: psycopg.Connection) -> None:
    inside = rule("own.c*", 1)
    for rules in (
        [],
        [inside],
        [*RULES, rule("own.*", 9)],
        [*RULES, rule("own.?art", 9)],
        [*RULES, rule("own.[c]art", 9)],
        [*RULES, rule("*.cart", 9)],
        [*RULES, rule("o*.c*", 9)],
        [*RULES, rule("own.d*", 9)],
        [*RULES, rule('own."d*"', 9)],
        [*RULES, rule("own.other2", 9)],
        [rule("*.*", 0, mask=["card"]), *RULES[1:]],
        [rule("*.*", 9), *RULES[1:]],
        [rule("x.*", 0), rule("own.c*", 1), rule("own.other", 2), rule("*.*", 3)],
        [*RULES[:2], *RULES[3:]],
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            change(admin, rules=rules)
    assert fetch_value(db, "select array_agg(name order by position) from auditctl.rule") == [r["name"] for r in RULES]


def test_rules_within_the_limit_are_changed(db: str, admin: psycopg.Connection) -> None:
    change(
        admin,
        rules=[
            rule("own.cart", -2),
            rule("own.ca?t*", -1),
            rule("own.c[a-z]*", 0),
            rule('own."My *"', 1),
            rule("*.*", 2),
            rule("own.other", 3),
            rule("x.*", 4),
        ],
    )
    assert fetch_value(db, "select count(*) from auditctl.rule") == 7


def test_the_limit_is_not_changed_by_whom_it_limits_nor_by_the_owner_of_the_log(
    db: str, admin: psycopg.Connection, login: MakeLogin
) -> None:
    statements = (
        "insert into auditctl.administration (patterns) values ('{*.*}')",
        "update auditctl.administration set patterns = '{*.*}'",
        "delete from auditctl.administration",
        "truncate auditctl.administration",
    )
    with connect(login("member", roles=["auditctl_owner", "auditctl_admin"]).dsn) as member:
        member.execute("set role auditctl_owner")
        for statement in (
            *statements,
            "alter table auditctl.administration disable trigger all",
            "drop table auditctl.administration",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                admin.execute(statement.encode())
            with pytest.raises(psycopg.Error) as error:
                member.execute(statement.encode())
            assert error.value.sqlstate in ("UA003", "23505")
    assert fetch_value(db, "select patterns from auditctl.administration") == ["own.c*", 'own."My *"']


def test_types_of_business_events_are_outside_of_every_limit(db: str, admin: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        admin.execute("""select auditctl.change_capture('[]', '{}', null, '{}', '[{"name": "a", "enabled": false}]')""")
    assert fetch_value(db, "select count(*) from auditctl.event_type") == 0


def test_a_table_of_another_that_gets_a_child_in_the_limit_is_not_reached_through_it(
    db: str, conn: psycopg.Connection, owner: Login, admin: psycopg.Connection
) -> None:
    with connect(owner.dsn) as session:
        session.execute("create table own.child (extra text) inherits (own.other)")
        session.execute("create table own.root (id integer primary key) partition by range (id)")
        session.execute("create table own.c1 partition of own.root for values from (1) to (9)")
    change(conn, [capture(oid(db, "own.root"))])
    before = triggers(db)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: change(admin, stopped=[oid(db, "own.c1")]),
        lambda: change(admin, [capture(oid(db, "own.c1"))]),
        lambda: change(admin, [capture(oid(db, "own.other"))]),
        lambda: change(admin, stopped=[oid(db, "own.root")]),
    )
    for attempt in attempts:
        with pytest.raises((errors.InsufficientPrivilege, errors.InvalidParameterValue)):
            attempt()
    assert triggers(db) == before


def test_an_empty_limit_leaves_nothing(db: str, conn: psycopg.Connection, admin: psycopg.Connection) -> None:
    conn.execute("update auditctl.administration set patterns = '{}'")
    with pytest.raises(errors.InsufficientPrivilege):
        change(admin, [capture(oid(db, "own.cart"))])

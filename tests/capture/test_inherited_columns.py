"""A rule that does not state what it hides takes that from wider rules, in the tool and in the database alike."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply, precedence
from auditctl.capture.precedence import Globs
from auditctl.capture.rule_keys import Rule
from auditctl.capture.uncovered import UncoverError
from tests.fixtures.databases import connect
from tests.support.capturing import audit, events, pending

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

MASKED = {"$masked": True}
LISTS = st.none() | st.lists(st.sampled_from("abc"), unique=True, max_size=3).map(tuple)
RULES = st.lists(
    st.tuples(st.sampled_from(["s.t", "s.*", "*.t", "*.*", "s.[st]", "x.*"]), LISTS, LISTS),
    unique_by=lambda rule: rule[0],
)


@given(RULES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_the_database_lets_rules_inherit_as_the_tool_does(
    conn: psycopg.Connection, stated: list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]]
) -> None:
    rules = [Rule(name, (), exclude=exclude, mask=mask) for name, exclude, mask in stated]
    own = next((rule for rule in rules if rule.name == "s.t"), None)
    named = {("s", "t"): own} if own else {}
    covering = precedence.cover([("s.t", ("s", "t"))], named, Globs(rules)).get(("s", "t"))
    with conn.transaction(force_rollback=True):
        conn.cursor().executemany(
            "insert into auditctl.rule (name, position, actions, exclude, mask) values (%s, %s, '{}', %s, %s)",
            [
                (r.name, n, *(None if names is None else list(names) for names in (r.exclude, r.mask)))
                for n, r in enumerate(rules)
            ],
        )
        found = conn.execute("select name, exclude, mask from auditctl_internal.rule_in_force('s', 't')").fetchone()
    if covering is None:
        assert found == (None, None, None)
        return
    lists = (None if names is None else list(names) for names in (covering.rule.exclude, covering.rule.mask))
    assert found == (covering.rule.name, *lists)


@pytest.fixture
def wide(db: str) -> Iterator[psycopg.Connection]:
    """A session; the glob app.* masks card, and app.t has a rule of its own that states no mask."""
    with connect(db) as session:
        session.execute("create schema app; create table app.t (id int primary key, v text, card text)")
        session.execute("create table app.other (pin text)")
        audit(db, "app.*", mask=("card", "pin"))
        audit(db, "app.t", label="T")
        yield session


MOVES: list[tuple[LiteralString, str, str]] = [
    ("alter table app.t rename to u", "app.u", "card"),
    ("create schema other; alter table app.t set schema other", "other.t", "card"),
    ("alter schema app rename to moved", "moved.t", "card"),
    ("alter table app.t rename column card to iban", "app.t", "iban"),
    ("alter table app.t add column w int", "app.t", "card"),
    ("alter table app.t rename column v to w; alter table app.t add column pin text", "app.t", "pin"),
    ("alter table app.t drop column card; alter table app.t add column card text", "app.t", "card"),
]


@pytest.mark.parametrize(("ddl", "name", "column"), MOVES, ids=[ddl for ddl, *_ in MOVES])
def test_ddl_never_uncovers_what_a_table_inherits(
    wide: psycopg.Connection, db: str, ddl: LiteralString, name: str, column: str
) -> None:
    wide.execute(ddl)
    assert pending(db) == []
    wide.execute(f"insert into {name} (id, {column}) values (1, 'secret')".encode())
    assert events(wide, name)[-1][-1][column] == MASKED
    # Nor does a plan from the rules that the guard left.
    with database.connect(db) as session, suppress(UncoverError):
        apply.enable(session, Rule(name, DEFAULT))
    wide.execute(f"insert into {name} (id, {column}) values (2, 'secret')".encode())
    assert events(wide, name)[-1][-1][column] == MASKED


def test_a_glob_that_hides_more_hides_it_in_tables_that_inherit(wide: psycopg.Connection, db: str) -> None:
    audit(db, "app.*", mask=("card", "v"))
    wide.execute("insert into app.t values (1, 'secret', 'secret')")
    assert events(wide, "app.t")[-1][-1] == {"id": 1, "v": MASKED, "card": MASKED}
    assert pending(db) == []


def test_the_new_name_of_a_hidden_column_is_hidden_in_all_tables_that_inherit(
    wide: psycopg.Connection, db: str
) -> None:
    wide.execute("create table app.first (id int primary key, card text)")
    audit(db, "app.*", mask=("card",))
    wide.execute("alter table app.first rename column card to iban; alter table app.t add column iban text")
    wide.execute("insert into app.t (id, iban) values (1, 'secret')")
    assert events(wide, "app.t")[-1][-1]["iban"] == MASKED
    assert pending(db) == []


def test_attaching_a_table_that_hid_more_than_its_new_parent_is_said(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table p (id int, code text) partition by list (id);
        create table one (id int, code text)
    """)
    audit(db, "p")
    audit(db, "one", mask=("code",))
    with database.connect(db) as session:
        apply.disable(session, "one")
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    conn.execute("alter table p attach partition one for values in (1)")
    assert notices == [
        "columns of public.one that were hidden until now are recorded in the clear as those of public.p: code"
    ]

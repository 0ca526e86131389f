"""The coverage guard where globs, odd families and names of former tables meet."""

from __future__ import annotations

import psycopg
import pytest

from auditctl import database
from auditctl.capture import rule_store
from tests.support.capturing import apply, audit, events, pending

pytestmark = pytest.mark.slow

MASKED = {"$masked": True}

GLOB = """
[[table]]
name = "public.*"
exclude = ["updated_at"]
mask = ["secret"]
"""


@pytest.mark.parametrize(
    ("statement", "stated"),
    [
        ("alter table a rename to c; alter table c rename column secret to s2", ("public.c", None, ("s2",))),
        ("alter table a rename column secret to hidden", ("public.a", None, ("hidden",))),
    ],
    ids=["table", "column"],
)
def test_a_rule_made_out_of_a_glob_names_only_columns_that_the_table_has(
    db: str, conn: psycopg.Connection, statement: str, stated: tuple[str, None, tuple[str, ...]]
) -> None:
    conn.execute("create table a (id integer primary key, secret text)")
    conn.execute("create table b (id integer primary key, secret text, updated_at timestamptz)")
    apply(db, GLOB)
    conn.execute(statement.encode())
    with database.connect(db) as session:
        assert stated in [(rule.name, rule.exclude, rule.mask) for rule in rule_store.read(session)]
    assert pending(db) == []


def test_a_glob_hides_the_new_name_of_a_hidden_column_in_tables_that_are_made_later(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("create table a (id integer primary key, secret text, updated_at text)")
    conn.execute("create table b (id integer primary key, secret text, pan text)")
    conn.execute("create table c (id integer primary key, secret text)")
    apply(db, GLOB)
    conn.execute(
        "alter table a rename secret to pin; alter table a rename updated_at to at; alter table a rename pin to pan"
    )
    assert pending(db) == []
    conn.execute("create table d (id integer primary key, pin text, pan text, at text)")
    apply(db)
    conn.execute("insert into a values (1, 'x', 'x'); insert into b values (1, 'x', 'open')")
    conn.execute("alter table c add column pan text; insert into c values (1, 'x', 'x')")
    conn.execute("insert into d values (1, 'x', 'x', 'x')")
    masked = {"$masked": True}
    assert [event[4] for event in events(conn, "public.a", "public.b", "public.c", "public.d")] == [
        {"id": 1, "pan": masked},
        {"id": 1, "secret": masked, "pan": "open"},
        {"id": 1, "secret": masked, "pan": masked},
        {"id": 1, "pin": masked, "pan": masked},
    ]
    assert pending(db) == []


def test_the_first_column_of_a_table_without_any_is_captured_at_once(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a ()")
    audit(db, "a")
    conn.execute("alter table a add column v integer; insert into a values (1)")
    assert events(conn, "public.a") == [("public.a", "CREATE", None, None, {"v": 1})]
    assert pending(db) == []


def test_a_column_that_a_child_gets_from_another_parent_is_captured_at_once(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer); create table b (v text); create table child () inherits (a, b)")
    audit(db, "a")
    conn.execute("alter table b add column w integer; insert into child values (1, 'x', 2)")
    assert events(conn, "public.a") == [("public.a", "CREATE", None, None, {"id": 1, "v": "x", "w": 2})]
    assert pending(db) == []


def test_a_child_may_take_the_name_of_one_that_was_dropped(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer); create table b () inherits (a); create table c () inherits (a)")
    audit(db, "a")
    conn.execute("drop table b; alter table c rename to b; insert into b values (1)")
    assert events(conn, "public.a") == [("public.a", "CREATE", None, None, {"id": 1})]
    assert pending(db) == []


def test_a_new_child_does_not_take_the_function_of_a_table_renamed_behind_the_guard(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("create table a (id integer); create table b (id integer)")
    audit(db, "a", "b")
    conn.execute("alter event trigger auditctl_guard_ddl disable; alter table b rename to c")
    conn.execute("alter event trigger auditctl_guard_ddl enable always")
    with pytest.raises(psycopg.DatabaseError, match="belongs to another table") as caught:
        conn.execute("create table b () inherits (a)")
    assert caught.value.sqlstate == "UA003"
    conn.execute("insert into c values (1)")
    assert events(conn, "public.b") == [("public.b", "CREATE", None, None, {"id": 1})]


def test_ddl_on_a_table_whose_function_has_another_owner_goes_on_and_apply_takes_the_function_back(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a")
    conn.execute("alter function auditctl_triggers.public__a__create() owner to current_user")
    conn.execute("alter table a add column v integer; insert into a values (1, 2)")
    assert [event[4] for event in events(conn, "public.a")] == [{"id": 1, "v": 2}]
    assert pending(db) == ["REPLACE public.a create: The function's owner, privileges or security were changed."]
    audit(db, "a")
    assert pending(db) == []


def test_a_column_that_is_added_under_a_name_that_a_glob_hides_is_hidden(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table person (id int primary key, ssn text, note text)")
    audit(db, "public.*", mask=("ssn",))
    conn.execute("alter table person rename ssn to old_ssn")
    conn.execute("alter table person add ssn text")
    conn.execute("insert into person values (1, 'was', 'note', 'is')")
    assert [event[4] for event in events(conn, "public.person")] == [
        {"id": 1, "old_ssn": MASKED, "note": "note", "ssn": MASKED}
    ]
    assert pending(db) == []


def test_a_column_that_is_renamed_to_a_name_that_a_glob_hides_is_hidden(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table person (id int primary key, ssn text, note text)")
    audit(db, "public.*", mask=("ssn",))
    conn.execute("alter table person add new_ssn varchar(20)")
    conn.execute("alter table person rename ssn to old_ssn")
    conn.execute("alter table person rename new_ssn to ssn")
    conn.execute("insert into person values (1, 'was', 'note', 'is')")
    conn.execute("alter table person drop old_ssn")
    conn.execute("update person set ssn = 'changed'")
    assert [event[3:] for event in events(conn, "public.person")] == [
        (None, {"id": 1, "old_ssn": MASKED, "note": "note", "ssn": MASKED}),
        ({"ssn": MASKED}, {"ssn": MASKED}),
    ]
    assert pending(db) == []


@pytest.mark.parametrize("hidden", [{"mask": ("secret",), "exclude": ("junk",)}, {"mask": ("secret", "junk")}])
def test_a_table_that_leaves_its_glob_goes_on_as_its_own_rule_says(
    db: str, conn: psycopg.Connection, hidden: dict[str, tuple[str, ...]]
) -> None:
    conn.execute("create schema g; create schema h")
    audit(db, "g.*", **hidden)
    conn.execute("create table g.p (id int primary key, secret text, plain text)")
    conn.execute("alter table g.p rename secret to other; alter table g.p set schema h")
    assert pending(db) == []
    conn.execute("insert into h.p values (1, 'x', 'y')")
    assert events(conn, "h.p") == [("h.p", "CREATE", "1", None, {"id": 1, "other": {"$masked": True}, "plain": "y"})]

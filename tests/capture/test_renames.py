"""Tables that are renamed, moved, swapped, widened or left without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from auditctl import database
from auditctl.actions import Action
from auditctl.capture import apply as capture_apply
from auditctl.capture import rule_store, table_status
from auditctl.errors import ConfigurationError
from tests.support.capturing import apply, audit, events, lines, pending, rule

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.usefixtures("unguarded")
"""What happens to capture where nobody may create event triggers; with the guard, see test_guard_*."""

ACTIONS = ("create", "update", "delete", "truncate")
TARGETS = """
    select target, label, key_columns, (select max(old_target) from auditctl.rename where new_target = target)
    from auditctl.target order by registered_at, target
"""


def names(conn: psycopg.Connection) -> list[str]:
    return [stored.name for stored in rule_store.read(conn)]


def test_a_rule_follows_its_table_through_renames(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table a (id int primary key, v text); create schema archive")
    audit(db, "a", label="Thing")
    conn.execute("alter table a rename to b; insert into b values (1, 'x')")
    renamed = "The table was renamed since."
    unused = "No rule needs the function."
    assert pending(db) == [
        *(f"REPLACE public.b {action}: {renamed}" for action in ACTIONS),
        *(f"DROP auditctl_triggers.public__a__{action} {action}: {unused}" for action in ACTIONS),
    ]
    apply(db)
    conn.execute("update b set v = 'y'; alter table b set schema archive; update archive.b set v = 'z'")
    apply(db)
    conn.execute("delete from archive.b")
    assert pending(db) == []
    assert names(conn) == ["archive.b"]
    assert events(conn, "public.a", "public.b", "archive.b") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "v": "x"}),
        ("public.b", "UPDATE", "1", {"v": "x"}, {"v": "y"}),
        ("public.b", "UPDATE", "1", {"v": "y"}, {"v": "z"}),
        ("archive.b", "DELETE", "1", {"id": 1, "v": "z"}, None),
    ]
    assert conn.execute(TARGETS).fetchall() == [
        ("public.a", "Thing", ["id"], None),
        ("public.b", "Thing", ["id"], "public.a"),
        ("archive.b", "Thing", ["id"], "public.b"),
    ]
    assert auditctl("config", check=0).out.count('name = "archive.b"') == 1


def test_an_old_name_is_not_enabled_but_explained(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "a")
    conn.execute("alter table a rename to b")
    with database.connect(db) as session, pytest.raises(ConfigurationError) as error:
        capture_apply.enable(session, rule("public.a", mask=("v",)))
    assert error.value.problems == ("TABLE: there is no table public.a; it is now public.b",)
    with pytest.raises(ConfigurationError) as error:
        pending(db, '[[table]]\nname = "public.a"\n')
    assert error.value.problems == ("audit.toml: table[0].name: there is no table public.a; it is now public.b",)
    audit(db, "public.b", mask=("v",))
    assert names(conn) == ["public.b"]
    assert pending(db) == []


def test_two_tables_that_swap_names_are_recorded_under_the_names_they_have(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text); create table b (id int primary key, w text)")
    audit(db, "a", "b")
    conn.execute("alter table a rename to x; alter table b rename to a; alter table x rename to b")
    assert pending(db) == [
        f"REPLACE public.{table} {action}: The trigger calls auditctl_triggers.public__{other}__{action}."
        for table, other in ("ab", "ba")
        for action in ACTIONS
    ]
    apply(db)
    assert pending(db) == []
    conn.execute("insert into a values (1, 'was b'); insert into b values (1, 'was a')")
    assert events(conn, "public.a", "public.b") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "w": "was b"}),
        ("public.b", "CREATE", "1", None, {"id": 1, "v": "was a"}),
    ]
    assert conn.execute("select new_target, old_target from auditctl.rename order by new_target").fetchall() == [
        ("public.a", "public.b"),
        ("public.b", "public.a"),
    ]


def test_a_table_put_in_the_place_of_an_audited_one_is_audited_by_apply(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "a", actions=(Action.CREATE,))
    conn.execute("create table n (like a including all); alter table a rename to old; alter table n rename to a")
    assert pending(db) == [
        "DROP public.old create: No rule asks for it.",
        "CREATE public.a create: There is no trigger yet.",
    ]
    apply(db)
    conn.execute("insert into a values (1, 'new'); insert into old values (1, 'old')")
    assert events(conn, "public.a", "public.old") == [("public.a", "CREATE", "1", None, {"id": 1, "v": "new"})]


def test_a_name_in_capitals_is_not_taken_for_the_same_in_small_letters(db: str, conn: psycopg.Connection) -> None:
    conn.execute('create table "T" (id int primary key); create table t (id int primary key)')
    audit(db, '"T"', "t", actions=(Action.CREATE,))
    assert names(conn) == ["public.T", "public.t"]
    conn.execute('alter table "T" rename to "U"')
    apply(db)
    assert names(conn) == ["public.U", "public.t"]
    conn.execute('drop table "U"')
    with pytest.raises(ConfigurationError, match=r"there is no table public\.U"):
        pending(db)
    with database.connect(db) as session:
        assert [(row.table, row.state) for row in table_status.read(session)] == [
            ("public.U", "missing"),
            ("public.t", "ok"),
        ]


def test_a_table_of_300_columns_is_recorded_whole(db: str, conn: psycopg.Connection) -> None:
    columns = sql.SQL(", ").join(sql.SQL("{} int default {}").format(sql.Identifier(f"c{n}"), n) for n in range(299))
    conn.execute(sql.SQL("create table wide (id int primary key, {})").format(columns))
    audit(db, "wide")
    row: dict[str, Any] = {"id": 1} | {f"c{n}": n for n in range(299)}
    every = sql.SQL(", ").join(sql.SQL("{0} = {0} + 1").format(sql.Identifier(f"c{n}")) for n in range(299))
    conn.execute("insert into wide (id) values (1); update wide set c7 = null")
    conn.execute(sql.SQL("update wide set c7 = 7; update wide set {}").format(every))
    conn.execute("delete from wide")
    before = {name: value for name, value in row.items() if name != "id"}
    after = {name: value + 1 for name, value in before.items()}
    assert events(conn, "public.wide") == [
        ("public.wide", "CREATE", "1", None, row),
        ("public.wide", "UPDATE", "1", {"c7": 7}, {"c7": None}),
        ("public.wide", "UPDATE", "1", {"c7": None}, {"c7": 7}),
        ("public.wide", "UPDATE", "1", before, after),
        ("public.wide", "DELETE", "1", {"id": 1, **after}, None),
    ]


def test_keys_are_one_value_several_declared_or_none(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table pair (b text, a int, v text, primary key (a, b));
        create table declared (a int, b text, v text);
        create table keyless (v text)
    """)
    audit(db, "pair", "keyless")
    audit(db, "declared", key=("b", "a"))
    for table in ("pair", "declared"):
        insert = sql.SQL("insert into {} (a, b, v) values (1, 'x,\"', 'v'); update {} set a = 2; delete from {}")
        conn.execute(insert.format(*[sql.Identifier(table)] * 3))
    conn.execute("insert into keyless values ('v'), ('v'); update keyless set v = 'w' where ctid = '(0,1)'")
    assert events(conn, "public.pair") == [
        ("public.pair", "CREATE", '[1, "x,\\""]', None, {"a": 1, "b": 'x,"', "v": "v"}),
        ("public.pair", "UPDATE", '[2, "x,\\""]', {"a": 1}, {"a": 2}),
        ("public.pair", "DELETE", '[2, "x,\\""]', {"a": 2, "b": 'x,"', "v": "v"}, None),
    ]
    assert events(conn, "public.declared") == [
        ("public.declared", "CREATE", '["x,\\"", 1]', None, {"a": 1, "b": 'x,"', "v": "v"}),
        ("public.declared", "UPDATE", '["x,\\"", 2]', {"a": 1}, {"a": 2}),
        ("public.declared", "DELETE", '["x,\\"", 2]', {"a": 2, "b": 'x,"', "v": "v"}, None),
    ]
    assert events(conn, "public.keyless") == [
        ("public.keyless", "CREATE", None, None, {"v": "v"}),
        ("public.keyless", "CREATE", None, None, {"v": "v"}),
        ("public.keyless", "UPDATE", None, {"v": "v"}, {"v": "w"}),
    ]
    moved = conn.execute("""
        select target, context ->> 'previous_target_id' from auditctl.event
         where action = 'UPDATE' and target like 'public.%' order by event_id
    """).fetchall()
    assert moved == [("public.pair", '[1, "x,\\""]'), ("public.declared", '["x,\\"", 1]'), ("public.keyless", None)]
    conn.execute("alter table declared add primary key (a)")
    with pytest.raises(ConfigurationError, match=r"public\.declared has a primary key \(a\)"):
        lines(apply(db))


def test_history_stays_one_when_a_table_gets_its_old_name_back(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "a")
    conn.execute("insert into a values (1, 'first')")
    for old, new in (("a", "b"), ("b", "a"), ("a", "c")):
        conn.execute(f"alter table {old} rename to {new}")
        apply(db)
        conn.execute(f"update {new} set v = v || '{new}'")
    conn.execute("create table a (id int primary key, v text)")
    audit(db, "a")
    conn.execute("insert into a values (1, 'another table')")
    for name in ("c", "b"):
        life = conn.execute(
            "select e.target, e.new_values ->> 'v' from auditctl.history(%s, '1') join auditctl.event as e using "
            "(event_id) "
            "order by e.event_id",
            [f"public.{name}"],
        ).fetchall()
        assert life == [
            ("public.a", "first"),
            ("public.b", "firstb"),
            ("public.a", "firstba"),
            ("public.c", "firstbac"),
        ]

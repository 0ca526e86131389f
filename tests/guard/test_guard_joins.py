"""A table that is created under a stored rule is audited from the command that creates it, whoever runs that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.actions import Action
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import apply, audit, events, pending, plan
from tests.support.joining import captured, joined, make_tenants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """The store with these schemas."""
    with prepared(server, template, lambda dsn: make_tenants(dsn, owner_name)) as name:
        yield name


@pytest.fixture
def mine(owner: Login, conn: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A session of the owner, who may create schemas."""
    conn.execute(f"grant create on database {conn.info.dbname} to {owner.name}".encode())
    with connect(owner.dsn) as session:
        yield session


def test_a_tenant_is_onboarded_by_its_schema_and_tables_alone(
    mine: psycopg.Connection, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    mine.execute("""
        create schema t2;
        create table t2.customer (id integer primary key, name text);
        create table t2.orders (id integer primary key, customer integer references t2.customer);
        insert into t2.customer values (1, 'a');
        insert into t2.orders values (1, 1);
        update t2.customer set name = 'b'
    """)
    assert events(conn, "t2.customer", "t2.orders") == [
        ("t2.customer", "CREATE", "1", None, {"id": 1, "name": "a"}),
        ("t2.orders", "CREATE", "1", None, {"id": 1, "customer": 1}),
        ("t2.customer", "UPDATE", "1", {"name": "a"}, {"name": "b"}),
    ]
    assert joined(conn) == ["t2.customer", "t2.orders"]
    assert auditctl("check", check=0).out == ""
    found = json.loads(auditctl("doctor", "--format", "json").out)
    assert not [
        finding
        for finding in found
        if finding["check"].startswith(("table", "trigger", "member", "capture")) and finding["check"] != "table_owner"
    ]
    states = {
        table["table"]: table["state"] for table in json.loads(auditctl("tables", "--format", "json", check=0).out)
    }
    assert states == {"t2.customer": "ok", "t2.orders": "ok"}


CREATED: list[tuple[LiteralString, list[str]]] = [
    ("create table t1.a (id int primary key)", ["t1.a"]),
    ("create table if not exists t1.a (id int)", ["t1.a"]),
    ("create unlogged table t1.a (id int)", ["t1.a"]),
    ("create table t1.a (like pg_class)", ["t1.a"]),
    ("create table t1.a of elsewhere.kind", ["t1.a"]),
    (
        "create table t1.a (id serial primary key, v int generated always as (1) stored, check (id > 0), unique (v))",
        ["t1.a"],
    ),
    ('create table t1."A ""b"" .c" ("D ""e""" int primary key)', ['t1."A ""b"" .c"']),
    (
        "create schema t3 create table a (id int) create table b (id int) create view v as select * from a",
        ["t3.a", "t3.b"],
    ),
    ("create table t1.a (id int); create table t1.b (id int) inherits (t1.a)", ["t1.a"]),
    ("create table t1.p (id int) partition by range (id); create table t1.q partition of t1.p default", ["t1.p"]),
    (
        "do $$ begin for i in 1..3 loop execute format('create table t1.a%s (id int)', i); end loop; end $$",
        ["t1.a1", "t1.a2", "t1.a3"],
    ),
    ("create table elsewhere.a (id int)", []),
    ("create temporary table a (id int)", []),
    ("create view t1.v as select 1 as id", []),
    ("create materialized view t1.m as select 1 as id", []),
    ("create type t1.c as (id int)", []),
    ("create table elsewhere.a (id int); alter table elsewhere.a set schema t1", ["t1.a"]),
    ("create schema other create table a (id int); alter schema other rename to t4", ["t4.a"]),
    ("begin; create table t1.a (id int); rollback", []),
    ("create table t1.a (id int); drop table t1.a", []),
]


@pytest.mark.parametrize(("statement", "tables"), CREATED)
def test_each_way_to_create_a_table_under_a_glob_takes_in_the_table_and_nothing_else(
    mine: psycopg.Connection, conn: psycopg.Connection, db: str, statement: LiteralString, tables: list[str]
) -> None:
    mine.execute("create type elsewhere.kind as (id int)")
    mine.execute(statement)
    assert captured(conn) == tables
    assert pending(db) == []


def test_rows_that_a_table_is_created_with_are_recorded_as_created_by_who_created_it(
    mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("create domain elsewhere.text as text; create type elsewhere.mood as enum ('good')")
    mine.execute("""
        create table t1.a as
        select i as id, i::text::elsewhere.text as "R", 'good'::elsewhere.mood as r, 1.10 as new,
               date '2026-01-01' + i as v
          from generate_series(1, 2) as i
    """)
    mine.execute("select * into t1.b from t1.a where id = 2")
    mine.execute("create table t1.c as table t1.a with no data")
    mine.execute("create table if not exists t1.b as table t1.a")
    rows = [{"id": i, "R": str(i), "r": "good", "new": pytest.approx(1.1), "v": f"2026-01-0{1 + i}"} for i in (1, 2)]
    assert events(conn, "t1.a", "t1.b", "t1.c") == [
        ("t1.a", "CREATE", None, None, rows[0]),
        ("t1.a", "CREATE", None, None, rows[1]),
        ("t1.b", "CREATE", None, None, rows[1]),
    ]
    who = "select distinct actor, actor_kind::text, db_user from auditctl.event where target like 't1.%'"
    assert conn.execute(who).fetchall() == [(mine.info.user, "database", mine.info.user)]
    acl = "select relname from pg_class where relnamespace = 't1'::regnamespace and relacl is not null"
    assert conn.execute(acl).fetchall() == []


def test_many_and_large_rows_that_a_table_is_created_with_are_all_recorded_in_order(
    mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("""
        create table t1.a as
        select i as id, repeat('x', case when i in (7, 900) then 9000000 when i % 100 = 0 then 20000 else 1 end) as v
          from generate_series(1, 1000) as i
    """)
    query = """
        select array_agg((new_values ->> 'id')::int order by event_id) = array_agg(i order by i),
               array_agg(i order by i) filter (where new_values -> 'v' ? '$sha256'),
               max(length(new_values ->> 'v')) filter (where not new_values -> 'v' ? '$sha256')
          from generate_series(1, 1000) as i
          join auditctl.event on target = 't1.a' and (new_values ->> 'id')::int = i
    """
    assert conn.execute(query).fetchone() == (True, [7, 900], 20000)


def test_a_table_joins_by_the_first_rule_that_covers_it_with_all_its_keys(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    apply(
        db,
        """
        [[table]]
        name = "t1.left_out_*"
        actions = []
        [[table]]
        name = "t1.waits_*"
        auto = false
        [[table]]
        name = "t1.*"
        actions = ["create", "update"]
        exclude = ["secret"]
        mask = ["card", "none"]
        key = ["number"]
        [[table]]
        name = "t*.*"
    """,
    )
    mine.execute("""
        create table t1.left_out_a (id int);
        create table t1.waits_a (id int primary key);
        create table t1.a (number int, secret text, card text);
        insert into t1.a values (1, 'x', 'y');
        update t1.a set card = 'z';
        delete from t1.a;
        truncate t1.a
    """)
    assert events(conn, "t1.a") == [
        ("t1.a", "CREATE", "1", None, {"number": 1, "card": {"$masked": True}}),
        ("t1.a", "UPDATE", "1", {"card": {"$masked": True}}, {"card": {"$masked": True}}),
    ]
    assert captured(conn) == ["t1.a"]
    assert {change.relation for change in plan(db).pending} == {"t1.waits_a"}
    mine.execute("alter table t1.waits_a rename to b; alter table t1.a rename to left_out_a2")
    assert captured(conn) == ["t1.b", "t1.left_out_a2"]
    assert pending(db) == []


def test_a_table_made_anew_under_the_name_of_a_rule_of_its_own_is_audited_by_that_rule(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("create table elsewhere.a (id int, v text, secret text)")
    audit(db, "elsewhere.a", label="Thing", exclude=("secret",), key=("id",), auto=False, on_drop="record")
    mine.execute(
        "drop table elsewhere.a; create table elsewhere.a (v text, w text); insert into elsewhere.a values ('x')"
    )
    assert events(conn, "elsewhere.a") == [("elsewhere.a", "CREATE", None, None, {"v": "x", "w": None})]
    assert pending(db) == []
    mine.execute("alter table elsewhere.a add secret text; insert into elsewhere.a values ('y', null, 'z')")
    assert events(conn, "elsewhere.a")[-1] == ("elsewhere.a", "CREATE", None, None, {"v": "y", "w": None})
    assert conn.execute("select label from auditctl.target where target = 'elsewhere.a'").fetchall() == [("Thing",)]


def test_a_table_joins_with_the_recording_of_its_reads(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    audit(db, "t*.*", actions=(Action.CREATE, Action.READ), read_force=True, on_drop="record")
    mine.execute("create table t1.p (id int) partition by range (id); create table t1.q partition of t1.p default")
    mine.execute(
        "create table t1.a as select 1 as id; insert into t1.p values (1); select * from t1.a; select * from t1.p"
    )
    assert [(target, action) for target, action, *_ in events(conn, "t1.a", "t1.p")] == [
        ("t1.a", "CREATE"),
        ("t1.p", "CREATE"),
        ("t1.a", "READ"),
        ("t1.p", "READ"),
    ]
    assert pending(db) == []


@pytest.mark.parametrize(
    ("one", "other", "conflicts"),
    [
        ("insert into t1.a values (1)", "insert into t1.a values (2)", False),
        ("create table t1.b (id int)", "insert into t1.a values (2)", False),
        ("create table t1.b (id int)", "create table t1.c (id int)", True),
    ],
)
def test_serializable_transactions_conflict_over_the_guard_only_if_both_create_tables(
    db: str, mine: psycopg.Connection, owner: Login, one: LiteralString, other: LiteralString, conflicts: bool
) -> None:
    mine.execute("create table t1.a (id int)")
    with connect(owner.dsn) as second:
        for session, statement in ((mine, one), (second, other)):
            session.execute("begin isolation level serializable")
            session.execute(statement)
        mine.execute("commit")
        if conflicts:
            with pytest.raises(psycopg.errors.SerializationFailure):
                second.execute("commit")
        else:
            second.execute("commit")

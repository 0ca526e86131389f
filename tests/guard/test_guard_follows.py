"""The coverage guard keeps capture complete through DDL: columns, names, partitions, children; and records the DDL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from auditctl import database
from auditctl.capture import rule_store
from tests.fixtures.databases import connect
from tests.support.capturing import apply, audit, events, pending, triggers

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

TABLE: LiteralString = "create table a (id integer primary key, v text, secret text, at timestamptz)"


def ddl(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """The DDL that was recorded: table and sentence."""
    return conn.execute(
        "select target_id, details from auditctl.activity where target_name = 'auditctl.ddl' order by event_id"
    ).fetchall()


def stored(db: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    with database.connect(db) as conn:
        return [(rule.name, rule.exclude or (), rule.mask or (), rule.key) for rule in rule_store.read(conn)]


COLUMNS: list[tuple[LiteralString, str]] = [
    ("alter table a add column w integer default 7", "column w integer added"),
    ("alter table a drop column at", "column at dropped"),
    ("alter table a rename column v to title", "column v renamed to title"),
    ("alter table a alter column v type varchar(50)", "column v now character varying(50), was text"),
    (
        "alter table a drop column at, add column w jsonb, alter column id type bigint",
        "column id now bigint, was integer; column at dropped; column w jsonb added",
    ),
]


@pytest.mark.parametrize(("statement", "sentence"), COLUMNS)
def test_columns_that_change_are_captured_at_once_and_the_change_is_an_event(
    db: str, conn: psycopg.Connection, statement: LiteralString, sentence: str
) -> None:
    conn.execute(TABLE)
    audit(db, "a")
    conn.execute("insert into a values (1, 'x')")
    conn.execute(statement)
    assert pending(db) == []
    assert ddl(conn) == [("public.a", f"ALTER TABLE on public.a: {sentence}")]
    conn.execute("delete from a")
    row = conn.execute("select old_values from auditctl.event where action = 'DELETE'").fetchone()
    columns = conn.execute(
        "select attname::text from pg_attribute where attrelid = 'a'::regclass and attnum > 0 and not attisdropped"
    ).fetchall()
    assert row is not None
    assert set(row[0]) == {name for (name,) in columns}


def test_a_column_dropped_with_its_type_is_followed(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create type mood as enum ('ok'); create table a (id integer primary key, m mood)")
    audit(db, "a")
    conn.execute("drop type mood cascade; insert into a values (1)")
    assert events(conn, "public.a") == [("public.a", "CREATE", "1", None, {"id": 1})]
    assert ddl(conn) == [("public.a", "DROP TYPE on public.a: column m dropped")]
    assert pending(db) == []


def test_a_primary_key_that_comes_and_goes_is_followed(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer not null, v text)")
    audit(db, "a")
    conn.execute("alter table a add primary key (id); insert into a values (1, 'x'); update a set v = 'y'")
    conn.execute("alter table a drop constraint a_pkey; update a set v = 'z'")
    assert events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "v": "x"}),
        ("public.a", "UPDATE", "1", {"v": "x"}, {"v": "y"}),
        ("public.a", "UPDATE", None, {"id": 1, "v": "y"}, {"v": "z"}),
    ]
    assert pending(db) == []


@pytest.mark.parametrize("by", ["name", "glob"])
def test_hidden_columns_stay_hidden_under_a_new_name_and_the_rule_follows(
    db: str, conn: psycopg.Connection, by: str
) -> None:
    conn.execute(TABLE)
    audit(db, {"name": "a", "glob": "public.*"}[by], exclude=("at",), mask=("secret",))
    conn.execute("alter table a rename column secret to other; alter table a rename column at to since")
    conn.execute("insert into a values (1, 'x', 'hush', now())")
    assert events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "v": "x", "other": {"$masked": True}})
    ]
    assert ("public.a", ("since",), ("other",), ()) in stored(db)
    conn.execute("alter table a drop column other")
    assert ("public.a", ("since",), (), ()) in stored(db)


def test_the_default_of_a_hidden_column_is_not_told(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key); create table b (id integer primary key, secret text)")
    audit(db, "public.*", mask=("secret",))
    conn.execute("alter table a add column secret text default 'hush', add column open text default 'told'")
    told = conn.execute("select new_values::text from auditctl.event where target = 'auditctl.ddl'").fetchall()
    assert "told" in str(told)
    assert "hush" not in str(told)


def test_a_child_with_a_rule_of_its_own_is_followed_by_itself(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key); create table c (secret text) inherits (a)")
    audit(db, "a")
    audit(db, "c", mask=("secret",))
    conn.execute("alter table c rename column secret to other; alter table a add column w integer")
    conn.execute("insert into c values (1, 'hush', 2)")
    assert events(conn, "public.a", "public.c") == [
        ("public.c", "CREATE", None, None, {"id": 1, "other": {"$masked": True}, "w": 2})
    ]
    assert pending(db) == []


RENAMES: list[tuple[LiteralString, str]] = [
    ("alter table s.a rename to b", "s.b"),
    ("alter table s.a set schema other", "other.a"),
    ("alter schema s rename to t", "t.a"),
    ("alter table s.a rename to b; alter schema s rename to t; alter table t.b rename to c", "t.c"),
    ("alter index s.a rename to b", "s.b"),
]


@pytest.mark.parametrize("by", ["name", "glob"])
@pytest.mark.parametrize(("statement", "name"), RENAMES)
def test_history_stays_one_through_new_names(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, statement: LiteralString, name: str, by: str
) -> None:
    conn.execute("create schema s; create schema other; create table s.a (id integer primary key, v text)")
    conn.execute("create table s.stays (id integer primary key)")
    audit(db, *{"name": ("s.a", "s.stays"), "glob": ("s.*",)}[by])
    conn.execute("insert into s.a values (1, 'x')")
    conn.execute(statement)
    conn.execute(f"update {name} set v = 'y'")
    assert pending(db) == []
    assert [event[:2] for event in events(conn, name)] == [(name, "UPDATE")]
    told = auditctl("history", name, "1", "--format", "csv", check=0).out.splitlines()
    assert [line.split(",")[4:7] for line in told[1:]] == [["s.a", "1", "CREATE"], [name, "1", "UPDATE"]]
    assert ddl(conn)[-1][0] == name or "s.stays" in ddl(conn)[-1][0] or "t.stays" in ddl(conn)[-1][0]


def test_a_label_goes_along_with_the_name(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a", label="Thing")
    conn.execute("alter table a rename to b; insert into b values (1)")
    assert conn.execute(
        "select target from auditctl.activity where action = 'CREATE' and target_name = 'public.b'"
    ).fetchall() == [("Thing",)]
    assert pending(db) == []


def test_two_tables_that_swap_their_names_keep_their_rules(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key, s text); create table b (id integer primary key, t text)")
    audit(db, "a", mask=("s",))
    audit(db, "b", exclude=("t",))
    conn.execute("alter table a rename to c; alter table b rename to a; alter table c rename to b")
    conn.execute("insert into a values (1, 'excluded'); insert into b values (2, 'masked')")
    assert sorted(stored(db)) == [("public.a", ("t",), (), ()), ("public.b", (), ("s",), ())]
    assert [event[4] for event in events(conn, "public.a", "public.b")] == [
        {"id": 1},
        {"id": 2, "s": {"$masked": True}},
    ]
    assert pending(db) == []


TREE: LiteralString = """
    create table p (id integer not null, v text, primary key (id)) partition by range (id);
    create table p1 partition of p for values from (0) to (10);
    create table parent (id integer primary key, v text)
"""

ALL = ("auditctl_create", "auditctl_delete", "auditctl_truncate", "auditctl_update")


@pytest.mark.parametrize("creator", ["superuser", "owner"])
def test_new_partitions_and_children_are_captured_from_their_first_row(
    db: str, conn: psycopg.Connection, login: MakeLogin, creator: str
) -> None:
    owner = login("owner")
    conn.execute(TREE)
    for table in ("p", "p1", "parent"):
        conn.execute(f"alter table {table} owner to {owner.name}")
    conn.execute(f"grant all on schema public to {owner.name}")
    audit(db, "p", "parent")
    with connect({"superuser": db, "owner": owner.dsn}[creator]) as session:
        session.execute("""
            create table p2 partition of p for values from (10) to (20) partition by range (id);
            create table p2a partition of p2 for values from (10) to (15);
            create table p3 (v text, id integer not null primary key);
            alter table p attach partition p3 for values from (20) to (30);
            create table child (extra json) inherits (parent);
            create table other (id integer not null primary key, v text);
            alter table other inherit parent;
            create table grandchild (deep text) inherits (child);
            insert into p values (10, 'a'), (20, 'b');
            insert into child values (1, 'c', '{"a":  1}');
            insert into other values (2, 'd');
            insert into grandchild (id, deep) values (3, 'e');
            truncate p2a, grandchild
        """)
    assert pending(db) == []
    assert [(e[0], e[1], e[4]) for e in events(conn, "public.p", "public.parent")] == [
        ("public.p", "CREATE", {"id": 10, "v": "a"}),
        ("public.p", "CREATE", {"id": 20, "v": "b"}),
        ("public.parent", "CREATE", {"id": 1, "v": "c", "extra": '{"a":  1}'}),
        ("public.parent", "CREATE", {"id": 2, "v": "d"}),
        ("public.parent", "CREATE", {"id": 3, "v": None, "extra": None, "deep": "e"}),
        ("public.p", "TRUNCATE", None),
        ("public.parent", "TRUNCATE", None),
    ]
    of_member = {
        name: tuple(t for n, t, state in triggers(conn) if n == f"public.{name}" and state == "A")
        for name in ("p2", "p2a", "p3", "child", "other", "grandchild")
    }
    assert of_member == dict.fromkeys(of_member, ALL)
    assert ("public.p", "CREATE TABLE on public.p: now audited: public.p2a") in ddl(conn)
    assert ("public.parent", "ALTER TABLE on public.parent: now audited: public.other") in ddl(conn)


def test_a_new_column_of_the_whole_is_captured_in_partitions_and_children(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE + "; create table child (extra text) inherits (parent)")
    audit(db, "p", "parent")
    conn.execute("alter table p add column w integer; alter table parent add column w integer")
    conn.execute("insert into p values (1, 'a', 2); insert into child (id, w) values (1, 3)")
    assert [e[4] for e in events(conn, "public.p", "public.parent")] == [
        {"id": 1, "v": "a", "w": 2},
        {"id": 1, "v": None, "extra": None, "w": 3},
    ]
    assert pending(db) == []


def test_a_partition_may_be_detached_and_dropped_and_the_log_says_so(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE + "; create table p2 partition of p for values from (10) to (20)")
    audit(db, "p")
    said: list[str] = []
    conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    conn.execute("alter table p detach partition p1")
    conn.execute("drop table p2")
    assert said == ["public.p1 is no longer audited"]
    assert ddl(conn) == [
        ("public.p", "ALTER TABLE on public.p: no longer audited: public.p1"),
        ("public.p", "DROP TABLE on public.p: gone: public.p2"),
    ]
    assert conn.execute("select members, detached from auditctl.capture").fetchall() == [([], ["p1"])]
    conn.execute("drop table p1; insert into p select 1 where false")
    apply(db)
    assert conn.execute("select members, detached from auditctl.capture").fetchall() == [([], [])]


def test_the_events_of_ddl_tell_who_and_cannot_be_forged(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    app = login("app", roles=["auditctl_app"])
    conn.execute(TABLE)
    conn.execute(f"alter table a owner to {app.name}")
    audit(db, "a")
    with connect(app.dsn) as session:
        session.execute(
            "begin; select auditctl.set_context('alice', '203.0.113.7'); alter table a add w integer; commit"
        )
        with pytest.raises(Exception, match="it is reserved for auditctl"):
            session.execute("select auditctl.record_event('auditctl.ddl', 'public.a', 'ALTER TABLE')")
    assert conn.execute(
        "select actor, actor_kind, ip::text, db_user, target_id, action::text, new_values from auditctl.event "
        "where target = 'auditctl.ddl'"
    ).fetchall() == [
        (
            "alice",
            "application",
            "203.0.113.7/32",
            app.name,
            "public.a",
            "EVENT",
            {"command": "ALTER TABLE", "changes": [{"column": "w", "added": "integer"}]},
        ),
    ]


def test_a_rolled_back_ddl_leaves_nothing(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TABLE)
    audit(db, "a")
    before = conn.execute("select columns::text from auditctl.capture").fetchall()
    conn.execute("begin; alter table a add column w integer; savepoint s; alter table a rename to b; rollback")
    assert conn.execute("select columns::text from auditctl.capture").fetchall() == before
    assert ddl(conn) == []
    assert pending(db) == []

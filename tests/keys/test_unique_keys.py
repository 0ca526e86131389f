"""A table without a primary key is identified by a unique index, as the tool and the guard decide alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from tests.fixtures.databases import GUARD_OFF, connect
from tests.support.capturing import audit, events, pending, plan

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

TABLE: LiteralString = "create table t (id int not null, code text not null, region text not null, note text)"

INDEXES: list[tuple[LiteralString, str | None]] = [
    ("create unique index a on t (code)", "x"),
    ("create unique index a on t (code) include (region)", "x"),
    ("create unique index a on t (region, code); create unique index b on t (id)", "1"),
    ("create unique index a on t (code); create unique index b on t (id)", "x"),
    (
        "create unique index a on t (code); create unique index b on t (id); "
        "alter table t replica identity using index b",
        "1",
    ),
    ("alter table t add unique (region, code)", '["eu", "x"]'),
    ("create unique index a on t (note)", None),
    ("create unique index a on t (code) where id > 0", None),
    ("create unique index a on t (lower(code))", None),
    ("create index a on t (code)", None),
    ("alter table t add unique (code) deferrable", None),
    ("alter table t replica identity full", None),
    (
        "alter table t add column up text generated always as (upper(code)) stored; "
        "alter table t alter up set not null; create unique index a on t (up)",
        "X",
    ),
]


def keys(conn: psycopg.Connection) -> list[str | None]:
    """The key of the next row, as each event of its life has it."""
    (before,) = conn.execute("select coalesce(max(event_id), 0) from auditctl.event").fetchone() or (0,)
    conn.execute("""
        insert into t (id, code, region) values (1, 'x', 'eu');
        update t set note = 'n';
        delete from t
    """)
    query = "select target_id from auditctl.event where target = 'public.t' and event_id > %s order by event_id"
    return [key for (key,) in conn.execute(query, [before])]


@pytest.mark.parametrize(("ddl", "key"), INDEXES, ids=[ddl for ddl, _ in INDEXES])
def test_a_whole_unique_index_without_nulls_names_the_rows(
    db: str, conn: psycopg.Connection, ddl: LiteralString, key: str | None
) -> None:
    conn.execute(TABLE)
    conn.execute(ddl)
    audit(db, "t")
    assert keys(conn) == [key] * 3
    assert pending(db) == []
    assert plan(db).keyless == (() if key else ("public.t",))


@pytest.mark.parametrize(("ddl", "key"), INDEXES, ids=[ddl for ddl, _ in INDEXES])
def test_the_guard_follows_an_index_that_is_made_and_dropped_later(
    db: str, conn: psycopg.Connection, ddl: LiteralString, key: str | None
) -> None:
    conn.execute(TABLE)
    audit(db, "t")
    assert keys(conn) == [None] * 3
    # One index after another: the first stays the key while it is valid.
    first = '["eu", "x"]' if ddl.startswith("create unique index a on t (region, code);") else key
    conn.execute(ddl)
    assert keys(conn) == [first] * 3
    assert pending(db) == []
    conn.execute("""
        do $$
        declare v record;
        begin
            for v in select conname from pg_constraint where conrelid = 't'::regclass and contype = 'u' loop
                execute format('alter table t drop constraint %I', v.conname);
            end loop;
            for v in select indexrelid::regclass from pg_index where indrelid = 't'::regclass loop
                execute format('drop index %s', v.indexrelid);
            end loop;
        end $$
    """)
    assert keys(conn) == [None] * 3
    assert pending(db) == []


def test_a_key_stays_while_its_index_is_valid_whatever_indexes_come(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index m on t (code)")
    audit(db, "t")
    for ddl in ("create unique index a on t (id)", "alter table t add unique (region)", "alter index m rename to z"):
        conn.execute(ddl)
        assert keys(conn) == ["x"] * 3
        assert pending(db) == []
    # So it does where nobody follows, under a new name, and through a pause.
    conn.execute(GUARD_OFF)
    conn.execute("create unique index b on t (region, id)")
    auditctl("apply", "--yes", check=0)
    auditctl("disable", "t", check=0)
    auditctl("enable", "t", check=0)
    assert keys(conn) == ["x"] * 3


def test_a_key_stays_as_its_column_and_table_get_other_names(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index m on t (code)")
    audit(db, "t")
    conn.execute("create unique index a on t (id)")
    conn.execute("alter table t rename code to sign")
    assert conn.execute("select key_columns from auditctl.target where target = 'public.t'").fetchone() == (["sign"],)
    conn.execute("alter table t rename to u")
    assert conn.execute("select key_columns from auditctl.target where target = 'public.u'").fetchone() == (["sign"],)
    assert pending(db) == []
    # An index that is chosen on purpose, or the loss of the former one, ends it.
    conn.execute("alter table u replica identity using index a")
    assert conn.execute("select key_columns from auditctl.target where target = 'public.u'").fetchone() == (["id"],)
    conn.execute("create unique index r on u (region); alter table u replica identity nothing")
    assert conn.execute("select key_columns from auditctl.target where target = 'public.u'").fetchone() == (["id"],)
    conn.execute("drop index a, m")
    assert conn.execute("select key_columns from auditctl.target where target = 'public.u'").fetchone() == (["region"],)
    assert pending(db) == []


ENDS: list[LiteralString] = [
    "drop index a",
    "drop index concurrently a",
    "alter table t alter code drop not null",
    "alter table t drop column code",
    "alter index a rename to b; drop index b",
    "reindex index concurrently a; drop index a",
    "create schema s; alter table t set schema s; drop index s.a; alter table s.t set schema public",
    "alter table t alter code type varchar(20); drop index a",
]


@pytest.mark.parametrize("ddl", ENDS)
def test_a_key_that_ends_is_recorded_and_fails_no_write(db: str, conn: psycopg.Connection, ddl: str) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index a on t (code)")
    audit(db, "t")
    for statement in ddl.split("; "):
        conn.execute(statement.encode())
    conn.execute(
        "insert into t (id, region) values (1, 'eu')" if "column" in ddl else "insert into t values (1, 'x', 'eu')"
    )
    conn.execute("update t set note = 'n'; delete from t")
    assert [key for _, action, key, *_ in events(conn, "public.t", "s.t") if action != "EVENT"] == [None] * 3
    assert conn.execute("select key_columns from auditctl.target where target = 'public.t'").fetchone() == ([],)
    assert pending(db) == []
    ddl_events = conn.execute("select details from auditctl.activity where target = 'auditctl.ddl'").fetchall()
    assert any("key now none, was code" in details for (details,) in ddl_events)


def test_an_index_over_hidden_columns_names_no_row(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index a on t (code); create unique index b on t (region, id)")
    audit(db, "t", mask=("code",))
    assert keys(conn) == ['["eu", 1]'] * 3
    audit(db, "t", mask=("code",), exclude=("id",))
    assert keys(conn) == [None] * 3
    assert pending(db) == []


def test_the_key_that_a_rule_names_comes_before_an_index_and_after_a_primary_key(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index a on t (code)")
    audit(db, "public.*", key=("id",))
    assert keys(conn) == ["1"] * 3
    conn.execute("alter table t add primary key (region)")
    assert keys(conn) == ["eu"] * 3
    assert pending(db) == []


def test_a_glob_names_a_key_for_the_tables_that_have_its_columns(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TABLE)
    conn.execute("create table u (a int)")
    audit(db, "public.*", key=("id",))
    assert keys(conn) == ["1"] * 3
    assert plan(db).keyless == ("public.u",)


def test_a_child_and_a_partitioned_table_have_keys_of_their_own_indexes(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table parent (id int not null, v text);
        create table child (code text not null unique) inherits (parent);
        create table parted (id int not null, v text, unique (id)) partition by list (id);
        create table part partition of parted default
    """)
    audit(db, "parent", "parted")
    conn.execute("insert into child values (1, 'v', 'x'); insert into parted values (7)")
    assert [key for _, _, key, *_ in events(conn, "public.parent", "public.parted")] == ["x", "7"]
    conn.execute("alter table child drop constraint child_code_key; insert into child values (1, 'v', 'x')")
    assert [key for _, _, key, *_ in events(conn, "public.parent")] == ["x", None]
    assert pending(db) == []


def test_the_owner_of_a_table_makes_and_drops_its_index(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    owner = login("owner")
    conn.execute(TABLE)
    conn.execute(f'alter table t owner to "{owner.name}"; grant create on schema public to "{owner.name}"'.encode())
    audit(db, "t")
    with connect(owner.dsn) as session:
        session.execute("create unique index concurrently a on t (code)")
        assert keys(conn) == ["x"] * 3
        session.execute("drop index a")
    assert keys(conn) == [None] * 3


def test_an_index_that_names_no_row_is_no_event(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table p (id int primary key, v text); create table q (id int not null, v text)")
    audit(db, "p", "q")
    conn.execute("""
        create unique index a on p (v); create index b on q (v); create unique index c on q (v);
        alter index a rename to d; alter index b rename to e; drop index c, d, e
    """)
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.ddl'").fetchone() == (0,)


def test_plan_says_which_index_names_the_rows_and_when_that_changes(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute(TABLE)
    conn.execute("create unique index a on t (code)")
    assert (
        "KEY     public.t: key: unique index public.a (code)\n"
        in auditctl("plan", "-", input='[[table]]\nname = "t"\n', check=0).out
    )
    done = auditctl("enable", "t", check=0)
    assert "public.t: key: unique index public.a (code)" in done.err
    conn.execute(GUARD_OFF)
    conn.execute("drop index a")
    assert (
        "KEY     public.t: key: none, was (code): its events have no target_id from now on\n"
        in auditctl("plan", check=0).out
    )
    auditctl("apply", "--yes", check=0)
    assert "KEY" not in auditctl("plan", check=0).out


def test_tables_without_a_key_are_one_warning_with_what_to_write_into_the_file(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create schema app")
    for number in range(30):
        conn.execute(f"create table app.t{number:02} (a int, password text)".encode())
    conn.execute("create table app.u (a int not null unique)")
    audit(db, "app.*", mask=("password",), require_actor=True)
    said = auditctl("check", check=0).err
    assert said == (
        "warning: 30 tables have no key, so that events have no target_id: app.t00, app.t01, app.t02 and 27 others. "
        "Name the columns of one in the file:\n"
        '    [[table]]\n    name = "app.t00"\n    key = ["COLUMN"]\n    require_actor = true\n'
    )
    assert "app.t17" in auditctl("check", "--verbose", check=0).err
    # Followed, it hides as much as before.
    text = auditctl("config", check=0).out.replace(
        "[[table]]", '[[table]]\nname = "app.t00"\nkey = ["a"]\nrequire_actor = true\n\n[[table]]', 1
    )
    assert "29 tables" in auditctl("apply", "--yes", "-", input=text, check=0).err
    conn.execute("insert into app.t00 values (1, 'secret')")
    assert events(conn, "app.t00") == [("app.t00", "CREATE", "1", None, {"a": 1, "password": {"$masked": True}})]


def test_a_table_that_is_created_under_a_glob_has_the_key_of_its_index(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create schema app")
    audit(db, "app.*", auto=True)
    conn.execute("create table app.t (code text not null unique, note text)")
    conn.execute("insert into app.t values ('x')")
    assert [key for _, _, key, *_ in events(conn, "app.t")] == ["x"]
    assert pending(db) == []
    conn.execute("alter table app.t drop constraint t_code_key; insert into app.t values ('y')")
    assert [key for _, _, key, *_ in events(conn, "app.t")] == ["x", None]

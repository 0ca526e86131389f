"""A rule with `on_drop = "record"` lets DDL drop what it audits; the log says what, and how much it has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import apply, audit, events, pending, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

TABLES: LiteralString = """
    create schema d;
    create type d.mood as enum ('good');
    create table d.a (id integer primary key, v text, secret text, m d.mood);
    create table d.p (id integer primary key, v text) partition by range (id);
    create table d.p1 partition of d.p for values from (0) to (10);
    create table d.parent (id integer primary key);
    create table d.child () inherits (d.parent);
    insert into d.a values (1), (2)
"""

GONE = """
    select target_id, details, new_values, db_user from auditctl.activity
     where target_name = 'auditctl.ddl' order by event_id
"""


def make_audited(dsn: str, owner: str) -> None:
    """Make the tables, which may be dropped, with some events; a login that is no superuser owns them."""
    with connect(dsn) as conn:
        conn.execute(TABLES)
        tables = [("table", f"d.{name}") for name in ("a", "p", "p1", "parent", "child")]
        for kind, name in (("schema", "d"), ("type", "d.mood"), *tables):
            conn.execute(f"alter {kind} {name} owner to {owner}".encode())
        audit(dsn, "d.*", on_drop="record", mask=("secret",))
        conn.execute("update d.a set v = 'x'; update d.a set v = 'y' where id = 1; insert into d.p values (1)")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """The store with these tables."""
    with prepared(server, template, lambda dsn: make_audited(dsn, owner_name)) as name:
        yield name


@pytest.fixture
def mine(owner: Login) -> Iterator[psycopg.Connection]:
    """A session of the tables' owner."""
    with connect(owner.dsn) as session:
        yield session


def gone(conn: psycopg.Connection) -> list[str]:
    """What the log says was dropped, as sentences."""
    return [details for _, details, _, _ in conn.execute(GONE)]


DROPS: list[tuple[LiteralString, list[str]]] = [
    ("drop table d.a", ["DROP TABLE on d.a: gone: d.a; the log has 3 events of 2 keys"]),
    ("drop table d.p", ["DROP TABLE on d.p: gone: d.p; the log has 1 event of 1 key"]),
    ("drop table d.p1", ["DROP TABLE on d.p: gone: d.p1; the log has 1 event of 1 key"]),
    ("drop table d.child", ["DROP TABLE on d.parent: gone: d.child; the log has 0 events of 0 keys"]),
    ("drop table d.parent cascade", ["DROP TABLE on d.parent: gone: d.parent; the log has 0 events of 0 keys"]),
    (
        "drop table d.parent, d.child, d.a",
        [
            "DROP TABLE on d.a: gone: d.a; the log has 3 events of 2 keys",
            "DROP TABLE on d.parent: gone: d.parent; the log has 0 events of 0 keys",
        ],
    ),
    (
        "drop schema d cascade",
        [
            "DROP SCHEMA on d.a: gone: d.a; the log has 3 events of 2 keys",
            "DROP SCHEMA on d.p: gone: d.p; the log has 1 event of 1 key",
            "DROP SCHEMA on d.parent: gone: d.parent; the log has 0 events of 0 keys",
        ],
    ),
    (
        "drop owned by current_user cascade",
        [
            "DROP OWNED on d.a: gone: d.a; the log has 3 events of 2 keys",
            "DROP OWNED on d.p: gone: d.p; the log has 1 event of 1 key",
            "DROP OWNED on d.parent: gone: d.parent; the log has 0 events of 0 keys",
        ],
    ),
    ("drop type d.mood cascade", ["DROP TYPE on d.a: column m dropped; the log has 3 events of 2 keys"]),
    (
        "alter table d.a drop column id",
        ["ALTER TABLE on d.a: key now none, was id; column id dropped; the log has 3 events of 2 keys"],
    ),
    (
        "alter table d.a drop column secret",
        ["ALTER TABLE on d.a: column secret dropped; the log has 3 events of 2 keys"],
    ),
    (
        "do $$ begin drop table d.a; create table d.a (id integer); drop table d.a; end $$",
        # Made anew under the glob, it is audited again.
        ["DROP TABLE on d.a: gone: d.a; the log has 3 events of 2 keys"] * 2,
    ),
]


@pytest.mark.parametrize(("statement", "sentences"), DROPS)
def test_what_may_be_dropped_is_recorded_with_the_size_of_its_log_and_check_is_clean(
    mine: psycopg.Connection, conn: psycopg.Connection, db: str, statement: LiteralString, sentences: list[str]
) -> None:
    mine.execute(statement)
    assert [text for text in gone(conn) if "gone" in text or "dropped" in text] == sentences
    assert {user for *_, user in conn.execute(GONE)} == {mine.info.user}
    assert pending(db) == []
    assert plan(db).is_empty
    left = conn.execute(
        "select count(*) from auditctl.capture as k left join pg_class as c on c.oid = k.relation where c.oid is null"
    )
    assert left.fetchone() == (0,)


def test_table_that_is_dropped_by_name_leaves_no_function_and_its_rule_waits_for_the_next_one(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table a (id integer primary key); create table b (id integer primary key)")
    audit(db, "a", on_drop="record", label="Thing")
    audit(db, "b")
    printed = auditctl("config", check=0).out
    conn.execute("drop table a")
    auditctl("check", check=0)
    assert auditctl("config", check=0).out == printed
    left = "select from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace and proname ~ '^public__a'"
    assert not conn.execute(left).rowcount
    assert plan(db, printed).is_empty
    conn.execute("create table a (id integer primary key)")
    apply(db)
    conn.execute("insert into a values (1)")
    assert len(events(conn, "public.a")) == 1
    conn.execute("drop table a")
    auditctl("disable", "public.a", check=0)
    assert 'name = "public.a"' not in auditctl("config", check=0).out


def test_drop_with_an_extension_is_recorded(conn: psycopg.Connection, db: str) -> None:
    conn.execute(
        "create extension citext; create table a (id integer primary key, c citext); create table b (id integer)"
    )
    audit(db, "a", "b", on_drop="record")
    conn.execute("alter extension citext add table b; drop extension citext cascade")
    assert [text for text in gone(conn) if "gone" in text or "dropped" in text] == [
        "DROP EXTENSION on public.b: gone: public.b; the log has 0 events of 0 keys",
        "DROP EXTENSION on public.a: column c dropped; the log has 0 events of 0 keys",
    ]
    assert pending(db) == []


def test_only_what_the_rule_of_a_table_lets_go_may_be_dropped(conn: psycopg.Connection, db: str) -> None:
    conn.execute(
        "create schema s; create table s.a (id integer primary key); create table s.b (id integer primary key)"
    )
    audit(db, "s.a", on_drop="record")
    audit(db, "s.b")
    with pytest.raises(psycopg.Error, match=r"refused: s\.b is audited"):
        conn.execute("drop schema s cascade")
    assert conn.execute("select count(*) from auditctl.capture where target like 's.%'").fetchone() == (2,)
    audit(db, "s.a")
    with pytest.raises(psycopg.Error, match=r"refused: s\.a is audited"):
        conn.execute("drop table s.a")


SILENCING: list[LiteralString] = [
    "drop trigger auditctl_update on d.a",
    "alter table d.a disable trigger all",
    "alter trigger auditctl_update on d.a rename to mine",
    "create rule r as on insert to d.a do instead nothing",
    "update auditctl.capture set on_drop = 'refuse'",
    "update auditctl.rule set on_drop = 'refuse'",
    "select auditctl_internal.forget_capture('d.a'::regclass, 'DROP TABLE', 'd.a')",
    "drop function auditctl_triggers.d__a__update() cascade",
]


@pytest.mark.parametrize("statement", SILENCING)
def test_what_silences_capture_stays_refused(
    mine: psycopg.Connection, conn: psycopg.Connection, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.Error):
        mine.execute(statement)
    conn.execute("insert into d.a values (9)")
    assert events(conn, "d.a")[-1][1] == "CREATE"


def test_dropped_table_in_a_transaction_that_is_undone_is_audited_as_before(
    mine: psycopg.Connection, conn: psycopg.Connection, db: str
) -> None:
    mine.execute("begin; savepoint s; drop table d.a; rollback to s; insert into d.a values (7); commit")
    assert gone(conn) == []
    assert events(conn, "d.a")[-1][2] == "7"
    assert pending(db) == []


def test_size_of_a_large_log_is_an_estimate(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a", on_drop="record")
    conn.execute("insert into a select generate_series(1, 20001); analyze auditctl.event; drop table a")
    row: Any = conn.execute(GONE).fetchone()
    change = row[2]["changes"][1]
    assert change["estimated"] is True
    assert change["events"] >= 20001
    assert "the log has about " in row[1]


def test_reads_of_a_dropped_table_leave_nothing(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a", on_drop="record", actions=("READ", "CREATE"))
    conn.execute("drop table a")
    assert conn.execute("select count(*) from auditctl.read_site").fetchone() == (0,)
    assert pending(db) == []

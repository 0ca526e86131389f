"""The coverage guard under settings, transactions and tools that it does not choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl import adoption
from tests.fixtures.databases import connect, fresh_database
from tests.support import dumps
from tests.support.capturing import audit, events, pending, triggers

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

SETTINGS: LiteralString = """
    set standard_conforming_strings = off; set escape_string_warning = off; set quote_all_identifiers = on;
    set search_path = s, public; set DateStyle = 'German'; set client_min_messages = error; set row_security = off;
    set default_transaction_isolation = 'serializable'; set check_function_bodies = off; set bytea_output = escape
"""

ODD = ('od"d', "back\\slash", "dot.ted *[?]", "$auditctl$", "per%cent %s", "a__b_")


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_followed_under_any_settings(db: str, conn: psycopg.Connection, name: str) -> None:
    conn.execute("create schema s; create table s.a (id integer primary key, v text)")
    audit(db, "s.a", mask=("v",))
    with connect(db) as session:
        session.execute(SETTINGS)
        session.execute(sql.SQL("alter table s.a rename column v to {}").format(sql.Identifier(name)))
        session.execute(sql.SQL("alter table s.a rename to {}").format(sql.Identifier(name)))
        session.execute(sql.SQL("alter schema s rename to {}").format(sql.Identifier(name)))
        table = sql.Identifier(name, name)
        session.execute(sql.SQL("alter table {} add column {} bytea").format(table, sql.Identifier(name + "2")))
        session.execute(sql.SQL("insert into {} values (1, 'hush', '\\\\x00')").format(table))
        with pytest.raises(psycopg.DatabaseError) as error:
            session.execute(sql.SQL("alter table {} disable trigger user").format(table))
        assert error.value.sqlstate == "UA003"
    assert pending(db) == []
    row = conn.execute("select target, new_values from auditctl.event where action = 'CREATE' order by event_id desc")
    target, values = row.fetchone() or ("", {})
    assert values == {"id": 1, name: {"$masked": True}, name + "2": "\\x00"}
    assert conn.execute("select target from auditctl.capture").fetchone() == (target,)


def test_ddl_in_prepared_and_serializable_transactions_is_followed(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a")
    conn.execute("begin isolation level serializable; alter table a add column v text; prepare transaction 'p'")
    conn.execute("commit prepared 'p'")
    conn.execute("begin isolation level repeatable read; alter table a add column w text; commit")
    assert pending(db) == []
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.ddl'").fetchone() == (2,)


def test_a_partition_is_detached_concurrently(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table p (id integer primary key) partition by range (id);
        create table p1 partition of p for values from (0) to (10)
    """)
    audit(db, "p")
    conn.execute("alter table p detach partition p1 concurrently")
    assert conn.execute("select members, detached from auditctl.capture").fetchall() == [([], ["p1"])]
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.ddl'").fetchone() == (1,)


def test_sessions_that_change_partitions_at_once_wait_for_each_other(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table p (id integer, primary key (id)) partition by range (id);
        create table p1 (id integer not null primary key); create table p2 (id integer not null primary key)
    """)
    audit(db, "p")
    with connect(db) as first, connect(db) as second:
        first.execute("begin; alter table p attach partition p1 for values from (0) to (10)")
        second.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute("alter table p attach partition p2 for values from (10) to (20)")
        first.execute("commit")
        second.execute("alter table p attach partition p2 for values from (10) to (20)")
    assert pending(db) == []
    assert conn.execute("select members from auditctl.capture").fetchall() == [(["p1", "p2"],)]


def test_capture_and_guard_survive_a_dump_and_a_restore(
    server: EmbeddedServer, db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create schema s; create table s.a (id integer primary key, v text);
        create table s.p (id integer primary key) partition by range (id);
        create table s.p1 partition of s.p for values from (0) to (10);
        create table s.parent (id integer primary key); create table s.child (w text) inherits (s.parent)
    """)
    audit(db, "s.a", "s.p", "s.parent")
    conn.execute("insert into s.a values (1, 'x')")
    dumped = dumps.dump(server, db)
    with fresh_database(server, "restored") as restored:
        dumps.play(server, restored, dumped)
        with connect(restored) as session:
            assert triggers(session) == triggers(conn)
            session.execute("update s.a set v = 'y'; insert into s.p values (1); insert into s.child values (2, 'z')")
            assert [event[:2] for event in events(session, "s.a", "s.p", "s.parent")] == [
                ("s.a", "CREATE"), ("s.a", "UPDATE"), ("s.p", "CREATE"), ("s.parent", "CREATE"),
            ]  # fmt: skip
            with pytest.raises(psycopg.DatabaseError, match="would silence capture"):
                session.execute("drop table s.a")
            adoption.adopt(restored)
            session.execute("alter table s.p add column late text")
            assert pending(restored) == []


def test_a_login_without_rights_makes_temporary_tables_as_ever(db: str, login: MakeLogin) -> None:
    with connect(login("nobody").dsn) as session:
        session.execute("create temp table t (id serial primary key, v text); alter table t add w text; drop table t")
        session.execute("create temp table u as select 1 as a; create index on u (a); create temp view v as select 1")

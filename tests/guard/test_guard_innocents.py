"""The coverage guard stands in nobody's way who means no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg import sql

from tests.fixtures.databases import Login, connect, prepared
from tests.support.capturing import audit, events, pending
from tests.support.guarding import make_audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with audited tables."""
    with prepared(server, template, lambda dsn: make_audited(dsn, owner_name)) as name:
        yield name


def test_no_name_of_a_column_makes_the_functions_of_its_table_impossible(db: str, conn: psycopg.Connection) -> None:
    conn.execute('create table a (id integer primary key, "$auditctl$$auditctl10$$auditctl12$" integer)')
    made: LiteralString = """
        select auditctl.capture_triggers(array[jsonb_populate_record(null::auditctl.capture, '{
            "relation": "a", "target": "public.a", "actions": ["CREATE"], "exclude": [], "mask": [], "key": [],
            "require_actor": false, "members": []
        }')])
    """
    conn.execute("set statement_timeout = '20s'")
    assert conn.execute(made).fetchone() is not None
    audit(db, "a")
    conn.execute("insert into a values (1, 2)")
    assert len(events(conn, "public.a")) == 1


def test_a_table_whose_instead_rule_is_known_may_be_renamed(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key)")
    conn.execute("create rule known as on delete to a where old.id = 7 do instead nothing")
    audit(db, "a")
    conn.execute("alter table a rename to b; alter rule known on b rename to other")
    assert pending(db) == []


def test_a_child_may_take_the_name_of_one_that_was_dropped(owner: Login, db: str) -> None:
    with connect(owner.dsn) as session:
        session.execute(
            "create table s.old () inherits (s.parent); drop table s.old; alter table s.child rename to old"
        )
    assert pending(db) == []


def test_temporary_children_leave_nothing_behind(owner: Login, db: str, conn: psycopg.Connection) -> None:
    with connect(owner.dsn) as session:
        session.execute("begin; create temp table t () inherits (s.parent) on commit drop; commit")
    assert pending(db) == []
    members = conn.execute("select members from auditctl.capture where target = 's.parent'").fetchone()
    assert members == (["s.child"],)


def test_the_new_owner_of_a_partitioned_table_makes_partitions(
    owner: Login, db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    other = login("other")
    conn.execute(sql.SQL("alter table s.p owner to {}").format(sql.Identifier(other.name)))
    conn.execute(sql.SQL("grant all on schema s to {}").format(sql.Identifier(other.name)))
    with connect(other.dsn) as session:
        session.execute("create table s.p2 partition of s.p for values from (10) to (20)")
    assert pending(db) == []


def test_a_child_of_two_audited_tables_is_audited_as_its_rule_says(
    owner: Login, db: str, conn: psycopg.Connection
) -> None:
    conn.execute("alter table s.child add column secret text; create table s.aa (id integer primary key, secret text)")
    audit(db, "s.aa", mask=("secret",))
    conn.execute("alter table s.child inherit s.aa; insert into s.child values (1, 'v', 'e', 'hush')")
    assert "hush" not in str(events(conn, "s.aa", "s.parent"))
    assert pending(db) == []


def test_a_child_of_a_foreign_table_is_audited(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create foreign data wrapper w; create server w foreign data wrapper w")
    conn.execute("create foreign table f (id integer) server w")
    audit(db, "f")
    conn.execute("create table c () inherits (f); insert into c values (1)")
    assert [event[:2] for event in events(conn, "public.f")] == [("public.f", "CREATE")]


def test_a_table_stays_audited_when_its_schema_leaves_the_glob(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create schema sa; create schema sb; create table sa.t (id integer); create table sb.t (id integer)")
    audit(db, "s?.t")
    conn.execute("alter schema sa rename to other")
    assert pending(db) == []

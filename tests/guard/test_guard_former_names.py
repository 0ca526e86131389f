"""What takes the name of an audited table that was renamed is found, unless writes through it still reach capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl import database
from auditctl.capture import apply
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit, lines, plan
from tests.support.doctoring import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TABLES: LiteralString = """
    create schema s; create schema t;
    create table s.a (id integer primary key, v text);
    create table s.plain (id integer primary key, v text);
    create function s.nothing() returns trigger language plpgsql as $$ begin return null; end $$;
"""

UNSEEN: list[LiteralString] = [
    "alter table s.a rename to b; create view s.a as select * from s.plain",
    "alter table s.a rename to b; create view s.v as select * from s.plain; create view s.a as select * from s.v",
    "alter table s.a rename to b; create view s.a as select * from s.b; "
    "create trigger t instead of insert on s.a for each row execute function s.nothing()",
    "alter table s.a rename to b; create view s.a as select * from s.b; "
    "create rule r as on insert to s.a do instead insert into s.plain values (new.id, new.v)",
    "alter table s.a rename to b; create materialized view s.a as select * from s.plain",
    "alter table s.a rename to b; create table s.a (id integer) partition by list (id)",
    "alter table s.a rename to b; alter table s.plain rename to a",
    "alter table s.a set schema t; create table s.a (like t.a)",
    "alter schema s rename to u; create schema s; create view s.a as select * from u.plain",
    "alter table s.a rename to b; create table s.a as select * from s.b",
    "alter table s.a rename to b; alter table s.b rename to c; create view s.b as select * from s.plain",
]

SEEN: list[LiteralString] = [
    "alter table s.a rename to b; create view s.a as select * from s.b",
    "alter table s.a rename to b; create view s.v as select * from s.b where id > 0; "
    "create view s.a as select * from s.v",
    "alter table s.a rename to b; create view s.a as select count(*) from s.plain",
    "alter table s.a rename to b; create table s.child (x integer) inherits (s.b); "
    "create view s.a as select * from s.child",
    "alter table s.a rename to b; create index a on s.plain (v)",
]


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with an audited table, and one that is not."""

    def make(dsn: str) -> None:
        with connect(dsn) as conn:
            conn.execute(TABLES)
        audit(dsn, "s.a")

    with prepared(server, template, make) as name:
        yield name


@pytest.mark.parametrize("statements", UNSEEN)
def test_what_takes_the_name_of_an_audited_table_is_found(
    db: str, conn: psycopg.Connection, statements: LiteralString
) -> None:
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    conn.execute(statements)
    (sentence,) = plan(db).unseen
    name = sentence.split()[0]
    assert f"{name} is a " in sentence
    assert any(notice.startswith(f"{name} now names a ") for notice in notices)


@pytest.mark.parametrize("statements", SEEN)
def test_a_view_through_which_every_write_is_captured_is_no_finding(
    db: str, conn: psycopg.Connection, statements: LiteralString
) -> None:
    conn.execute(statements)
    assert plan(db).unseen == ()


@pytest.mark.parametrize("kind", ["table s.a (id integer)", "view s.a as select * from s.plain"])
def test_check_fails_until_somebody_states_that_the_name_is_not_audited(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, kind: str
) -> None:
    conn.execute(f"alter table s.a rename to b; create {kind}".encode())
    assert "warning: s.a is a " in auditctl("check", check=3).err
    assert [finding.object for finding in found(db) if finding.check == "table_renamed"] == ["s.a"]
    with database.connect(db) as session:
        apply.disable(session, "s.a")
    auditctl("check", check=0)
    assert [finding for finding in found(db) if finding.check in ("table_renamed", "rule_broken")] == []


@pytest.mark.parametrize("has_rule", [False, True], ids=["by a glob", "by a rule of its own"])
def test_a_table_that_takes_the_place_of_a_dropped_one_shows_no_more_than_that(
    db: str, conn: psycopg.Connection, has_rule: bool
) -> None:
    conn.execute("create schema u; create table u.b (id int primary key, card text)")
    audit(db, "u.*", on_drop="record")
    audit(db, "u.b", on_drop="record", mask=("card",), label="B")
    conn.execute("create table u.b_new (id int primary key, card text)")
    if has_rule:
        audit(db, "u.b_new", on_drop="record", label="New")
    notices: list[str | None] = []
    conn.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    conn.execute("drop table u.b; alter table u.b_new rename to b; insert into u.b values (1, 'secret')")
    assert notices == [
        "columns of u.b are hidden as its rule says, which was made for another table of that name: card"
    ]
    values = "select new_values from auditctl.event where target = 'u.b' and action = 'CREATE'"
    assert conn.execute(values).fetchall() == [({"id": 1, "card": {"$masked": True}},)]
    rules = conn.execute("select name, label, mask from auditctl.rule where name ~ '^u' order by name").fetchall()
    assert rules == [("u.*", None, None), ("u.b", "New" if has_rule else "B", ["card"])]
    assert lines(plan(db)) == []


def test_a_table_that_takes_a_renamed_ones_place_and_shows_more_is_a_warning(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create schema u; create table u.b (id int primary key, card text)")
    audit(db, "u.*")
    audit(db, "u.b", mask=("card",))
    notices: list[str | None] = []
    conn.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    conn.execute("create table u.b_new (id int primary key, card text)")
    conn.execute("alter table u.b rename to b_old; alter table u.b_new rename to b")
    assert notices == ["columns of u.b that were hidden until now are recorded in the clear as those of u.b: card"]

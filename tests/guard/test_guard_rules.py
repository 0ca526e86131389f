"""No rewrite rule keeps writes from capture that did not do so, in the same words, when capture was installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit, events, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

TABLES: LiteralString = """
    create table other (id integer, v text);
    create table a (id integer primary key, v text);
    create rule known as on delete to a where old.id = 7 do instead nothing;
    create rule logs as on update to a where old.id = 7 do instead insert into other values (old.id, old.v);
    create rule off as on insert to a do instead nothing;
    alter table a disable rule off;
    create table p (id integer, v text) partition by range (id);
    create table p1 partition of p for values from (0) to (10);
    create rule known as on delete to p1 where old.id = 7 do instead nothing;
"""

REPLACED: list[LiteralString] = [
    "create or replace rule known as on delete to a where old.id > 0 do instead nothing",
    "create or replace rule known as on delete to a do instead nothing",
    "create or replace rule known as on delete to a where old.id = 7 do instead delete from other",
    "create or replace rule known as on update to a do instead nothing",
    "create or replace rule logs as on update to a where old.id = 7 do instead nothing",
    "create or replace rule known as on delete to p1 do instead nothing",
    "alter table a enable rule off",
    "alter table a enable always rule off",
    "alter table a enable always rule known",
    "alter table a enable replica rule known",
    "create rule twin as on delete to a where old.id = 7 do instead nothing",
    "begin; drop rule known on a; create rule known as on delete to a do instead nothing; commit",
    "begin; drop rule known on p1; create rule known as on delete to p do instead nothing; commit",
    "begin; alter rule known on a rename to x; create rule known as on delete to a do instead nothing; commit",
    "begin; alter table other rename to former; create table other (id integer, v text); "
    "create or replace rule logs as on update to a where old.id = 7 do instead insert into other values "
    "(old.id, old.v); commit",
    "begin; alter table a disable rule known; create rule x as on delete to a do instead nothing; commit",
]

UNCHANGED: list[LiteralString] = [
    "alter rule known on a rename to renamed",
    "alter table a disable rule known",
    "drop rule known on a",
    "create or replace rule known as on delete to a   where   old.id=7 do instead nothing",
    "alter table other rename to others; alter table a add column w integer",
    "alter table other rename column v to w; alter table a add column w integer",
    "alter table a rename to b; alter table b rename column v to w",
]


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with audited tables that have INSTEAD rules, one of them disabled."""

    def make(dsn: str) -> None:
        with connect(dsn) as conn:
            conn.execute(TABLES)
        audit(dsn, "a", "p")

    with prepared(server, template, make) as name:
        yield name


@pytest.mark.parametrize("statements", REPLACED)
def test_a_rule_that_takes_the_place_of_writes_cannot_be_replaced(
    db: str, conn: psycopg.Connection, statements: LiteralString
) -> None:
    with pytest.raises(psycopg.DatabaseError, match="would keep writes from its triggers") as caught:
        for statement in statements.split("; "):
            conn.execute(statement)
    assert caught.value.sqlstate == "UA003"
    conn.execute("rollback")
    conn.execute("insert into a values (1, 'x'); delete from a")
    assert [event[1] for event in events(conn, "public.a")] == ["CREATE", "DELETE"]


@pytest.mark.parametrize("statements", UNCHANGED)
def test_a_rule_that_does_the_same_as_before_is_left_alone(
    db: str, conn: psycopg.Connection, statements: LiteralString
) -> None:
    conn.execute(statements)
    planned = plan(db)
    assert (planned.pending, planned.unseen) == ((), ())


@pytest.mark.usefixtures("unguarded")
def test_check_finds_rules_that_were_replaced_while_the_guard_was_off(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl("check", check=0)
    conn.execute("create or replace rule known as on delete to a do instead nothing")
    result = auditctl("check", check=3)
    assert "rule known keeps writes to public.a from its triggers" in result.err

"""A tenant's schema is dropped and restored beside the others, and is audited all the while."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from tests.support.capturing import audit, events, pending, triggers
from tests.support.dumps import run

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow

TENANT: LiteralString = """
    create schema t1;
    create type t1.mood as enum ('good');
    create table t1.customer (id integer primary key, mood t1.mood);
    create table t1.orders (id integer generated always as identity primary key, customer int references t1.customer);
    create table t1.p (id integer primary key) partition by range (id);
    create table t1.p1 partition of t1.p for values from (0) to (10);
    create table t1.q partition of t1.p for values from (10) to (20) partition by range (id);
    create table t1.q1 partition of t1.q for values from (10) to (20);
    create table t1.parent (id integer primary key);
    create table t1.child (v integer) inherits (t1.parent);
    insert into t1.customer values (1, 'good');
    insert into t1.orders (customer) values (1);
    insert into t1.p values (1), (11);
    insert into t1.child values (1, 2)
"""


def created(conn: psycopg.Connection) -> list[str]:
    """The rows that are recorded as created. With --jobs, pg_restore also truncates each table first."""
    recorded = events(conn, "t1.customer", "t1.orders", "t1.p", "t1.parent")
    return sorted(str(event) for event in recorded if event[1] == "CREATE")


RESTORES: list[list[list[str]]] = [
    [[]],
    [["--jobs=2"]],
    [["--single-transaction"]],
    [["--schema-only"], ["--data-only"]],
    [["--section=pre-data", "--section=data"], ["--section=post-data"]],
]


@pytest.mark.parametrize("ways", RESTORES, ids=lambda ways: "then".join(" ".join(way) for way in ways) or "plain")
def test_a_dump_of_a_tenant_is_restored_beside_the_others_with_every_row_recorded(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, tmp_path: Path, ways: list[list[str]]
) -> None:
    audit(db, "t*.*", on_drop="record", key=("id",))
    conn.execute(TENANT)
    run(server, "pg_dump", "--format=custom", "--schema=t1", f"--file={tmp_path / 't1.dump'}", db)
    before = triggers(conn)
    recorded = created(conn)
    conn.execute("drop schema t1 cascade")
    assert pending(db) == []
    for options in ways:
        run(server, "pg_restore", "--exit-on-error", *options, f"--dbname={db}", tmp_path / "t1.dump")
    assert triggers(conn) == before
    assert created(conn) == sorted(recorded * 2)
    assert pending(db) == []


def test_a_plain_dump_of_a_tenant_is_restored_with_psql(
    server: EmbeddedServer, db: str, conn: psycopg.Connection
) -> None:
    audit(db, "t*.*", on_drop="record", key=("id",))
    conn.execute(TENANT)
    script = run(server, "pg_dump", "--schema=t1", db).stdout
    before = triggers(conn)
    conn.execute("drop schema t1 cascade")
    run(server, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={db}", script=script)
    assert triggers(conn) == before
    assert len(created(conn)) == 10
    assert pending(db) == []

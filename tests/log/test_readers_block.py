"""No reader and no other login holds up those who write to audited tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.security.test_write_once import refused

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ROLES: dict[str, list[str]] = {
    "stranger": [],
    "app": ["auditctl_app"],
    "reader": ["auditctl_reader"],
    "admin": ["auditctl_admin"],
}

MODES = (
    "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip

RELATIONS = ("auditctl.event", "auditctl.event_default", "auditctl.rule", "auditctl.target", "auditctl.rename")

MAINTENANCE = (
    "vacuum full {0}",
    "cluster {0}",
    "reindex table {0}",
    "create index on {0} (target)",
    "create statistics public.s on target, actor from {0}",
    "create table public.referring (at timestamptz, id bigint, foreign key (at, id) references {0})",
    "create publication p for table {0}",
    "select * from {0} for share",
    "select * from {0} for key share",
    "alter table {0} set (autovacuum_enabled = off)",
    "truncate {0}",
    "refresh materialized view {0}",
)

HOLDING = (
    "lock table auditctl.event in access share mode",
    "select * from auditctl.event",
    "select * from auditctl.activity",
    "declare c cursor for select * from auditctl.event",
)

TABLES = """
    create table note (id int primary key generated always as identity, body text);
    grant insert, update, delete, select on note to public; grant create on schema public to public
"""

db_template = begin_with(audited(TABLES, "note"))


@pytest.fixture
def note(db: str) -> str:
    """A database with an audited table that everybody may write, and create in."""
    return db


def refused_or_skipped(session: psycopg.Connection, statement: str) -> str:
    """As `refused`; but VACUUM and its like are skipped with a warning, and run in no transaction."""
    if not statement.startswith(("vacuum", "cluster", "reindex")):
        return refused(session, statement)
    try:
        session.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return "" if statement.startswith("vacuum") else f"{statement}: done"


@pytest.mark.parametrize("role", ROLES)
def test_no_lock_that_stops_a_writer_is_to_be_had(note: str, login: MakeLogin, role: str) -> None:
    with connect(login("member", roles=ROLES[role]).dsn) as session:
        statements = [f"lock table {name} in {mode} mode" for name in RELATIONS for mode in MODES]
        statements += [statement.format(name) for statement in MAINTENANCE for name in RELATIONS[:2]]
        statements += ["lock table auditctl.event", "lock table auditctl.activity in exclusive mode"]
        if role == "stranger":
            statements += HOLDING
        assert [fault for each in statements if (fault := refused_or_skipped(session, each))] == []


def waiting_for_a_lock(conn: psycopg.Connection, pid: int) -> bool:
    """Wait until a session waits for a lock."""
    query: LiteralString = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    while conn.execute(query, [pid]).fetchone() != (True,):
        pass
    return True


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_reader_in_a_long_transaction_stops_no_writer_and_a_new_partition_waits_without_stopping_one(
    note: str, conn: psycopg.Connection, login: MakeLogin, isolation: str
) -> None:
    web = login("web", roles=["auditctl_app"])
    owner = psycopg.pq.PGconn.connect(note.encode())
    with connect(login("reader", roles=["auditctl_reader"]).dsn) as reader, reader.transaction():
        reader.execute(f"set transaction isolation level {isolation}".encode())
        for statement in HOLDING:
            reader.execute(statement.encode())
        reader.execute(
            "select pg_advisory_xact_lock(i), pg_advisory_xact_lock_shared(i, i) from generate_series(0, 9) i"
        )
        # To attach a partition, PostgreSQL looks into the DEFAULT one and lets nobody read it meanwhile.
        owner.send_query(b"select auditctl_internal.create_partitions(9)")
        assert waiting_for_a_lock(conn, owner.backend_pid)
        with connect(web.dsn) as session, session.transaction():
            session.execute(f"set transaction isolation level {isolation}; set local lock_timeout = '5s'".encode())
            session.execute("insert into note (body) values ('x'); update note set body = 'y'")
    made = owner.get_result()
    assert made is not None
    assert made.get_value(0, 0) == b"6"
    owner.finish()
    assert conn.execute("select count(*) from auditctl.event where target = 'public.note'").fetchone() == (2,)


def test_writers_in_serializable_transactions_do_not_fail_each_other_through_the_log(
    note: str, login: MakeLogin
) -> None:
    web = login("web", roles=["auditctl_app"])
    with connect(web.dsn) as one, connect(web.dsn) as other:
        for session in (one, other):
            session.execute("begin isolation level serializable")
        for session in (one, other, one, other):
            session.execute("insert into note (body) values ('x')")
        for session in (one, other):
            session.execute("commit")


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_reader_below_serializable_fails_no_serializable_writer(
    note: str, conn: psycopg.Connection, login: MakeLogin, isolation: str
) -> None:
    conn.execute("create table plain (id int, v int); insert into plain values (1, 1); grant all on plain to public")
    web = login("web", roles=["auditctl_app"])
    with connect(login("reader", roles=["auditctl_reader"]).dsn) as reader, connect(web.dsn) as writer:
        reader.execute(f"begin isolation level {isolation}".encode())
        reader.execute("select * from auditctl.event")
        writer.execute("begin isolation level serializable")
        writer.execute("select * from plain")
        writer.execute("insert into note (body) values ('x')")
        with connect(web.dsn) as other:
            other.execute("begin isolation level serializable; update plain set v = 2; commit")
        reader.execute("select * from plain; commit")
        writer.execute("commit")


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "--target", "note", "--column", "body"),
        ("history", "note", "1"),
        ("show", "1"),
        ("export",),
    ],
    ids=" ".join,
)
def test_the_tool_fails_no_serializable_writer_where_that_is_the_readers_default(
    note: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, arguments: tuple[str, ...]
) -> None:
    conn.execute("create table plain (id int, v int); insert into plain values (1, 1); grant all on plain to public")
    web, reader = login("web", roles=["auditctl_app"]), login("reader", roles=["auditctl_reader"])
    conn.execute(f"alter role {reader.name} set default_transaction_isolation = 'serializable'".encode())
    with connect(web.dsn) as writer, connect(web.dsn) as other:
        writer.execute("begin isolation level serializable")
        writer.execute("select * from plain")
        writer.execute("insert into note (body) values ('x')")
        other.execute("begin isolation level serializable; update plain set v = 2; commit")
        auditctl(*arguments, dsn=reader.dsn, check=0)
        writer.execute("commit")

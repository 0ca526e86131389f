"""While upkeep is between two steps, every table of the log is as write-once as ever, and nobody can divert it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.retaining import fill, hold, keep, months, partitions, recorded, upkeep

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

TABLES = """
    select c.oid::regclass::text from pg_class as c
     where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p') and c.relname ~ '^event'
       and c.relname <> 'event_type'
"""

CHANGES = (
    "update {} set actor = 'mallory'",
    "delete from {}",
    "truncate {}",
)
INSERT = """
    insert into {} (event_id, actor_kind, target, action) overriding system value
    values (1, 'system', 'forged', 'EVENT')
"""


def refuse_everything(dsn: str, changes: tuple[str, ...], sqlstates: set[str]) -> int:
    """Try every change on every table of the log in a session; returns how many tables there are."""
    with connect(dsn) as session:
        tables = [name for (name,) in session.execute(TABLES).fetchall()]
        for table in tables:
            for change in changes:
                with pytest.raises(psycopg.DatabaseError) as refused:
                    session.execute(change.format(table).encode())
                assert refused.value.sqlstate in sqlstates, (table, change)
    return len(tables)


def test_the_log_and_its_copies_are_write_once_between_all_steps(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    fill(conn, "2001-02-03", "billing.customer")
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    hold(conn, "billing.customer", "7")
    others = [
        login("other", roles=roles).dsn
        for roles in (
            ["auditctl_admin"],
            ["auditctl_app"],
            ["auditctl_reader"],
            ["pg_write_all_data", "pg_read_all_data"],
        )
    ]
    counted = []
    with connect(db) as session:
        while True:
            number = refuse_everything(db, CHANGES, {"UA001"})
            as_owner = psycopg.conninfo.make_conninfo(
                db, options="-c role=auditctl_owner -c session_replication_role=replica"
            )
            refuse_everything(as_owner, CHANGES, {"UA001"})
            for other in others:
                refuse_everything(other, (*CHANGES, INSERT), {"42501", "UA001"})
            counted.append(number)
            if session.execute("select auditctl.maintain_step()").fetchone() == (None,):
                break
    # Before; begun and copied, with the copy, its months and its own default; done; two months with survivors.
    assert counted == [7, 10, 10, 8, 8, 8]
    assert len(recorded(conn)) == 2


def test_writes_in_replica_mode_are_moved_too(db: str, conn: psycopg.Connection) -> None:
    fill(conn, "2001-02-03", "billing.customer")
    with connect(db) as session:
        session.execute("select auditctl.maintain_step()")
        conn.execute("set session_replication_role = replica")
        fill(conn, "2001-02-05", "billing.invoice")
        everything = recorded(conn)
    upkeep(db)
    assert recorded(conn) == everything
    assert "event_2001_02" in partitions(conn)


def test_a_write_does_not_fail_where_the_copy_was_dropped_and_copying_starts_anew(
    db: str, conn: psycopg.Connection
) -> None:
    fill(conn, "2001-02-03", "billing.customer")
    conn.execute("select auditctl.maintain_step()")
    conn.execute("drop table auditctl.event_moving")
    fill(conn, "2001-02-05", "billing.invoice")
    everything = recorded(conn)
    assert [step["state"] for step in upkeep(db)] == ["begun", "copied", "done"]
    assert recorded(conn) == everything


def test_a_copy_that_lacks_an_event_does_not_take_the_place_of_the_original(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    fill(conn, "2001-02-03", "billing.customer")
    conn.execute("select auditctl.maintain_step()")
    conn.execute("alter table auditctl.event_default disable trigger event_mirrored")
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, target, action) "
        "values (timestamptz '-infinity', 'system', 'own.x', 'EVENT')"
    )
    conn.execute("alter table auditctl.event_default enable always trigger event_mirrored")
    conn.execute("update auditctl.maintenance set (moved_at, moved_id) = ('2001-02-03 04:00+00', 0)")
    everything = recorded(conn)
    refused = auditctl("maintain", check=5).err
    assert refused.startswith("error: the DEFAULT partition holds 11 events and its copy ")
    assert recorded(conn) == everything
    with connect(db) as session:
        session.execute(refused.rpartition(": ")[2].encode())
    auditctl("maintain", check=0)
    assert recorded(conn) == everything


def test_upkeep_reads_what_is_committed_or_nothing(db: str, conn: psycopg.Connection) -> None:
    with connect(db) as session:
        session.execute("set default_transaction_isolation = 'repeatable read'")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="isolation level read committed") as error:
            session.execute("select auditctl.maintain_step()")
        session.execute(str(error.value.diag.message_hint).rpartition(": ")[2].encode())
        session.execute("select auditctl.maintain_step()")


def test_a_transaction_that_forgets_to_end_a_step_is_ended(db: str) -> None:
    with connect(db) as session:
        session.execute("begin; select auditctl.maintain_step()")
        assert session.execute("show idle_in_transaction_session_timeout").fetchone() == ("10s",)


def test_what_lies_on_an_administrators_search_path_is_not_run(db: str, login: MakeLogin) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        session.execute("""
            create temp table event_default (occurred_at timestamptz);
            create temp table maintenance (ran_at timestamptz);
            create function pg_temp.maintain_step() returns jsonb language sql as $$ select '{"step": "mine"}'::jsonb $$
            ;
            set search_path = pg_temp, pg_catalog
        """)
        session.execute("call auditctl.maintain()")
        assert session.execute("select count(*) from pg_temp.maintenance").fetchone() == (0,)
        assert session.execute("select ran_at is not null from auditctl.maintenance").fetchone() == (True,)


def test_without_a_superuser_upkeep_does_the_same(empty_db: str, auditctl: RunAuditctl, login: MakeLogin) -> None:
    dba = login("dba", dsn=empty_db, attributes="createrole")
    with connect(empty_db) as conn:
        conn.execute(f"grant create on database {conn.info.dbname} to {dba.name}".encode())
        for role in ("auditctl_owner", "auditctl_admin"):
            conn.execute(f"grant {role} to {dba.name}".encode())
        auditctl("install", dsn=dba.dsn, check=0)
        months(conn, "2020-01-01", "2020-02-01")
        fill(conn, "2001-02-03", "billing.customer")
        fill(conn, "2020-01-10", "billing.invoice")
        keep(conn, "*", "400 days")
        hold(conn, "billing.invoice", "7")
        done = auditctl("maintain", dsn=dba.dsn, check=0).out
        assert done == (
            "auditctl.event_default: 10 events moved to auditctl.event_2001_02.\n"
            "auditctl.event_2001_02: 10 events deleted; the partition is gone.\n"
            "auditctl.event_2020_01: 9 events deleted, 1 kept.\n"
            "auditctl.event_2020_02: 0 events deleted; the partition is gone.\n"
        )
        assert len(recorded(conn)) == 1

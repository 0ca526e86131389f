"""The log published by logical replication: a subscriber gets each committed event once, and nothing of upkeep."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg import sql

from tests.backup.test_replicated_log import wait
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.retaining import LONG_AGO, fill, hold, keep, months, upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

pytestmark = pytest.mark.slow

PUBLICATION: LiteralString = """
    create publication auditctl_events for table auditctl.event
    with (publish = 'insert', publish_via_partition_root = true)
"""

SUBSCRIBER: LiteralString = """
    create schema auditctl;
    create table auditctl.event (
        event_id bigint, occurred_at timestamptz, xact_id text, actor_kind text, action text, actor text, ip inet,
        db_user text, target text, target_id text, old_values jsonb, new_values jsonb, context jsonb,
        primary key (occurred_at, event_id)
    )
"""

IDS: LiteralString = "select event_id from auditctl.event order by 1"


@pytest.fixture
def source(db: str) -> Iterator[psycopg.Connection]:
    """A session in the publisher's database, with an audited table."""
    with connect(db) as session:
        session.execute("create table note (id int primary key)")
        audit(db, "note")
        yield session


def ids(conn: psycopg.Connection) -> list[int]:
    return [number for (number,) in conn.execute(IDS).fetchall()]


def test_subscriber_gets_each_committed_event_once_whatever_upkeep_does(
    db: str, empty_db: str, source: psycopg.Connection
) -> None:
    source.execute("insert into note values (1)")
    months(source, "2020-01-01", "2020-02-01")
    fill(source, "2020-01-10", "shop.order", 5)
    fill(source, "2020-01-11", "shop.kept", 2)
    fill(source, "2020-02-10", "shop.order", 5)
    fill(source, "2001-02-03", "shop.order", 4)  # into the DEFAULT partition
    source.execute(PUBLICATION)
    # A subscription in the same server cannot wait for its own slot.
    source.execute("select pg_create_logical_replication_slot('events', 'pgoutput')")
    with connect(empty_db) as there:
        there.execute(SUBSCRIBER)
        there.execute(
            sql.SQL(
                "create subscription events connection {} publication auditctl_events "
                "with (create_slot = false, slot_name = 'events')"
            ).format(sql.Literal(db))
        )
        wait(there, "select bool_and(srsubstate = 'r') from pg_subscription_rel")
        with connect(db) as late:
            late.execute("begin; insert into note values (2); savepoint s; insert into note values (3); rollback to s")
            source.execute("begin; insert into note values (4); rollback")
            source.execute("begin; insert into note values (5); prepare transaction 'late'")
            source.execute("insert into note values (6)")
            late.execute("commit")
        source.execute("commit prepared 'late'")
        everything = set(ids(source))
        hold(source, "shop.kept")
        keep(source, "*", "400 days")
        source.execute(LONG_AGO)
        upkeep(db)
        source.execute("insert into note values (7)")
        left = set(ids(source))
        assert everything - left, "upkeep deleted nothing"
        everything |= left
        wait(there, f"select exists (select from auditctl.event where event_id = {max(left)})")
        assert ids(there) == sorted(everything)
        rows = there.execute("select target_id from auditctl.event where target = 'public.note' order by 1").fetchall()
        assert rows == [("1",), ("2",), ("5",), ("6",), ("7",)]

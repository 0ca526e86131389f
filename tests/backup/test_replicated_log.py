"""The log in logical replication: beside the audited tables, or on each side its own; what mixes both is found."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from auditctl.doctor.model import Finding, Severity
from auditctl.store import install
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.doctoring import carry_out, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

SECONDS = 60
ITEM = "create table item (id integer primary key, v text)"
ROOT = "with (publish_via_partition_root = true)"


@pytest.fixture
def source(empty_db: str) -> Iterator[psycopg.Connection]:
    """A session in the publisher's database: with a store of its own, an audited table, and a slot."""
    install(empty_db)
    with connect(empty_db) as session:
        session.execute(ITEM)
        audit(empty_db, "item")
        # A subscription in the same server cannot wait for its own slot.
        session.execute("select pg_create_logical_replication_slot('incoming', 'pgoutput')")
        yield session


def subscribe(conn: psycopg.Connection, source: psycopg.Connection, dsn: str, publication: str) -> None:
    """Publish in one database, subscribe in the other, and wait for the first copy."""
    source.execute(f"create publication outgoing {publication}".encode())
    statement = sql.SQL("create subscription incoming connection {} publication outgoing with (create_slot = false)")
    conn.execute(statement.format(sql.Literal(dsn)))
    wait(conn, "select bool_and(srsubstate = 'r') from pg_subscription_rel")


def wait(conn: psycopg.Connection, question: str) -> None:
    """Wait until the answer is yes."""
    limit = time.monotonic() + SECONDS
    while conn.execute(question.encode()).fetchone() != (True,):
        assert time.monotonic() < limit, f"never came true: {question}"
        time.sleep(0.05)


def events(conn: psycopg.Connection) -> list[tuple[int, str]]:
    return conn.execute(
        "select event_id, target_id from auditctl.event where target = 'public.item' order by occurred_at"
    ).fetchall()


def findings(dsn: str) -> list[Finding]:
    return [finding for finding in found(dsn) if finding.check == "log_subscribed"]


def test_a_log_that_is_replicated_and_captured_too_is_found_and_repaired(
    db: str, empty_db: str, conn: psycopg.Connection, source: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute(ITEM)
    audit(db, "item")
    subscribe(conn, source, empty_db, f"for table item, auditctl.event {ROOT}")
    source.execute("insert into item values (1, 'x')")
    wait(conn, "select count(*) = 2 from auditctl.event where target = 'public.item'")
    twice = Finding(
        Severity.WARNING, "log_subscribed", "public.item",
        "Logical replication mixes two logs: each change of public.item is in the log twice, as its event comes from "
        "the publisher and capture here records it again.",
        "auditctl disable public.item",
    )  # fmt: skip
    assert [finding for finding in findings(db) if finding.object != "auditctl.event.event_id"] == [twice]
    checked = auditctl("check", check=3)
    assert "public.item is in the log twice" in checked.err
    assert "numbers that events of the publisher have" in checked.err

    carry_out(twice.remedy, db, auditctl)
    (numbers,) = findings(db)
    carry_out(numbers.remedy, db, auditctl)
    assert findings(db) == []
    auditctl("check", check=0)
    source.execute("insert into item values (2, 'y')")
    wait(conn, "select count(*) = 3 from auditctl.event where target = 'public.item'")
    assert events(conn)[-1] == events(source)[-1]
    auditctl("grant", "reader", conn.info.user, check=0)
    assert conn.execute("select min(event_id) from auditctl.event where target = 'auditctl.role'").fetchone() == (
        10**15,
    )


def test_a_log_of_its_own_on_each_side_is_no_finding(
    db: str, empty_db: str, conn: psycopg.Connection, source: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute(ITEM)
    audit(db, "item")
    subscribe(conn, source, empty_db, "for table item")
    source.execute("insert into item values (1, 'x')")
    wait(conn, "select count(*) = 1 from auditctl.event where target = 'public.item'")
    assert findings(db) == []
    auditctl("check", check=0)


def test_tables_of_the_store_that_replication_writes_are_found(
    db: str, empty_db: str, conn: psycopg.Connection, source: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute(ITEM)
    subscribe(conn, source, empty_db, "for table auditctl.rule, auditctl.read_site")
    assert [finding.object for finding in findings(db)] == ["auditctl.read_site", "auditctl.rule"]
    checked = auditctl("check", check=3)
    assert "replication writes auditctl.rule, which describes this database" in checked.err

"""`auditctl maintain --index-values` indexes the recorded values of the months that are over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.log.test_filters import found
from tests.support.retaining import fill, index_a_part, keep, months, recorded

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

INDEXES = """
    select x.indrelid::regclass::text, count(*)
      from pg_index as x
     where obj_description(x.indexrelid, 'pg_class') = 'Leads filters to recorded values; made by auditctl maintain'
     group by 1 order by 1
"""
STATISTICS = "select count(distinct tablename) from pg_stats where tablename ~ 'values'"
"""The indexes of which the planner knows what is common."""

BOTH = [("auditctl.event_2020_01", 1), ("auditctl.event_2020_02", 1)]


def old_months(conn: psycopg.Connection) -> None:
    """Two months with events, and one without."""
    months(conn, "2020-01-01", "2020-03-01")
    fill(conn, "2020-01-10", "shop.order")
    fill(conn, "2020-02-10", "shop.item")


def test_maintain_indexes_the_values_of_months_with_events_that_are_over_and_drops_the_indexes(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    old_months(conn)
    before, admin = recorded(conn), login("admin", roles=["auditctl_admin"])
    due = json.loads(auditctl("maintain", "--index-values", "--dry-run", "--format", "json", check=0).out)
    assert [(one["step"], one["partition"], one["reason"]) for one in due] == [
        ("index", "auditctl.event_2020_02", "The month is over, and its values have no index."),
        ("index", "auditctl.event_2020_01", "The month is over, and its values have no index."),
    ]
    assert auditctl("maintain", dsn=admin.dsn, check=0).err == "Nothing to do.\n"
    assert auditctl("maintain", "--index-values", dsn=admin.dsn, check=0).out == (
        "auditctl.event_2020_02: values indexed.\nauditctl.event_2020_01: values indexed.\n"
    )
    assert conn.execute(INDEXES).fetchall() == BOTH
    assert conn.execute(STATISTICS).fetchone() == (2,)
    assert auditctl("maintain", "--index-values", dsn=admin.dsn, check=0).err == "Nothing to do.\n"
    assert auditctl("maintain", dsn=admin.dsn, check=0).err == "Nothing to do.\n"
    assert auditctl("maintain", "--no-index-values", dsn=admin.dsn, check=0).out == (
        "auditctl.event_2020_02: indexes of values dropped.\nauditctl.event_2020_01: indexes of values dropped.\n"
    )
    assert conn.execute(INDEXES).fetchall() == []
    steps = conn.execute("""
        select new_values ->> 'step', new_values ->> 'month', (new_values ->> 'bytes')::bigint > 0
          from auditctl.event where target = 'auditctl.partition' and actor = %s order by event_id
    """, [admin.name]).fetchall()  # fmt: skip
    assert steps == [(step, month, True) for step in ("index", "unindex") for month in ("2020-02", "2020-01")]
    assert recorded(conn) == before


def test_a_session_can_ask_for_the_indexes_by_a_setting(db: str, conn: psycopg.Connection) -> None:
    old_months(conn)
    with connect(db) as scheduler:
        scheduler.execute("set auditctl.index_values = on")
        scheduler.execute("call auditctl.maintain()")
    assert conn.execute(INDEXES).fetchall() == BOTH


def test_a_mistake_in_the_setting_is_warned_of_and_stops_no_upkeep(db: str, conn: psycopg.Connection) -> None:
    old_months(conn)
    keep(conn, "*", "1 day")
    warnings: list[str | None] = []
    with connect(db) as scheduler:
        scheduler.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
        scheduler.execute("set auditctl.index_values = maybe")
        scheduler.execute("call auditctl.maintain()")
    assert 'auditctl.index_values is "maybe", neither on nor off: no indexes of values are made or dropped' in warnings
    assert conn.execute("select count(*) from auditctl.event where target like 'shop.%'").fetchone() == (0,)


def test_an_event_that_is_added_to_an_indexed_month_is_found(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    old_months(conn)
    auditctl("maintain", "--index-values", check=0)
    fill(conn, "2020-01-20", "shop.order", 3)
    conn.execute("set enable_seqscan = off")
    assert [len(found(conn, became=f"n={n}")) for n in (3, 10, 11)] == [3, 2, 0]


def test_a_month_of_which_some_events_expire_keeps_its_indexes(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    old_months(conn)
    fill(conn, "2020-01-20", "shop.item")
    keep(conn, "*", "400 days")
    keep(conn, "shop.item", "forever")
    expired = auditctl("maintain", "--index-values", check=0).out
    assert expired.startswith("auditctl.event_2020_01: 10 events deleted, 10 kept.\n")
    fill(conn, "2020-01-25", "shop.order")
    assert auditctl("maintain", check=0).out == "auditctl.event_2020_01: 10 events deleted, 10 kept.\n"
    assert conn.execute(INDEXES).fetchall() == BOTH
    assert auditctl("maintain", "--no-index-values", check=0).out.count("dropped") == 2
    assert conn.execute(INDEXES).fetchall() == []


def test_the_index_of_a_month_that_is_over_replaces_that_of_its_past_hours(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    old_months(conn)
    index_a_part(conn, "2020-01-01", "2020-01-05 00:00+00")
    out = auditctl("maintain", "--index-values", check=0).out
    assert out.splitlines() == [
        "auditctl.event_2020_02: values indexed.",
        "auditctl.event_2020_01: values indexed.",
        "auditctl.event_2020_01: indexes of values dropped.",
    ]
    assert conn.execute(INDEXES).fetchall() == BOTH
    assert conn.execute("select auditctl.values_indexed_until()").fetchone() == (None,)


def test_a_month_that_a_transaction_writes_to_is_indexed_later(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    old_months(conn)
    with connect(db) as writer, writer.transaction():
        fill(writer, "2020-02-20", "shop.item")
        busy = auditctl("maintain", "--index-values", check=5)
        assert busy.out == "auditctl.event_2020_01: values indexed.\n"
        assert busy.err.startswith(
            "error: auditctl.event_2020_02 is in use by a transaction that does not end (process"
        )
    assert auditctl("maintain", "--index-values", check=0).out == "auditctl.event_2020_02: values indexed.\n"

"""Upkeep makes partitions, empties the DEFAULT partition, and ends what has expired; the rest stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.retaining import fill, hold, keep, months, partitions, recorded, upkeep
from tests.support.schema import describe

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow

NEWEST = ["event_default"]


def test_events_of_the_default_partition_go_to_months_of_their_own_unchanged(db: str, conn: psycopg.Connection) -> None:
    whole = describe(conn)
    standard = partitions(conn)
    for day in ("2001-02-03", "2001-02-05", "2019-12-31", "2031-12-01"):
        fill(conn, day, "billing.customer", 40)
    before = recorded(conn)
    done = upkeep(db)
    assert [step["state"] for step in done] == ["begun", "copied", "done"]
    assert done[-1]["events"] == {
        "auditctl.event_2001_02": 80, "auditctl.event_2019_12": 23, "auditctl.event_2020_01": 17,
        "auditctl.event_2031_12": 40,
    }  # fmt: skip
    assert recorded(conn) == before
    made = ["event_2001_02", "event_2019_12", "event_2020_01", "event_2031_12"]
    assert partitions(conn) == sorted([*standard, *made])
    assert conn.execute("select count(*) from only auditctl.event_default").fetchone() == (0,)
    for name in made:
        conn.execute(f"drop table auditctl.{name}".encode())
    assert describe(conn) == whole
    assert upkeep(db) == []


def test_a_missing_month_is_made(db: str, conn: psycopg.Connection) -> None:
    whole = describe(conn)
    name = partitions(conn)[2]
    conn.execute(f"drop table auditctl.{name}".encode())
    assert [(step["step"], step["partition"]) for step in upkeep(db)] == [("create", f"auditctl.{name}")]
    assert describe(conn) == whole


def test_a_month_whose_time_is_over_is_dropped(db: str, conn: psycopg.Connection) -> None:
    standard = partitions(conn)
    months(conn, "2020-01-01", "2020-03-01")
    fill(conn, "2020-01-10", "billing.customer", 5)
    fill(conn, "2020-03-10", "billing.invoice", 6)
    keep(conn, "*", "400 days")
    done = upkeep(db)
    assert [(s["partition"], s["dropped"], s["kept"], s["before"], s["after"]) for s in done] == [
        ("auditctl.event_2020_01", 5, 0, {"CREATE": 5}, {}),
        ("auditctl.event_2020_02", 0, 0, {}, {}),
        ("auditctl.event_2020_03", 6, 0, {"CREATE": 6}, {}),
    ]
    assert partitions(conn) == standard
    assert recorded(conn) == []
    assert upkeep(db) == []


def test_what_is_kept_longer_or_held_stays_byte_for_byte(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    described = [row for row in describe(conn)["indexes"] if row[1] == "event_2020_01"]
    whole = describe(conn)
    for target in ("billing.customer", "billing.invoice", "shop.order", "shop.item"):
        fill(conn, "2020-01-10", target)
    keep(conn, "*", "400 days")
    keep(conn, "billing.i*", "100 years")
    hold(conn, "shop.o*", "7")
    hold(conn, "shop.item")
    wanted = recorded(
        conn,
        "e.target in ('billing.invoice', 'shop.item') or e.target = 'shop.order' and e.target_id = '7'",
    )
    done = upkeep(db)
    assert [(s["partition"], s["dropped"], s["kept"]) for s in done] == [("auditctl.event_2020_01", 19, 21)]
    assert recorded(conn) == wanted
    assert [row for row in describe(conn)["indexes"] if row[1] == "event_2020_01"] == described
    assert describe(conn) == whole
    assert upkeep(db) == []


def test_what_was_noted_of_imported_lines_goes_with_their_events(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        insert into auditctl.read_line (line_key, logged_at)
        values (gen_random_uuid(), now() - interval '500 days'), (gen_random_uuid(), now() - interval '300 days')
    """)
    noted = "select count(*) from auditctl.read_line"
    upkeep(db)
    assert conn.execute(noted).fetchone() == (2,)
    keep(conn, "*", "400 days")
    upkeep(db)
    assert conn.execute(noted).fetchone() == (1,)

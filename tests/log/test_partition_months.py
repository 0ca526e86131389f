"""Monthly partitions of the log: bounded in UTC, made again and again without harm."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from auditctl import store
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow

BOUNDS = """
    select relid::regclass::text, pg_get_expr(c.relpartbound, c.oid)
      from pg_partition_tree('auditctl.event') join pg_class as c on c.oid = relid
     where isleaf order by 1
"""


def month(offset: int) -> date:
    today = datetime.now(UTC).date()
    index = today.year * 12 + today.month - 1 + offset
    return date(index // 12, index % 12 + 1, 1)


def partition(offset: int) -> tuple[str, str]:
    first, following = month(offset), month(offset + 1)
    return (
        f"auditctl.event_{first:%Y_%m}",
        f"FOR VALUES FROM ('{first} 00:00:00+00') TO ('{following} 00:00:00+00')",
    )


def partitions(conn: psycopg.Connection) -> list[tuple[str, str]]:
    with conn.transaction():
        conn.execute("set local time zone 'UTC'")
        return conn.execute(BOUNDS).fetchall()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"])
def test_install_makes_this_month_and_three_ahead_in_utc(empty_db: str, zone: str) -> None:
    store.install(f"{empty_db} options='-c TimeZone={zone} -c DateStyle=German'")
    with connect(empty_db) as conn:
        assert partitions(conn) == [*(partition(n) for n in range(4)), ("auditctl.event_default", "DEFAULT")]


def test_events_go_to_the_partition_of_their_month_in_utc(conn: psycopg.Connection) -> None:
    this, following = (datetime(*month(n).timetuple()[:3], tzinfo=UTC) for n in (0, 1))
    ids = record(conn, Recorded(at=this), Recorded(at=following), Recorded(at=datetime(2001, 1, 1, tzinfo=UTC)))
    assert conn.execute(
        "select tableoid::regclass::text from auditctl.event where event_id = any (%s) order by event_id", [ids]
    ).fetchall() == [(partition(0)[0],), (partition(1)[0],), ("auditctl.event_default",)]


def test_making_partitions_again_makes_none(conn: psycopg.Connection) -> None:
    before = partitions(conn)
    assert conn.execute(
        "select auditctl_internal.create_partitions(), auditctl_internal.create_partitions(0)"
    ).fetchone() == (0, 0)
    assert conn.execute("select auditctl_internal.create_partition(%s)", [month(0)]).fetchone() == (None,)
    assert partitions(conn) == before
    assert conn.execute(
        "select auditctl_internal.create_partitions(5), auditctl_internal.create_partitions(5)"
    ).fetchone() == (2, 0)
    assert partitions(conn) == [*(partition(n) for n in range(6)), ("auditctl.event_default", "DEFAULT")]


def test_any_day_names_its_month_and_the_partition_is_named_and_commented(conn: psycopg.Connection) -> None:
    conn.execute("set role auditctl_owner")
    assert conn.execute("select auditctl_internal.create_partition('1999-12-31')::text").fetchone() == (
        "auditctl.event_1999_12",
    )
    assert conn.execute(
        "select obj_description('auditctl.event_1999_12'::regclass), pg_get_userbyid(relowner)::text "
        "from pg_class where oid = 'auditctl.event_1999_12'::regclass"
    ).fetchone() == ("Events of 1999-12 (UTC)", "auditctl_owner")


def test_events_of_a_coming_month_in_the_default_partition_do_not_break_install(
    db: str, conn: psycopg.Connection
) -> None:
    name = partition(2)[0]
    conn.execute(f"alter table auditctl.event detach partition {name}; drop table {name}".encode())
    at = datetime(*month(2).timetuple()[:3], tzinfo=UTC)
    (early,) = record(conn, Recorded(at=at))
    assert store.install(db).changed is False
    assert [found for found, _ in partitions(conn)] == [
        *(partition(n)[0] for n in (0, 1, 3)),
        "auditctl.event_default",
    ]
    assert conn.execute("select to_regclass(%s)", [name]).fetchone() == (None,)
    assert conn.execute(
        "select tableoid::regclass::text from auditctl.event where event_id = %s", [early]
    ).fetchall() == [("auditctl.event_default",)]


def test_install_makes_the_months_that_are_missing(db: str, conn: psycopg.Connection) -> None:
    name, bounds = partition(3)
    conn.execute(f"alter table auditctl.event detach partition {name}; drop table {name}".encode())
    assert store.install(db).changed is False
    assert (name, bounds) in partitions(conn)
    guards = "select count(*) from pg_trigger where tgrelid = %s::regclass and tgenabled = 'A'"
    assert conn.execute(guards, [name]).fetchone() == (2,)
    owner = "select pg_get_userbyid(relowner)::text from pg_class where oid = %s::regclass"
    assert conn.execute(owner, [name]).fetchone() == ("auditctl_owner",)

"""`auditctl stats`: what it counts is what an independent count finds, and its bytes are PostgreSQL's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl import clock, database
from auditctl.log.filters import Filters
from auditctl.log.stats import count, model
from auditctl.log.stats.model import DIMENSIONS
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.recorded import Recorded, label, record

if TYPE_CHECKING:
    from auditctl.log.stats.model import Statistics
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

COUNT = """
    select target, to_char(occurred_at at time zone 'UTC', 'YYYY-MM'), action::text, count(*),
           to_char(min(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           to_char(max(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      from auditctl.event group by 1, 2, 3 order by target collate "C", 2, 3
"""
SIZES = """
    select c.relname::text, pg_total_relation_size(c.oid), c.relname = 'event_default'
      from pg_partition_tree('auditctl.event') as t join pg_class as c on c.oid = t.relid where t.isleaf
"""
MANY = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
    select now() - %s * (i / 20000.0) * interval '1 day', 'a', 'application', 'shop.t' || i %% 3, i::text,
           (array['CREATE', 'UPDATE']::auditctl.action[])[1 + i %% 2], jsonb_build_object('n', repeat('x', i %% 200))
      from generate_series(0, 19999) as i
"""


def read(dsn: str, *, estimate: bool = False, **filters: str) -> Statistics:
    with database.connect(dsn) as conn:
        return count.count_events(conn, Filters.parse({k: [v] for k, v in filters.items()}), estimate=estimate)


def counted(found: Statistics) -> list[tuple[Any, ...]]:
    return [(g.target, g.month, str(g.action), g.events, g.oldest, g.newest) for g in found.groups]


def total_size(conn: psycopg.Connection) -> int:
    return sum(size for _, size, _ in conn.execute(SIZES))


def fill(dsn: str) -> None:
    large = Recorded(target="billing.report", action="EVENT", new=f'{{"a": "{"y" * 50_000}"}}')
    with connect(dsn) as conn:
        conn.execute(MANY, [40])
        record(conn, *(large for _ in range(9)))
        label(conn, "shop.t1", "Thing")


db_template = begin_with(fill, fixture="filled")


@pytest.fixture
def filled(db: str) -> str:
    """A log of some months, a part of which lies in the DEFAULT partition."""
    return db


def test_events_are_counted_as_an_independent_count_does(filled: str, conn: psycopg.Connection) -> None:
    found = read(filled)
    assert found.is_estimate is False
    assert counted(found) == conn.execute(COUNT).fetchall()
    assert found.total.events == sum(group.events for group in found.groups)
    assert {group.target: group.label for group in found.groups if group.target.startswith("shop")} == {
        "shop.t0": None, "shop.t1": "Thing", "shop.t2": None,
    }  # fmt: skip
    default = conn.execute("select count(*) from auditctl.event_default").fetchone()
    assert (found.storage.default_events,) == default != (0,)


def test_months_and_hours_are_those_of_the_time_zone(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    moments = ("2026-02-28T22:59:59Z", "2026-02-28T23:00:00Z", "2026-03-31T21:59:59Z", "2026-03-31T22:00:00Z")
    record(conn, *(Recorded(at=datetime.fromisoformat(moment)) for moment in moments))
    some = ("stats", "--target", "billing.*", "--until", "2026-05-01", "--by", "month", "--tz", "Europe/Berlin")
    found = json.loads(auditctl(*some, "--format", "json", check=0).out)
    assert [(group["month"], group["events"]) for group in found["groups"]] == [
        ("2026-02", 1), ("2026-03", 2), ("2026-04", 1),
    ]  # fmt: skip
    assert found["groups"][1]["oldest"] == "2026-02-28T23:00:00.000000Z"
    printed = auditctl(*some, "--hour", "23-1", check=0).out.splitlines()
    assert "2026-02-28 to 2026-04-01 (Europe/Berlin)" in printed[0]
    assert [line.split()[:2] + line.split()[-2:] for line in printed[-3:]] == [
        ["2026-02", "1", "02-28", "02-28"],
        ["2026-03", "2", "03-01", "03-31"],
        ["2026-04", "1", "04-01", "04-01"],
    ]
    sunday = (*some, "--weekday", "sun", "--hour", "0")
    assert json.loads(auditctl(*sunday, "--format", "json", check=0).out)["total"]["events"] == 1


def test_a_zone_that_the_server_does_not_know_counts_like_any_other(db: str, conn: psycopg.Connection) -> None:
    record(conn, Recorded(at=datetime(2026, 2, 28, 23, tzinfo=UTC)))
    nowhere = clock.Clock("Nowhere/Here", timezone(timedelta(hours=1)))
    filters = replace(Filters.parse({"target": ["billing.*"]}), zone=nowhere)
    with database.connect(db) as session:
        assert [group.month for group in count.count_events(session, filters).groups] == ["2026-03"]


def test_an_event_without_an_end_is_counted_by_its_hour_too(db: str, conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, target, action)"
        " values ('infinity', 'system', 'billing.never', 'CREATE')"
    )
    of_hours = [read(db, target="billing.never", hour=hours).total.events for hours in ("0-12", "12-0")]
    assert of_hours == [1, 0]


def test_the_bytes_of_all_events_are_what_the_partitions_take(filled: str, conn: psycopg.Connection) -> None:
    found = read(filled)
    assert found.storage.bytes == total_size(conn)
    assert sum(group.bytes for group in found.groups) + found.storage.empty_bytes == found.storage.bytes
    assert found.storage.partitions == len(conn.execute(SIZES).fetchall())
    for name, size, is_default in conn.execute(SIZES).fetchall():
        month = name.removeprefix("event_").replace("_", "-")
        shares = [group.bytes for group in found.groups if group.month == month]
        if (
            shares
            and not is_default
            and not conn.execute(
                "select from auditctl.event_default where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = %s "
                "limit 1",
                [month],
            ).fetchall()
        ):
            assert sum(shares) == size


def test_a_part_of_the_events_has_its_part_of_the_bytes(filled: str, conn: psycopg.Connection) -> None:
    whole = read(filled)
    some = read(filled, target="Thing", action="update")
    assert counted(some) == [row for row in counted(whole) if (row[0], row[2]) == ("shop.t1", "UPDATE")]
    assert [group.bytes for group in some.groups] == pytest.approx(
        [g.bytes for g in whole.groups if (g.target, g.action) == ("shop.t1", "UPDATE")], abs=2
    )
    assert some.storage == whole.storage
    middle = (datetime.now(UTC) - timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    before, after = read(filled, until=middle), read(filled, since=middle)
    assert before.total.events + after.total.events == whole.total.events
    assert before.total.bytes + after.total.bytes == pytest.approx(whole.total.bytes, abs=100)
    assert before.total.newest[:19] < middle[:19] <= after.total.oldest[:19]


def test_large_values_count_with_what_they_take_out_of_line(filled: str, conn: psycopg.Connection) -> None:
    conn.execute("alter table auditctl.event_default alter column new_values set storage external")
    record(conn, *(Recorded(target="billing.large", new=f'{{"a": "{"z" * 100_000}"}}') for _ in range(50)))
    of_target = {group.target: group for group in model.grouped(read(filled).groups, ["target"])}
    assert of_target["billing.large"].bytes > 50 * 100_000


def test_growth_is_that_of_the_last_thirty_days(filled: str, conn: psycopg.Connection) -> None:
    found = read(filled).growth
    row = conn.execute("select count(*) from auditctl.event where occurred_at >= %s", [found.since]).fetchone()
    assert (found.events,) == row
    assert found.days == pytest.approx(30, abs=0.001)
    assert found.events_per_day == pytest.approx(500, rel=0.01)
    assert found.bytes_per_year == found.bytes / found.days * 365


def test_growth_of_a_young_log_is_taken_from_its_first_event_on(db: str, conn: psycopg.Connection) -> None:
    conn.execute(MANY, [5])
    found = read(db).growth
    assert found.days == pytest.approx(5, abs=0.01)
    hours = read(db, since="6h").growth
    assert hours.days == 1
    assert hours.events == pytest.approx(1000, abs=2)
    past = read(db, until="2d").growth
    assert past.days == pytest.approx(3, abs=0.01)


def test_an_estimate_is_near_and_its_bytes_add_up_all_the_same(
    filled: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, small = read(filled), read(filled, estimate=True)
    assert (small.groups, small.is_estimate) == (exact.groups, True)
    monkeypatch.setattr(count, "SAMPLED_PAGES", 50)
    rough = read(filled, estimate=True)
    assert rough.total.events == pytest.approx(exact.total.events, rel=0.5)
    assert rough.total.events != exact.total.events
    assert rough.total.bytes + rough.storage.empty_bytes == rough.storage.bytes == exact.storage.bytes


def test_an_empty_log_reads_well(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    for (partition,) in conn.execute(
        "select relid::regclass::text from pg_partition_tree('auditctl.event')"
    ).fetchall():
        conn.execute(f"alter table {partition} disable trigger user".encode())
    conn.execute("truncate auditctl.event")
    done = auditctl("stats", check=0)
    assert done.err == ""
    first, second, third, fourth = done.out.splitlines()
    assert first == "events:     none"
    assert second.startswith("on disk:    ")
    assert third.startswith("partitions: 5, 5 of them empty (")
    assert fourth == "in DEFAULT: 0 events"
    document = json.loads(auditctl("stats", "--format", "json", check=0).out)
    assert document["total"] == {"events": 0, "bytes": 0, "oldest": None, "newest": None}
    assert document["groups"] == []


def test_json_has_the_documented_keys(filled: str, auditctl: RunAuditctl) -> None:
    document = json.loads(auditctl("stats", "--target", "shop.*", "--format", "json", check=0).out)
    kinds = {key: type(value).__name__ for key, value in document.items()}
    assert kinds == {
        "estimate": "bool", "filters": "dict", "total": "dict", "storage": "dict", "growth": "dict", "groups": "list",
    }  # fmt: skip
    assert document["filters"] == {"target": ["shop.*"]}
    assert list(document["total"]) == ["events", "bytes", "oldest", "newest"]
    assert list(document["storage"]) == [
        "bytes", "index_bytes", "empty_bytes", "partitions", "empty_partitions", "default_events",
    ]  # fmt: skip
    assert list(document["growth"]) == [
        "since", "until", "days", "events", "bytes", "events_per_day", "bytes_per_day", "bytes_per_year",
    ]  # fmt: skip
    assert {tuple(group) for group in document["groups"]} == {
        ("target", "label", "month", "action", "events", "bytes", "oldest", "newest")
    }
    by_action = json.loads(auditctl("stats", "--by", "action", "--format", "json", check=0).out)["groups"]
    assert [(tuple(group), group["action"]) for group in by_action] == [
        (("action", "events", "bytes", "oldest", "newest"), action) for action in ("CREATE", "EVENT", "UPDATE")
    ]
    assert json.loads(auditctl("stats", "--by", "", "--format", "json", check=0).out)["groups"] == []


def test_the_table_fits_eighty_columns(filled: str, auditctl: RunAuditctl) -> None:
    done = auditctl("stats", env={"COLUMNS": "80"}, check=0)
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    header = next(line for line in lines if line.startswith("Target"))
    assert header.split() == ["Target", "Month", "Action", "Events", "Size", "First", "Last"]
    assert "Thing" in done.out
    assert "estimate" not in done.out
    assert "estimate:   from about" in auditctl("stats", "--estimate", "--by", "", check=0).out


@pytest.mark.parametrize("role", ["auditctl_reader", "auditctl_admin"])
def test_a_reader_counts_everything(filled: str, login: MakeLogin, role: str) -> None:
    assert counted(read(login("carol", roles=[role]).dsn)) == counted(read(filled))


@pytest.mark.parametrize("role", ["auditctl_app", None])
def test_an_outsider_is_refused_with_what_to_ask_for(
    filled: str, login: MakeLogin, auditctl: RunAuditctl, role: str | None
) -> None:
    carol = login("carol", roles=[role] if role else [])
    done = auditctl("stats", dsn=carol.dsn, check=5)
    assert done.out == ""
    assert done.err.splitlines()[1] == f"hint: Ask the DBA for: auditctl grant reader {carol.name}"
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(carol.dsn) as session:
        session.execute("select * from auditctl.statistics('auditctl.event_default')")


@pytest.mark.parametrize("table", ["auditctl.event", "auditctl.rule", "pg_catalog.pg_authid", "public.secret"])
def test_a_reader_counts_nothing_but_the_log(db: str, conn: psycopg.Connection, login: MakeLogin, table: str) -> None:
    conn.execute("create table secret (like auditctl.event)")
    query = f"select * from auditctl.statistics('{table}')".encode()
    refusal = pytest.raises(psycopg.errors.InvalidParameterValue, match="is not a partition of the log")
    with psycopg.connect(login("carol", roles=["auditctl_reader"]).dsn) as session, refusal:
        session.execute(query)


def test_what_cannot_be_counted_by_is_refused(db: str, auditctl: RunAuditctl) -> None:
    done = auditctl("stats", "--by", "target,user", check=2)
    assert done.err.startswith("error: Invalid value for '--by': 'user' is not one of target, month, action\n")
    assert auditctl("stats", "--target", "nothing", check=2).err.startswith("error: the log knows no table 'nothing'")


def test_groups_are_put_together_by_any_of_their_dimensions(filled: str) -> None:
    found = read(filled)
    for dimensions in ((), ("target",), ("month", "action"), DIMENSIONS):
        together = model.grouped(found.groups, dimensions)
        assert sum(group.events for group in together) == found.total.events
        assert sum(group.bytes for group in together) == found.total.bytes
        assert len({tuple(getattr(group, name) for name in dimensions) for group in together}) == len(together)

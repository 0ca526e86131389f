"""The overview of a selection: when, of which action, about what and by whom, exact for few and estimated for many."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.actions import Action
from auditctl.log.filters import Filters
from auditctl.log.histogram import counts, intervals
from auditctl.log.histogram.read import Bucket, Histogram, TargetCount, UserCount, read_histogram
from tests.support.recorded import START, Recorded, bulk, label, minutes, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.database import Connection
    from tests.fixtures.databases import MakeLogin

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(db: str) -> Iterator[Connection]:
    """A session of the tool."""
    with database.connect(db) as conn:
        yield conn


def shown(conn: Connection, *, now: datetime | None = None, compare: bool = False, **texts: str) -> Histogram:
    """The overview of what filters select among the events of the tests."""
    given = {name: [text] for name, text in texts.items()}
    return read_histogram(conn, Filters.parse(given, now=now).resolve(conn), compare=compare, now=now)


def filled(found: Histogram) -> list[Bucket]:
    """The buckets that hold events."""
    return [bucket for bucket in found.buckets if bucket.counts]


def test_few_events_are_counted_one_by_one(log: Connection) -> None:
    label(log, "billing.customer", "Customer")
    record(
        log,
        Recorded(at=minutes(0)),
        Recorded(at=minutes(1), action="DELETE"),
        Recorded(at=minutes(1), actor=None, kind="system"),
        Recorded(at=minutes(7), actor="alice", kind="database", target="crm.note"),
    )
    found = shown(log, until="2026-04-01")
    assert (found.since, found.until) == (START, datetime(2026, 4, 1, tzinfo=UTC))
    assert (found.events, found.is_estimate, found.interval.name) == (4, False, "1 day")
    assert filled(found) == [Bucket(HOUR.replace(hour=0), {Action.UPDATE: 3, Action.DELETE: 1})]
    assert len(found.buckets) == 31
    assert found.targets == (
        TargetCount("Customer", "billing.customer", 3),
        TargetCount("crm.note", "crm.note", 1),
    )
    assert found.users == (
        UserCount("alice", "application", 2),
        UserCount("alice", "database", 1),
        UserCount("System", "system", 1),
    )


def test_a_range_is_shown_whole_with_zeros(log: Connection) -> None:
    record(log, Recorded(at=minutes(7)))
    found = shown(log, since="2026-03-01T12:00Z", until="2026-03-01T12:10Z")
    assert [bucket.start for bucket in found.buckets] == [HOUR + timedelta(minutes=count) for count in range(10)]
    assert [sum(bucket.counts.values()) for bucket in found.buckets] == [0] * 7 + [1] + [0] * 2
    none = shown(log, since="2026-03-01T13:00Z", until="2026-03-01T13:10Z")
    assert (len(none.buckets), none.events, none.targets, none.users) == (10, 0, (), ())


def test_an_empty_answer_without_a_range_has_no_buckets(log: Connection) -> None:
    now = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
    found = shown(log, now=now, user="nobody")
    assert found == Histogram(now, now, intervals.INTERVALS[0], (), (), (), 0, is_estimate=False)


def test_one_event_has_one_bucket(log: Connection) -> None:
    record(log, Recorded())
    found = shown(log, target="billing.customer", user="alice")
    assert found.buckets == (Bucket(HOUR, {Action.UPDATE: 1}),)


def test_events_of_the_future_are_shown(log: Connection) -> None:
    late = datetime(2126, 3, 1, tzinfo=UTC)
    record(log, Recorded(at=late))
    assert shown(log, user="alice").buckets == (Bucket(late, {Action.UPDATE: 1}),)
    found = shown(log, since="1d", user="alice")
    assert (found.events, found.since, found.until) == (1, late, late + timedelta(microseconds=1))


def test_a_range_begun_by_since_alone_reaches_until_now(log: Connection) -> None:
    now = HOUR + timedelta(hours=3)
    record(log, Recorded(at=minutes(5)))
    found = shown(log, now=now, since="2026-03-01T12:00Z", user="alice")
    assert (found.since, found.until, found.interval.name) == (HOUR, now, "5 minutes")


def test_a_century_is_cut_to_where_events_are(log: Connection) -> None:
    record(log, Recorded(at=minutes(0)), Recorded(at=minutes(30)))
    found = shown(log, since="36525d", user="alice")
    assert (found.since, found.until) == (START, minutes(30) + timedelta(microseconds=1))
    empty = shown(log, since="0001-01-01", until="9999-12-31", user="nobody")
    assert (empty.events, empty.interval.name, len(empty.buckets)) == (0, "1000 years", 10)


def test_edges_are_those_of_utc_whatever_the_session_and_the_season(log: Connection) -> None:
    log.execute("set timezone = 'Europe/Berlin'")
    spring = datetime(2026, 3, 29, tzinfo=UTC)  # when the clocks of Berlin are put forward
    record(log, *(Recorded(at=spring + timedelta(hours=count, minutes=59)) for count in range(24)))
    found = shown(log, since="2026-03-29", until="2026-03-30")
    assert [bucket.start for bucket in found.buckets] == [
        spring + timedelta(minutes=30 * 2 * count) for count in range(24)
    ]
    assert {sum(bucket.counts.values()) for bucket in found.buckets} == {1}
    assert {bucket.start.utcoffset() for bucket in found.buckets} == {timedelta()}


@pytest.mark.parametrize(
    ("span", "name"),
    [
        (timedelta(minutes=50), "1 minute"),
        (timedelta(hours=5), "5 minutes"),
        (timedelta(hours=15), "15 minutes"),
        (timedelta(days=2), "1 hour"),
        (timedelta(days=15), "6 hours"),
        (timedelta(days=60), "1 day"),
        (timedelta(days=400), "1 week"),
        (timedelta(days=1800), "1 month"),
        (timedelta(days=9000), "1 year"),
    ],
)
def test_about_sixty_buckets_fill_a_range(span: timedelta, name: str) -> None:
    interval = intervals.choose(START, START + span)
    found = intervals.starts(START, START + span, interval)
    assert interval.name == name
    assert 12 <= len(found) <= intervals.MAX_BARS + 1
    assert found[0] <= START < found[1]
    assert found == tuple(sorted(set(found)))


def test_more_than_a_few_are_counted_exactly_where_an_index_leads(log: Connection) -> None:
    made = [
        Recorded(at=minutes(count), actor=["alice", "bob"][count % 2], target=f"t.t{count % 10}")
        for count in range(900)
    ]
    record(log, *made)
    log.execute("vacuum analyze auditctl.event")
    found = shown(log, user="actor:alice")
    assert (found.events, found.is_estimate) == (450, False)
    assert sum(sum(bucket.counts.values()) for bucket in found.buckets) == 450
    assert Counter({target.name: target.events for target in found.targets}) == {f"t.t{n}": 90 for n in (0, 2, 4, 6, 8)}
    assert found.users == (UserCount("alice", "application", 450),)


def test_many_are_estimated_from_a_sample(log: Connection, login: MakeLogin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_SCANNED", 8000)
    monkeypatch.setattr(counts, "MAX_EXACT", 8000)
    bulk(log, 40_000)
    log.execute("vacuum analyze auditctl.event")
    with database.connect(login("auditor", roles=["auditctl_reader"]).dsn) as conn:
        found = shown(conn, target="bulk.row")
    assert found.is_estimate
    assert abs(found.events - 40_000) <= counts.margin(found.events, found.spread) < 20_000
    assert [target.name for target in found.targets] == ["bulk.row"]
    assert found.targets[0].events == pytest.approx(found.events, abs=100)
    assert found.since == datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC)


def test_few_among_many_are_counted_exactly_though_no_index_leads_to_them(
    log: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MAX_SCANNED", 500)
    bulk(log, 4_000)
    record(log, *(Recorded(at=minutes(number), context='{"request_id": "4f2a"}') for number in range(329)))
    log.execute("vacuum analyze auditctl.event")
    found = shown(log, context="request_id=4f2a")
    assert (found.events, found.is_estimate) == (329, False)
    (xact,) = log.execute("select xact_id::text from auditctl.event where target = 'bulk.row' limit 1").fetchone() or ()
    assert (shown(log, xact=xact).events, shown(log, xact=xact).is_estimate) == (4_000, False)


def test_an_estimate_that_takes_too_long_to_be_exact_has_a_margin_that_holds(
    log: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MAX_SCANNED", 1000)
    monkeypatch.setattr(counts, "EXACT_SECONDS", 0.001)
    bulk(log, 4_000)
    record(log, *(Recorded(at=minutes(number), context='{"request_id": "4f2a"}') for number in range(400)))
    log.execute("vacuum analyze auditctl.event")
    found = shown(log, context="request_id=4f2a")
    assert found.is_estimate
    assert abs(found.events - 400) <= counts.margin(found.events, found.spread) < 1_000
    assert log.execute("show statement_timeout").fetchone() == ("0",)

"""Which period is before another, by the clocks of zones, and what is counted in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl import clock
from auditctl.log.histogram import before
from auditctl.log.histogram.read import TargetCount, UserCount
from tests.log.test_histogram import log, shown
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from auditctl.database import Connection

__all__ = ["log"]

BERLIN = clock.parse("Europe/Berlin")
NIGHT = datetime(2026, 10, 25, tzinfo=UTC)


def local(text: str) -> datetime:
    return BERLIN.first(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("since", "until", "earlier", "end"),
    [
        ("2026-10-01", "2026-11-01", "2026-09-01", "2026-10-01"),
        ("2026-03-01", "2026-04-01", "2026-02-01", "2026-03-01"),
        ("2026-10-01", "2027-01-01", "2026-07-01", "2026-10-01"),
        ("2026-11-01", "2026-11-27T18:00", "2026-10-01", "2026-10-27T18:00"),
        ("2026-03-01", "2026-03-30T12:00", "2026-02-01", "2026-03-01"),
        ("2026-10-26", "2026-11-02", "2026-10-19", "2026-10-26"),
        ("2026-10-25", "2026-10-26", "2026-10-24", "2026-10-25"),
        ("2026-10-25", "2026-10-25T18:30", "2026-10-24", "2026-10-24T18:30"),
        ("2026-11-01", "2026-11-02", "2026-10-31", "2026-11-01"),
        ("2026-11-01", "2026-11-01T18:30", "2026-10-31", "2026-10-31T18:30"),
        ("2026-11-01", "2026-11-02T12:00", "2026-10-01", "2026-10-02T12:00"),
        ("2026-10-14T08:00", "2026-10-14T09:00", "2026-10-14T07:00", "2026-10-14T08:00"),
        ("2026-10-14T08:00", "2026-10-16T07:30", "2026-10-12T08:30", "2026-10-14T08:00"),
        ("2026-10-20", "2026-10-25T12:00", "2026-10-14T11:00", "2026-10-20"),  # a night with an hour more
    ],
)
def test_the_period_before_is_as_long_and_ends_where_the_other_begins(
    since: str, until: str, earlier: str, end: str
) -> None:
    step = before.step(local(since), local(until), BERLIN)
    assert (step.back(local(since)), step.back(local(until))) == (local(earlier), local(end))


def test_a_month_is_compared_with_a_month_on_its_first_day_too() -> None:
    since, now = local("2026-11-01"), local("2026-11-01T18:30")
    step = before.step(since, now, BERLIN, is_month=True)
    assert (step.back(since), step.back(now)) == (local("2026-10-01"), local("2026-10-01T18:30"))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(1, 200), st.booleans())  # noqa: DTZ001
def test_whole_days_follow_whole_days(start: datetime, days: int, is_month: bool) -> None:
    day = start.date().replace(day=1) if is_month else start.date()
    since, until = BERLIN.midnight(day), BERLIN.midnight(day + timedelta(days=days))
    step = before.step(since, until, BERLIN)
    assert BERLIN.begins_day(step.back(since))
    assert step.back(until) <= since
    assert step.months or step.back(until) == since


def test_the_same_filters_count_the_period_before_by_the_same_bars(log: Connection) -> None:
    made = [
        *(Recorded(at=local(f"2026-02-{day:02}T12:00"), actor="alice") for day in (1, 1, 28)),
        Recorded(at=local("2026-02-10T12:00"), actor="gone", target="crm.note"),
        *(Recorded(at=local(f"2026-03-{day:02}T12:00"), actor="alice") for day in (1, 29, 31)),
        Recorded(at=local("2026-03-31T23:30"), actor="new"),
        Recorded(at=local("2026-02-10T12:00"), ip="198.51.100.9"),
    ]
    record(log, *made)
    found = shown(log, compare=True, since="2026-03-01", until="2026-04-01", tz=BERLIN.name, ip="203.0.113.0/24")
    earlier = found.before
    assert earlier is not None
    assert (earlier.since, earlier.until) == (local("2026-02-01"), local("2026-03-01"))
    assert (len(found.buckets), earlier.events) == (31, 4)
    assert {day + 1: events for day, events in enumerate(earlier.buckets) if events} == {1: 2, 10: 1, 28: 1}
    assert found.targets == (TargetCount("billing.customer", "billing.customer", 4, 3),)
    assert earlier.targets == (TargetCount("crm.note", "crm.note", 0, 1),)
    assert found.users == (UserCount("alice", "application", 3, 3), UserCount("new", "application", 1, 0))
    assert earlier.users == (UserCount("gone", "application", 0, 1),)


def test_days_that_the_month_lacks_are_counted_and_have_no_bar(log: Connection) -> None:
    record(log, *(Recorded(at=datetime(2026, 1, day, 12, tzinfo=UTC)) for day in (28, 29, 31)))
    found = shown(log, compare=True, since="2026-02-01", until="2026-03-01", user="alice")
    assert found.before is not None
    assert (found.before.events, sum(found.before.buckets), found.before.buckets[-1]) == (3, 1, 1)


def test_a_period_that_is_not_over_is_compared_up_to_now(log: Connection) -> None:
    record(log, *(Recorded(at=datetime(2026, 2, day, 12, tzinfo=UTC)) for day in (1, 9, 10, 20)))
    now = datetime(2026, 3, 10, 6, tzinfo=UTC)
    for until in ("2026-04-01", ""):
        texts = {"since": "2026-03-01", "user": "alice"} | ({"until": until} if until else {})
        found = shown(log, compare=True, now=now, **texts)
        assert found.before is not None
        assert (found.before.until, found.before.events) == (datetime(2026, 2, 10, 6, tzinfo=UTC), 2)


def test_without_a_start_or_over_the_ends_of_time_nothing_is_compared(log: Connection) -> None:
    record(log, Recorded())
    assert shown(log, compare=True, user="alice").before is None
    assert shown(log, compare=True, since="0001-01-01", until="0002-01-01", user="alice").before is None
    assert shown(log, compare=True, since="1900-01-01", user="alice").before is None
    assert shown(log, since="2026-03-01", until="2026-03-02", user="alice").before is None

"""Hours of the week by the clocks of zones: the database, the ranges of the search and Python's zoneinfo agree."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL

from auditctl import clock
from auditctl.log import time_predicates, week
from auditctl.log.filters import Filters
from auditctl.log.week import WeekHours, hour_of_week, microseconds
from tests.log.test_filters import found
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    import psycopg

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca")
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin
    datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York
    datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe, by half an hour
]  # fmt: skip

zones = st.sampled_from(ZONES).map(clock.parse)
near_changes = st.builds(lambda change, seconds: change + timedelta(seconds=seconds),
                         st.sampled_from(CHANGES), st.integers(-90_000, 90_000))  # fmt: skip
anytime = st.integers(0, 4 * 10**15).map(week.moment)
moments = st.one_of(near_changes, anytime)


def by_zoneinfo(moment: datetime, zone: str) -> int:
    local = moment.astimezone(ZoneInfo(zone))
    return local.weekday() * 24 + local.hour


@given(moments, zones)
def test_an_hour_is_the_one_that_the_clock_shows(moment: datetime, zone: clock.Clock) -> None:
    assert hour_of_week(moment, zone) == by_zoneinfo(moment, zone.name)


@given(moments, zones, st.sets(st.integers(0, 167), min_size=1), st.integers(0, 3 * 10**12))
def test_spans_are_in_order_and_hold_just_these_hours(
    moment: datetime, zone: clock.Clock, hours: set[int], length: int
) -> None:
    start = microseconds(moment)
    spans = WeekHours(frozenset(hours), zone).spans(start, start + length)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(set(edges))
    assert not edges or (start <= edges[0] and edges[-1] <= start + length)
    source = random.Random(length)
    near = [edge + step for edge in edges for step in (-1, 0)]
    for place in [*near, *(source.randrange(start, start + length + 1) for _ in range(20))]:
        if start <= place < start + length:
            is_held = any(first <= place < end for first, end in spans)
            assert is_held == (by_zoneinfo(week.moment(place), zone.name) in hours), (place, spans)


@pytest.mark.parametrize("zone", ZONES)
def test_the_database_counts_the_hours_of_a_zone_as_its_rules_do(conn: psycopg.Connection, zone: str) -> None:
    conn.execute("set timezone = 'Asia/Tokyo'")
    source = random.Random(zone)
    some = [change + timedelta(microseconds=source.randint(-(10**11), 10**11)) for change in CHANGES for _ in range(40)]
    some += [change + timedelta(microseconds=step) for change in CHANGES for step in (-1, 0)]
    some += [week.moment(source.randrange(4 * 10**15)) for _ in range(300)]
    query = SQL("select created_on, {} from unnest(%s::timestamptz[]) as created_on").format(
        time_predicates.hour_of_week(clock.parse(zone))
    )
    for moment, hour in conn.execute(query, [some]):
        assert hour == by_zoneinfo(moment, zone), moment


def test_times_at_the_ends_of_the_calendar_have_an_hour(conn: psycopg.Connection) -> None:
    for zone in ZONES:
        query = SQL("select {} from unnest(%s::text[]) as text, cast(text as timestamptz) as created_on").format(
            time_predicates.hour_of_week(clock.parse(zone))
        )
        texts = ["infinity", "-infinity", "0001-01-01 00:00+00", "9999-12-31 23:00+00", "1969-12-31 23:59:59.999999+00"]
        assert all(0 <= hour <= 167 for (hour,) in conn.execute(query, [texts]))


def test_the_hour_that_clocks_show_twice_is_both_and_the_one_that_they_skip_has_no_event(
    conn: psycopg.Connection,
) -> None:
    autumn, spring = datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
    moments = [night + timedelta(hours=hour) for night in (autumn, spring) for hour in range(6)]
    numbers = record(conn, *(Recorded(at=moment) for moment in moments))
    berlin = {"tz": "Europe/Berlin", "target": "billing.*"}
    assert found(conn, hour="2", since="2026-10-25", **berlin) == [numbers[2], numbers[3]]
    assert found(conn, hour="2", until="2026-03-30", **berlin) == []
    assert found(conn, hour="1-4", until="2026-03-30", **berlin) == numbers[8:10]
    assert found(conn, weekday="sat", **berlin) == [numbers[6]]
    assert found(conn, **{"outside-hours": "sun 0-2"}, **berlin) == [*numbers[6:7], *numbers[9:], *numbers[2:6]]


def test_hours_without_a_zone_are_those_of_utc_and_say_so() -> None:
    assert Filters.parse({"hour": ["22-6"]}).describe() == "hour 22-6, hours in UTC"
    both = Filters.parse({"weekday": ["Sat", "sun"], "since": ["2026-01-01"], "tz": ["europe/berlin"]})
    assert both.describe() == "from 2026-01-01, weekday sat or sun, dates and hours in Europe/Berlin"
    assert both.as_dict() == {"since": "2026-01-01", "weekday": ["sat", "sun"], "tz": "Europe/Berlin"}


def test_a_month_begins_at_the_midnight_of_the_zone() -> None:
    values = Filters.parse({"since": ["last-month"], "until": ["this-month"], "tz": ["Europe/Berlin"]}).values
    now = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # in Berlin it is April
    assert values["since"][0].at(now) == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert values["until"][0].at(now) == datetime(2026, 3, 31, 22, tzinfo=UTC)

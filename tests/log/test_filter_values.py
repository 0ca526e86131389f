"""What the texts of filters mean, without a database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from auditctl.errors import UsageError
from auditctl.log.filters import BY_NAME, FILTERS, Filters
from auditctl.log.times import Day
from tests.support.filter_cases import INVALID, RANDOM, VALID

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(("name", "text", "value"), VALID)
def test_text_is_understood(name: str, text: str, value: object) -> None:
    assert Filters.parse({name: [text]}).values == {name: (value,)}


@pytest.mark.parametrize(("name", "text"), INVALID)
def test_text_is_refused_with_a_hint(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({name: [text]})
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_every_filter_is_tested() -> None:
    assert RANDOM.keys() == {row.name for row in FILTERS}
    assert {name for name, _, _ in VALID} == {row.name for row in FILTERS}


@pytest.mark.parametrize("name", [row.name for row in FILTERS])
@pytest.mark.parametrize("text", ["", "a\0b", "\udcff"])
def test_empty_nul_and_undecodable_texts_are_refused(name: str, text: str) -> None:
    if not text and BY_NAME[name].may_be_empty:
        assert Filters.parse({name: [text]}).texts == {name: ("",)}
        return
    with pytest.raises(UsageError, match=f"filter {name}"):
        Filters.parse({name: [text]})


def test_unknown_filter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no filter 'usr'") as caught:
        Filters.parse({"usr": ["x"]})
    assert "user" in caught.value.hint


def test_unknown_action_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"action": ["upsert"]})
    assert caught.value.hint == "Actions: CREATE, READ, UPDATE, DELETE, TRUNCATE, EVENT, BASELINE."


def test_date_in_another_notation_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"since": ["20261123"]})
    assert caught.value.hint == "For UTC write 2026-11-23."


def test_time_without_offset_is_in_the_zone_of_the_machine_and_recorded_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        filters = Filters.parse({"since": ["2026-11-23 20:38"], "until": ["2026-11-23T20:38:00Z"]})
        assert filters.as_dict() == {"since": "2026-11-23T15:08:00Z", "until": "2026-11-23T20:38:00Z"}
        before = datetime.now().astimezone().date()
        (clock,) = Filters.parse({"since": ["00:00"]}).values["since"]
        # Midnight may have passed meanwhile.
        assert clock.moment + timedelta(days=1) in [
            datetime.combine(day, clock.moment.time(), UTC) for day in (before, datetime.now().astimezone().date())
        ]
        # Dates and days are those in UTC, on every machine.
        assert Filters.parse({"since": ["2026-11-23"]}).values["since"][0].moment == datetime(2026, 11, 23, tzinfo=UTC)
        assert Day(1).at(datetime(2026, 11, 23, 2, tzinfo=UTC).astimezone()) == datetime(2026, 11, 22, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_filter_that_takes_one_value_refuses_two() -> None:
    with pytest.raises(UsageError, match="takes one value, not 2"):
        Filters.parse({"ip": ["203.0.113.7", "203.0.113.8"]})


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-23", "2026-11-22"),
        ("2026-11-23", "2026-11-23"),
        ("1h", "2h"),
        ("24h", "1d"),
        ("today", "yesterday"),
        ("1h", "today"),
        ("2026-11-23T11:30:00Z", "1h"),
        ("1h", "2026-11-23T10:00:00Z"),
    ],
)
def test_interval_that_ends_before_it_starts_is_refused(since: str, until: str) -> None:
    with pytest.raises(UsageError, match="is not after"):
        Filters.parse({"since": [since], "until": [until]}, now=NOW)


def test_filters_print_themselves_as_given() -> None:
    texts = {"context": ["b=2", "a=1"], "target": ["billing.*"], "since": ["24h"], "user": []}
    assert Filters.parse(texts).as_dict() == {"since": "24h", "target": ["billing.*"], "context": ["b=2", "a=1"]}
    assert Filters.parse({}).as_dict() == {}

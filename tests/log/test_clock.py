"""Times as clocks of other zones show them, on every day and on the nights when clocks change. Without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from auditctl import clock
from auditctl.errors import UsageError
from auditctl.log.filters import Filters
from auditctl.log.histogram.intervals import INTERVALS, starts
from auditctl.web.render.scale import interval, ticks

BERLIN, NEW_YORK, KOLKATA = (clock.parse(name) for name in ("Europe/Berlin", "America/New_York", "asia/kolkata"))
BY_NAME = {row.name: row for row in INTERVALS}
DAYS = [
    (BERLIN, "2026-03-29", 23),
    (BERLIN, "2026-10-25", 25),
    (BERLIN, "2026-10-14", 24),
    (NEW_YORK, "2026-03-08", 23),
    (NEW_YORK, "2026-11-01", 25),
    (KOLKATA, "2026-10-25", 24),
    (clock.parse("America/Havana"), "2026-11-01", 25),  # clocks show its midnight twice
    (clock.parse("Africa/Cairo"), "2026-04-24", 23),  # clocks skip its midnight
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "moment", "text"),
    [
        (BERLIN, "2026-10-14T14:01:08Z", "14 Oct 2026, 16:01:08 CEST"),
        (BERLIN, "2026-11-14T14:01:08Z", "14 Nov 2026, 15:01:08 CET"),
        (NEW_YORK, "2026-10-14T14:01:08Z", "14 Oct 2026, 10:01:08 EDT"),
        (KOLKATA, "2026-10-14T14:01:08Z", "14 Oct 2026, 19:31:08 IST"),
        (clock.parse("America/Sao_Paulo"), "2026-10-14T14:01:08Z", "14 Oct 2026, 11:01:08 UTC-03:00"),
        (clock.UTC, "2026-10-14T14:01:08Z", "14 Oct 2026, 14:01:08 UTC"),
        (NEW_YORK, "0001-01-01T00:00:00Z", "1 Jan 1, 00:00:00 UTC"),
    ],
)
def test_each_time_carries_the_name_that_its_zone_has_then(zone: clock.Clock, moment: str, text: str) -> None:
    assert zone.text(at(moment)) == text


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_a_day_is_that_of_the_zone_with_all_its_hours(zone: clock.Clock, day: str, hours: int) -> None:
    after = str(date.fromisoformat(day) + timedelta(days=1))
    values = Filters.parse({"since": [day], "until": [after], "tz": [zone.name]}).values
    since, until = values["since"][0].moment, values["until"][0].moment
    assert until - since == timedelta(hours=hours)
    assert zone.local(since).date().isoformat() == day
    assert zone.local(since - timedelta(microseconds=1)).date() == date.fromisoformat(day) - timedelta(days=1)
    bars = starts(since, until, BY_NAME["1 hour"], zone)
    assert [later - bar for bar, later in zip(bars, [*bars[1:], until], strict=True)] == [timedelta(hours=1)] * hours
    assert starts(since, until, BY_NAME["1 day"], zone) == (since,)
    assert starts(since, until, BY_NAME["6 hours"], zone)[0] == since
    assert len(starts(since, until, BY_NAME["6 hours"], zone)) == 4
    assert interval(since, until, zone).endswith(f" {zone.name}")


@pytest.mark.parametrize("zone", [BERLIN, KOLKATA, clock.parse("Australia/Lord_Howe"), clock.parse("Pacific/Apia")])
@pytest.mark.parametrize("row", INTERVALS[:9], ids=lambda row: row.name)
def test_bars_of_any_zone_follow_one_another_without_a_gap(zone: clock.Clock, row: object) -> None:
    for since in (at("2026-04-04T12:34:56Z"), at("2026-10-03T12:34:56Z"), at("2011-12-29T12:34:56Z")):
        until = since + 20 * (row.span or timedelta(days=40 * row.months))  # type: ignore[attr-defined]
        bars = starts(since, until, row, zone)  # type: ignore[arg-type]
        assert bars[0] <= since < bars[1]
        assert list(bars) == sorted(set(bars))
        assert 1 <= len(ticks(bars, zone)) <= 7


def test_an_hour_that_clocks_show_twice_is_two_bars_with_their_own_names() -> None:
    bars = starts(at("2026-10-25T00:00Z"), at("2026-10-25T03:00Z"), BY_NAME["1 hour"], BERLIN)
    assert [interval(bar, bar + timedelta(hours=1), BERLIN) for bar in bars] == [
        "25 Oct 2026, 02:00 CEST – 02:00 CET",
        "25 Oct 2026, 02:00 – 03:00 CET",
        "25 Oct 2026, 03:00 – 04:00 CET",
    ]


def test_local_times_get_their_offset_and_the_zone_is_recorded() -> None:
    filters = Filters.parse({"since": ["2026-10-14 01:30"], "until": ["2026-10-15"], "tz": ["europe/berlin"]})
    assert filters.values["since"][0].moment == at("2026-10-13T23:30:00Z")
    assert filters.as_dict() == {"since": "2026-10-14T01:30:00+02:00", "until": "2026-10-15", "tz": "Europe/Berlin"}
    assert filters.describe() == "from 2026-10-14T01:30:00+02:00, before 2026-10-15, dates in Europe/Berlin"
    again = Filters.parse({name: [str(text)] for name, text in filters.as_dict().items()})
    assert again.values == filters.values


def test_today_begins_at_midnight_of_the_zone() -> None:
    (today,) = Filters.parse({"since": ["today"], "tz": ["Asia/Kolkata"]}).values["since"]
    assert today.at(at("2026-10-14T19:00:00Z")) == at("2026-10-14T18:30:00Z")
    assert today.at(at("2026-10-14T18:00:00Z")) == at("2026-10-13T18:30:00Z")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2026-10-25 02:30", "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"),
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),
    ],
)
def test_a_time_that_clocks_show_twice_or_never_is_refused_with_those_there_are(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"since": [text], "tz": ["Europe/Berlin"]})
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["Berlin", "CEST", "right/Europe/Berlin", "localtime", "../../etc/passwd", "Europe", "a\0b", "\udcff", "+02:00"],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a time zone") as caught:
        Filters.parse({"tz": [name]})
    assert caught.value.hint
    assert ("Europe/Berlin?" in str(caught.value)) == (name in ("Berlin", "right/Europe/Berlin"))


@pytest.mark.parametrize(
    ("name", "guess", "hint"),
    [
        ("New York", "America/New_York?", "Write a name such as"),
        ("Europe/Zürich", "Europe/Zurich?", "Write a name such as"),
        ("calcutta", "Asia/Calcutta?", "Write a name such as"),
        ("Mumbai", "", "Write a name such as"),
        ("Beijing", "", "Write a name such as"),
        ("CEST", "", "An abbreviation may mean several zones."),
        ("IST", "", "An abbreviation may mean several zones."),
        ("UTC+2", "", "UTC+02:00 is named Etc/GMT-2."),
        ("-05:00", "", "UTC-05:00 is named Etc/GMT+5."),
    ],
)
def test_a_zone_is_suggested_only_for_a_place_that_is_spelled_like_it(name: str, guess: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"tz": [name]})
    assert str(caught.value).endswith(f"is not a time zone{'. Did you mean ' + guess if guess else ''}")
    assert caught.value.hint.startswith(hint)
    if "Etc/" in hint:
        assert Filters.parse({"tz": [hint.split()[-1].rstrip(".")]}).zone is not None


def test_only_one_zone_may_be_named() -> None:
    with pytest.raises(UsageError, match="takes one value"):
        Filters.parse({"tz": ["UTC", "Europe/Berlin"]})
    assert Filters.parse({}).clock == Filters.parse({"tz": ["utc"]}).clock == clock.UTC
    assert clock.UTC.midnight(date(2026, 10, 14)) == datetime(2026, 10, 14, tzinfo=UTC)

"""The geometry of the pictures: nothing leaves the plot, heights tell the truth, and intervals leave no gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl.actions import Action
from auditctl.text import iso_utc
from auditctl.web.render import bars as render_bars
from auditctl.web.render.bars import Chart
from auditctl.web.render.scale import interval, level_of, short, ticks

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
moments = st.integers(-62_135_596_800, 253_000_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
Counted = dict[Action, int]

counts = st.dictionaries(st.sampled_from(Action), st.integers(0, 10_000_000), max_size=6)
steps = st.sampled_from(
    [timedelta(minutes=1), timedelta(minutes=15), HOUR, timedelta(hours=6), timedelta(days=1), timedelta(weeks=1)]
)


def drawn(counted: list[Counted], *, start: datetime = MIDNIGHT, step: timedelta = HOUR) -> Chart:
    starts = [start + step * place for place in range(len(counted))]
    return render_bars.draw(list(zip(starts, counted, strict=True)), start, start + step * len(counted))


@given(st.lists(counts, min_size=1, max_size=60))
def test_no_bar_leaves_the_plot_or_its_place(counted: list[Counted]) -> None:
    for bar in drawn(counted).bars:
        assert 0 <= bar.slot_left <= bar.left
        assert bar.left + bar.width <= bar.slot_left + bar.slot_width + 1e-9 <= 100 + 2e-9
        for part in bar.segments:
            assert part.height > 0
            assert part.top >= 0
            assert part.top + part.height <= 100 + 1e-9


@given(st.lists(counts, min_size=1, max_size=60))
def test_each_part_stands_on_the_one_before_and_whatever_happened_is_seen(counted: list[Counted]) -> None:
    for bar, wanted in zip(drawn(counted).bars, counted, strict=True):
        assert {part.action: part.count for part in bar.segments} == {action: n for action, n in wanted.items() if n}
        floor = 100.0
        for part in bar.segments:
            assert part.top + part.height == pytest.approx(floor)
            assert part.height >= render_bars.MIN_HEIGHT - 1e-9
            floor = part.top


@given(st.lists(counts, min_size=1, max_size=60))
def test_bars_are_as_high_as_their_counts_where_they_are_no_higher_than_the_least(counted: list[Counted]) -> None:
    found = drawn(counted)
    step, levels = level_of(max(bar.count for bar in found.bars))
    for bar in found.bars:
        height = sum(part.height for part in bar.segments)
        assert height == pytest.approx(
            max(100 * bar.count / (step * levels), render_bars.MIN_HEIGHT * len(bar.segments))
        )


@given(st.lists(counts, min_size=1, max_size=60), steps)
def test_intervals_cover_the_range_without_a_gap(counted: list[Counted], step: timedelta) -> None:
    since, until = MIDNIGHT + step / 3, MIDNIGHT + step * len(counted) - step / 3
    starts = [MIDNIGHT + step * place for place in range(len(counted))]
    bars = render_bars.draw(list(zip(starts, counted, strict=True)), since, until).bars
    edges = [bars[0].since, *(bar.until for bar in bars)]
    assert [bar.since for bar in bars] == edges[:-1]
    assert (edges[0], edges[-1]) == (since, until)
    assert edges == sorted(set(edges))
    places = [bar.slot_left for bar in bars]
    assert [*places[1:], 100.0] == [pytest.approx(bar.slot_left + bar.slot_width) for bar in bars]


def test_one_event_among_ten_million_is_seen() -> None:
    [bar] = drawn([{Action.UPDATE: 10_000_000, Action.DELETE: 1}]).bars
    assert [(part.action, part.height >= render_bars.MIN_HEIGHT) for part in bar.segments] == [
        (Action.UPDATE, True),
        (Action.DELETE, True),
    ]


def test_without_events_there_are_places_but_no_bars() -> None:
    found = drawn([{}, {}])
    assert [bar.segments for bar in found.bars] == [(), ()]
    assert [level.text for level in found.levels] == ["1", "0"]
    assert found.legend == ()


def test_without_intervals_there_is_nothing() -> None:
    found = render_bars.draw([], MIDNIGHT, MIDNIGHT)
    assert (found.bars, found.ticks, found.legend) == ((), (), ())


def test_a_single_bar_does_not_fill_the_plot() -> None:
    [bar] = drawn([{Action.CREATE: 1}]).bars
    assert (bar.slot_left, bar.slot_width, bar.left, bar.width) == (0, 100, 46, render_bars.MAX_WIDTH)


@given(st.integers(0, 10**15))
def test_levels_are_round_and_close_to_the_most(most: int) -> None:
    step, levels = level_of(most)
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert 1 <= levels <= 4
    assert step * (levels - 1) <= most <= step * levels


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (5, "5"),
        (999, "999"),
        (1500, "1.5k"),
        (200_000, "200k"),
        (2_500_000, "2.5M"),
        (10**9, "1B"),
        (4 * 10**12, "4T"),
    ],
)
def test_levels_are_written_in_few_characters(count: int, text: str) -> None:
    assert short(count) == text


@pytest.mark.parametrize(
    ("step", "count", "labels"),
    [
        (timedelta(minutes=1), 60, ["23 Nov", "00:10", "00:20", "00:30", "00:40", "00:50"]),
        (HOUR, 48, ["23 Nov", "12:00", "24 Nov", "12:00"]),
        (timedelta(days=1), 5, ["23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov"]),
        (timedelta(days=1), 60, ["23 Nov", "7 Dec", "21 Dec", "4 Jan", "18 Jan"]),
        (timedelta(weeks=1), 56, ["Jan 2027", "Mar 2027", "May 2027", "Jul 2027", "Sep 2027", "Nov 2027"]),
        (timedelta(days=30), 1200, ["2040", "2060", "2080", "2100", "2120"]),
    ],
)
def test_labels_stand_at_round_times(step: timedelta, count: int, labels: list[str]) -> None:
    assert [tick.text for tick in ticks([MIDNIGHT + step * place for place in range(count)])] == labels


@given(st.integers(1, 61), steps, moments)
def test_labels_are_few_in_order_and_within_the_plot(count: int, step: timedelta, start: datetime) -> None:
    places = [tick.left for tick in ticks([start + step * place for place in range(count)])]
    assert 1 <= len(places) <= 7
    assert places == sorted(set(places))
    assert all(0 < place < 100 for place in places)


@pytest.mark.parametrize(
    ("until", "text"),
    [
        (HOUR, "23 Nov 2026, 00:00 – 01:00 UTC"),
        (timedelta(days=1), "23 Nov 2026 UTC"),
        (timedelta(days=7), "23 Nov 2026 – 29 Nov 2026 UTC"),
        (timedelta(days=1, hours=2), "23 Nov 2026, 00:00 – 24 Nov 2026, 02:00 UTC"),
        (timedelta(seconds=90), "23 Nov 2026, 00:00 – 00:01:30 UTC"),
    ],
)
def test_an_interval_is_said_in_words(until: timedelta, text: str) -> None:
    assert interval(MIDNIGHT, MIDNIGHT + until) == text


def test_times_are_written_as_the_filters_take_them() -> None:
    berlin = datetime.fromisoformat("2026-11-23T15:00:00.25+01:00")
    assert iso_utc(berlin) == "2026-11-23T14:00:00.250000Z"


@given(st.lists(st.integers(0, 10**9), max_size=8))
def test_meters_are_proportional_and_the_longest_is_full(values: list[int]) -> None:
    found = render_bars.meters(values)
    assert [meter.count for meter in found] == values
    for meter in found:
        exact = 100 * meter.count / max(values) if meter.count else 0
        assert meter.width == pytest.approx(max(exact, 1.0) if meter.count else 0)

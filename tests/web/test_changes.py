"""A difference from the period before is named, and an estimate claims no more than its margin leaves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl.web.render.changes import compare


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (1340, 1000, "+340 (+34 %)"),
        (995, 1000, "−5 (−0.5 %)"),
        (1, 2, "−1 (−50 %)"),
        (12_345, 5, "+12,340 (+246,800 %)"),
        (7, 7, "±0"),
        (0, 0, "±0"),
        (7, 0, "new"),
        (0, 7, "gone"),
    ],
)
def test_exact_counts_are_compared_exactly(now: int, before: int, text: str) -> None:
    assert compare(now, before).text == text


@pytest.mark.parametrize(
    ("now", "before", "spreads", "text", "title"),
    [
        (120_000, 100_000, (100, 100), "≈ +20 ± 10 %", "≈ +20,000 ± 10,000 events, estimated"),
        (50_000, 100_000, (100, 0), "≈ −50 ± 4.4 %", "≈ −50,000 ± 5,000 events, estimated"),
        (102_000, 100_000, (100, 100), "no clear difference",
         "The difference is within the margin of the estimates, 8,810"),
        (500, 0, (100, 0), "new", "None in the period before"),
        (500, 0, (100, 100), "none before in the sample",
         "The sample of the period before has none, and there may be a few"),
        (0, 500, (0, 100), "gone", "About 500 in the period before"),
        (0, 500, (100, 0), "none in the sample", "The sample has none, and there may be a few"),
    ],
)  # fmt: skip
def test_estimates_are_compared_with_their_margin(
    now: int, before: int, spreads: tuple[float, float], text: str, title: str
) -> None:
    found = compare(now, before, spreads)
    assert (found.text, found.title) == (text, title)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0.1, 10**5), st.floats(0, 10**5))
def test_a_difference_within_the_margin_is_never_claimed(now: int, before: int, one: float, other: float) -> None:
    margin = math.ceil(1.96 * math.sqrt(now * one + before * other))
    found = compare(now, before, (one, other))
    assert (found.text == "no clear difference") == (abs(now - before) <= margin)
    assert found.text not in ("new", "gone")

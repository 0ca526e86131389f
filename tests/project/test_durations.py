"""The one grammar of durations."""

from __future__ import annotations

import pytest

from auditctl import durations

SHORT = ("m", "d")


@pytest.mark.parametrize(
    ("text", "units", "duration"),
    [
        ("7d", SHORT, (7, "d")),
        ("400 days", ("days",), (400, "days")),
        ("007m", SHORT, (7, "m")),
        ("0d", SHORT, (0, "d")),
        ("500", ("", "ms"), (500, "")),
        ("9" * 5000 + "d", SHORT, (999_999_999_999, "d")),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, units: tuple[str, ...], duration: tuple[int, str]) -> None:
    assert durations.parse(text, units) == duration


@pytest.mark.parametrize("text", ["", "d", "7", "7h", "7D", "-7d", "1.5d", "7d 2m", " 7d", "٢d"])
def test_other_texts_are_not_durations(text: str) -> None:
    assert durations.parse(text, SHORT) is None

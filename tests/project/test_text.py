"""Numbers with their noun, suggestions, globs and times in messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from auditctl.text import did_you_mean, is_glob, iso_utc, plural


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (1234567, "1,234,567 events")]
)
def test_a_noun_follows_its_number(number: int, text: str) -> None:
    assert plural(number, "event") == text


def test_a_noun_can_have_a_plural_of_its_own() -> None:
    assert [plural(number, "child", "children") for number in (1, 2)] == ["1 child", "2 children"]


def test_the_most_similar_word_is_suggested() -> None:
    assert did_you_mean("labl", ["mask", "label", "table"]) == "Did you mean label?"


def test_several_similar_words_are_suggested_if_asked_for() -> None:
    assert did_you_mean("plan", ["plane", "plans", "invoice"], most=2) in (
        "Did you mean plane or plans?",
        "Did you mean plans or plane?",
    )


def test_nothing_is_suggested_where_no_word_is_similar() -> None:
    assert did_you_mean("zzz", ["label", "mask"]) == ""


def test_a_suggestion_ends_a_message() -> None:
    assert did_you_mean("lable", ["label"], before="; did you mean ") == "; did you mean label?"


def test_of_a_mapping_the_values_are_shown() -> None:
    assert did_you_mean("invoce", {"invoice": "billing.invoice"}) == "Did you mean billing.invoice?"


@pytest.mark.parametrize("text", ["*", "billing.*", "a?", "[ab]c"])
def test_a_text_with_a_wildcard_is_a_glob(text: str) -> None:
    assert is_glob(text)


@pytest.mark.parametrize("text", ["", "billing.plan", "a%b_c", "]"])
def test_a_text_without_a_wildcard_is_not_a_glob(text: str) -> None:
    assert not is_glob(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 20, 38, 19, tzinfo=UTC), "2026-11-23T20:38:19Z"),
        (datetime(2026, 11, 23, 20, 38, 19, 5, tzinfo=UTC), "2026-11-23T20:38:19.000005Z"),
        (datetime(2026, 11, 23, 20, 38, tzinfo=timezone(timedelta(hours=2))), "2026-11-23T18:38:00Z"),
        (datetime(7, 1, 2, tzinfo=UTC), "0007-01-02T00:00:00Z"),
    ],
)
def test_a_time_is_written_in_utc(moment: datetime, text: str) -> None:
    assert iso_utc(moment) == text


def test_a_time_is_written_with_microseconds_even_if_they_are_zero() -> None:
    assert iso_utc(datetime(2026, 11, 23, tzinfo=UTC), microseconds=True) == "2026-11-23T00:00:00.000000Z"

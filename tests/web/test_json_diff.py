"""The lines that a page shows of a JSON value that changed are the right ones, and few."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditctl.web.render.event_rows import RecordedField, RecordedValue
from auditctl.web.render.json_diff import CONTEXT, MAX_LINES, Line, compare, lines
from auditctl.web.render.text_diff import excerpt, mark_changes
from auditctl.web.render.value_changes import change_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.sampled_from(["a", "a.b", "", 1, 2]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def text(line: Line) -> str:
    """The text of a line."""
    return "".join(span.text for span in line.spans)


def side(found: list[Line], kind: str) -> Any:
    """The value that the lines of one kind, and those of both, make up; commas do not count."""
    texts = [text(line) for line in found if line.kind in ("same", kind)]
    bare = [one.removesuffix(",") for one in texts]
    joined = "".join(
        one + ("," if after and one[-1:] not in "{[" and after[0] not in "]}" else "")
        for one, after in zip(bare, [*bare[1:], ""], strict=True)
    )
    return json.loads(joined)


@given(VALUES, VALUES)
def test_lines_of_both_values_make_up_each_of_them(old: Any, new: Any) -> None:
    found = list(lines(old, new))
    assert (side(found, "old"), side(found, "new")) == (old, new)
    assert any(line.kind != "same" for line in found) == (old != new)


def test_only_lines_near_a_change_are_shown_and_numbers_keep_their_digits() -> None:
    old = json.dumps({"a": list(range(500)), "b": {"c": 1}, "d": [1] * 500}).replace(
        '"c": 1', '"c": 1.0000000000000000001'
    )
    found = compare(old, old.replace("1.0000000000000000001", "1.00"))
    assert found is not None
    assert [(line.kind, text(line)) for line in found if line.kind != "same"] == [
        ("gap", "501"), ("old", '"c": 1.0000000000000000001'), ("new", '"c": 1.00'), ("gap", "501"),
    ]  # fmt: skip
    assert len(found) == 2 + 2 + 2 * CONTEXT


def test_a_value_with_many_changes_shows_the_first_and_does_not_call_the_others_the_same() -> None:
    found = compare(json.dumps([1] * 5000), json.dumps([2] * 5000))
    assert found is not None
    assert len(found) == MAX_LINES + 1
    assert (found[1].kind, found[-1].kind) == ("old", "rest")


def test_texts_that_are_no_documents_and_deep_ones_are_not_compared_by_line() -> None:
    assert compare("[1", "[2") is None
    assert compare("[1]", '{"a": 1}') is None
    assert compare("[" * 50_000 + "]" * 50_000, "[]") is None


def test_one_character_of_a_long_word_is_marked_and_all_of_it_is_shown_as_an_excerpt() -> None:
    old, new = ("x" * 5000 + letter + "y" * 5000 for letter in "ab")
    before, after = mark_changes(old, new)
    assert [span.text for span in (*before, *after) if span.is_changed] == ["a", "b"]
    assert "".join(span.text for span in after) == new
    assert sum(len(span.text) for span in excerpt(after)) < 500


def test_a_number_shows_its_difference_exactly() -> None:
    long, longer = "1" * 37 + ".25", "1" * 37 + ".50"
    cases = [
        ("10.00", "12.50", "+2.50"),
        ("3", "-4", "-7"),
        ("1e9", "2", ""),
        ("1" * 41, "2", ""),
        (long, longer, "+0.25"),
    ]
    for old, new, difference in [*cases, ("0.5", "1" * 30, f"+{int('1' * 30) - 1:,}.5")]:
        field = RecordedField("n", RecordedValue("number", old), RecordedValue("number", new))
        assert change_of(field).difference == difference


def test_a_document_that_is_recorded_as_text_is_compared_as_one_unless_only_blanks_differ() -> None:
    for old, new, is_document in (('{"a": 1}', '{"a":2}', True), ('{"a": 1}', '{"a":1}', False), ("[x", "[y", False)):
        change = change_of(RecordedField("v", RecordedValue("string", old), RecordedValue("string", new)))
        assert (bool(change.lines), bool(change.old)) == (is_document, not is_document)

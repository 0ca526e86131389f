"""Of events in the table and in several months, each group is asked for the columns that it has."""

from __future__ import annotations

import pytest

from auditctl.archive.erased_columns import divide, parsed

LONG = b'{"n": 1' + b"0" * 5000 + b', "x": 1.50}'
A, B = frozenset({"email", "n"}), frozenset({"n"})


@pytest.mark.parametrize(
    ("columns", "groups", "divided"),
    [
        ([], [A, B], [[], []]),
        (["n"], [A, B], [["n"], ["n"]]),
        (["email"], [A, B], [["email"], None]),
        (["email", "ip"], [A, B], [["email", "ip"], ["ip"]]),
        (["values.email", "event.context"], [B, A], [["event.context"], ["values.email", "event.context"]]),
        (["email", "absent"], [A, B], [["email", "absent"], ["email", "absent"]]),
        (["absent"], [None, B], [["absent"], None]),
    ],
)
def test_a_column_goes_to_the_groups_that_have_it_and_to_all_if_none_has(
    columns: list[str], groups: list[frozenset[str] | None], divided: list[list[str] | None]
) -> None:
    assert divide(columns, groups) == divided


def test_numbers_of_any_length_are_read_as_they_are_written() -> None:
    assert parsed(LONG) == {"n": "1" + "0" * 5000, "x": "1.50"}
    assert parsed(None) is None

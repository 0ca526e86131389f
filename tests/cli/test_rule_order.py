"""The order of rules: where a new one goes, and which number each has in the database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditctl import table_names
from auditctl.actions import Action
from auditctl.capture import positions, precedence
from auditctl.capture.precedence import Globs
from auditctl.capture.rule_keys import Rule

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(NAMES, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-3, 9)))
def test_positions_ascend_and_those_that_ascend_already_stay(names: list[str], known: dict[str, int]) -> None:
    numbers = positions.assign(names, known)
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(names)
    before = [known.get(name) for name in names]
    if None not in before and before == sorted(set(before)):  # type: ignore[type-var]
        assert numbers == before


def test_a_rule_before_all_others_renumbers_none() -> None:
    assert positions.assign(["new", "a", "b"], {"a": 0, "b": 1}) == [-1, 0, 1]
    assert positions.assign(["a", "new", "b", "c"], {"a": 0, "b": 1, "c": 7}) == [0, 1, 2, 7]


PATTERNS = st.builds(
    "{}.{}".format, st.sampled_from(["*", "a*", "ab", "[ab]*", "?b"]), st.sampled_from(["*", "x", "x*", "*y"])
)


@given(st.lists(PATTERNS, unique=True, max_size=6), PATTERNS)
def test_a_rule_that_is_put_among_others_covers_all_that_no_narrower_one_does(names: list[str], new: str) -> None:
    rules: tuple[Rule, ...] = ()
    for name in (*names, new):
        rules = precedence.put(rules, Rule(name, (Action.CREATE,)))
    assert sorted(rule.name for rule in rules) == sorted({*names, new})
    pattern = table_names.parse(new)
    if pattern.is_glob:
        for identity in ((schema, table) for schema in ("ab", "a", "b", "bb") for table in ("x", "xy", "y", "z")):
            if pattern.matches(*identity):
                first = next(each for each in Globs(rules).matching(*identity))
                assert first.name == new or precedence.is_narrower(table_names.parse(first.name), pattern)

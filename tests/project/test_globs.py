"""Globs: what they match, and which matches all or some of what another does."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl import globs
from auditctl.table_names import Patterns, parse

GLOBS = st.text("ab*?[]!-^\\", min_size=1, max_size=7)
TEXTS = ["".join(letters) for length in range(5) for letters in product("ab!-", repeat=length)]


@given(GLOBS, st.text("abc[]!-^\\\n", max_size=5))
def test_a_glob_matches_what_fnmatch_says(glob: str, text: str) -> None:
    assert (globs.pattern(glob).fullmatch(text) is not None) is fnmatchcase(text, glob)


@given(GLOBS, GLOBS)
def test_globs_that_some_text_matches_overlap_and_one_that_covers_another_matches_all_of_it(one: str, two: str) -> None:
    first, second = ({text for text in TEXTS if fnmatchcase(text, glob)} for glob in (one, two))
    if first & second:
        assert globs.overlap(one, two)
    if second - first:
        assert not globs.covers(one, two)
    if globs.covers(one, two) and second:
        assert globs.overlap(one, two)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("*", "tenant_*"),
        ("tenant_*", "tenant_004"),
        ("tenant_*", "tenant_00?"),
        ("tenant_[0-9]*", "tenant_[45]"),
        ("*a*", "*ab*"),
        ("**", "*"),
        ("?*", "*?"),
        ("[!x]", "[a-w]"),
        ("a[]]", "a[]]"),
        ("tenant", "[t]enant"),
        ("a*", "[z-a]"),
    ],
)
def test_a_wider_glob_covers_a_narrower_one_and_not_the_reverse(wide: str, narrow: str) -> None:
    assert globs.covers(wide, narrow)
    mutual = {("**", "*"), ("?*", "*?"), ("a[]]", "a[]]"), ("tenant", "[t]enant")}
    assert globs.covers(narrow, wide) is ((wide, narrow) in mutual)


def test_globs_that_no_text_matches_both_of_do_not_overlap() -> None:
    assert not globs.overlap("tenant_*", "billing_*")
    assert not globs.overlap("*a", "*[!a]")
    assert not globs.overlap("?", "??*")
    assert globs.overlap("*_b", "a_*")


def test_a_glob_that_is_made_to_be_hard_to_compare_is_given_up_on() -> None:
    assert not globs.covers("*a" + "?" * 40, "*b" + "[ab]" * 41)


def test_patterns_find_those_that_match_in_their_order() -> None:
    names = ["b.x", "*", "a.*", '"a"."x*"', "[ab].x", "x", "a.x"]
    patterns = Patterns(map(parse, names))
    assert [names[n] for n in patterns.matching("a", "x")] == ["*", "a.*", "[ab].x", "x", "a.x"]
    assert [names[n] for n in patterns.matching("a", "x*")] == ["*", "a.*", '"a"."x*"']
    assert [names[n] for n in patterns.matching("c", "x")] == ["*", "x"]

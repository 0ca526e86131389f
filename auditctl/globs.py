"""Matches and compares globs: `*` any characters, `?` one, `[abc]`, `[a-c]` and `[!abc]` one of a set.

A `]` that comes first in a set belongs to it; a `[` that no `]` closes is an ordinary character. The database matches
in the same way (sql/functions/40_guard/globs.sql).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from auditctl.text import is_glob

_LAST = 0x10FFFF
_MAX_STATES = 5000
"""How many states a comparison visits at most."""

_Ranges = tuple[tuple[int, int], ...]
"""A set of characters: disjoint ranges of code points, in order."""

_ANY: _Ranges = ((0, _LAST),)
_Token = _Ranges | None
"""One place of a glob: the characters that it accepts, or None for any number of any characters."""


@lru_cache(maxsize=4096)
def pattern(glob: str) -> re.Pattern[str]:
    """Return the regular expression that matches, with `fullmatch`, what a glob matches."""
    return re.compile("".join(map(_expression, _tokens(glob))), re.DOTALL)


def overlap(one: str, other: str) -> bool:
    """Return whether some text matches both globs."""
    if not (is_glob(one) or is_glob(other)):
        return one == other
    if not _may_agree(one, other):
        return False
    return _overlap(one, other)


def covers(wide: str, narrow: str) -> bool:
    """Return whether every text that the second glob matches also matches the first.

    False where that takes more than a few thousand steps to find out: such globs are made to be hard.
    """
    if wide in ("*", narrow):
        return True
    if not is_glob(narrow):
        return pattern(wide).fullmatch(narrow) is not None if is_glob(wide) else False
    return _may_agree(wide, narrow) and _covers(wide, narrow)


def example(glob: str) -> str | None:
    """Return a text that the glob matches, where a `*` stands for nothing; None where it matches none."""
    tokens = [token for token in _tokens(glob) if token is not None]
    return None if () in tokens else "".join(chr(token[0][0]) for token in tokens)


def _may_agree(one: str, other: str) -> bool:
    """Return whether the characters before the first wildcard of each glob allow a text that matches both."""
    if not (is_glob(one) and is_glob(other)):
        glob, text = (one, other) if is_glob(one) else (other, one)
        return text.startswith(_literal_start(glob))
    first, second = _literal_start(one), _literal_start(other)
    return first.startswith(second) or second.startswith(first)


@lru_cache(maxsize=4096)
def _literal_start(glob: str) -> str:
    return re.split(r"[*?\[]", glob, maxsplit=1)[0]


@lru_cache(maxsize=4096)
def _tokens(glob: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    position = 0
    while position < len(glob):
        character = glob[position]
        end = _set_end(glob, position) if character == "[" else -1
        if character == "*":
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        elif character == "?":
            tokens.append(_ANY)
        elif end > 0:
            tokens.append(_set(glob[position + 1 : end]))
            position = end
        else:
            tokens.append(((ord(character), ord(character)),))
        position += 1
    return tuple(tokens)


def _set_end(glob: str, start: int) -> int:
    """Return the position of the `]` that closes a set; -1 where none does."""
    first = start + 2 if glob[start + 1 : start + 2] == "!" else start + 1
    return glob.find("]", first + 1)


def _set(text: str) -> _Ranges:
    is_negated = text.startswith("!")
    items = text[1:] if is_negated else text
    ranges: list[tuple[int, int]] = []
    position = 0
    while position < len(items):
        is_range = items[position + 1 : position + 2] == "-" and position + 2 < len(items)
        last = position + 2 if is_range else position
        if items[position] <= items[last]:
            ranges.append((ord(items[position]), ord(items[last])))
        position = last + 1
    merged = _merged(ranges)
    return _complement(merged) if is_negated else merged


def _merged(ranges: list[tuple[int, int]]) -> _Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: _Ranges) -> _Ranges:
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), _LAST]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


def _expression(token: _Token) -> str:
    if token is None:
        return ".*"
    if token == _ANY:
        return "."
    if not token:
        return "(?!)"
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in token) + "]"


def _meet(one: _Token, other: _Token) -> bool:
    """Return whether two places accept a character in common."""
    if one is None or other is None:
        return one != () and other != ()
    return any(low <= last and first <= high for low, high in one for first, last in other)


@lru_cache(maxsize=65536)
def _overlap(one: str, other: str) -> bool:
    first, second = _tokens(one), _tokens(other)
    seen, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if (i, j) == (len(first), len(second)):
            return True
        steps = []
        if i < len(first) and first[i] is None:
            steps.append((i + 1, j))
        if j < len(second) and second[j] is None:
            steps.append((i, j + 1))
        if i < len(first) and j < len(second) and _meet(first[i], second[j]):
            steps.append((i + (first[i] is not None), j + (second[j] is not None)))
        new = [step for step in steps if step not in seen]
        seen.update(new)
        waiting += new
    return False


@lru_cache(maxsize=65536)
def _covers(wide: str, narrow: str) -> bool:
    """Follow every text of the narrow glob through all places of the wide one at which it may be."""
    inner, outer = _tokens(narrow), _tokens(wide)
    if () in inner:
        return True
    samples = _samples(inner + outer)
    begin = (0, _reached(outer, {0}))
    seen, waiting = {begin}, [begin]
    while waiting and len(seen) <= _MAX_STATES:
        position, places = waiting.pop()
        if position == len(inner):
            if len(outer) not in places:
                return False
            continue
        token = inner[position]
        steps = {(position + 1, places)} if token is None else set()
        for sample in samples:
            if _accepts(token, sample):
                steps.add((position + (token is not None), _reached(outer, _after(outer, places, sample))))
        new = steps - seen
        seen |= new
        waiting += new
    return not waiting


def _after(tokens: tuple[_Token, ...], places: Iterable[int], code: int) -> set[int]:
    """Return the places after one more character; a `*` goes on."""
    reached = [place for place in places if place < len(tokens) and _accepts(tokens[place], code)]
    return {place + (tokens[place] is not None) for place in reached}


def _reached(tokens: tuple[_Token, ...], places: set[int]) -> frozenset[int]:
    """Return the places and those that follow a `*` at one of them, which may stand for nothing."""
    return frozenset(places | {place + 1 for place in places if place < len(tokens) and tokens[place] is None})


def _accepts(token: _Token, code: int) -> bool:
    return token is None or any(low <= code <= high for low, high in token)


def _samples(tokens: tuple[_Token, ...]) -> tuple[int, ...]:
    """Return characters, as code points, that stand for all: each token accepts any other as it does one of these."""
    ranges = [each for token in tokens if token is not None for each in token]
    return tuple(sorted({0, *(low for low, _ in ranges), *(high + 1 for _, high in ranges if high < _LAST)}))

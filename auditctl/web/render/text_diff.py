"""Compares two texts word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from auditctl.text import plural

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
MAX_WORDS = 600
"""More different words are compared by characters: the time to compare words grows with the square of their number."""

MAX_WORD = 100
"""A longer word, such as an encoded file, is compared by characters."""

EDGE = 80
"""How many characters an excerpt has before and after what changed."""

MAX_SPAN = 2000
"""How many characters an excerpt has of what changed at one place."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A span of a text.

    Attributes:
        text: The span.
        is_changed: Whether it differs from the other text.
    """

    text: str
    is_changed: bool


def mark_changes(old: str, new: str) -> tuple[list[TextSpan], list[TextSpan]]:
    """Return the spans of each text, in order; joined, they are the text."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    middle = before[start : len(before) - end], after[start : len(after) - end]
    head, tail = TextSpan("".join(before[:start]), False), TextSpan("".join(before[len(before) - end :]), False)
    spans = _compare(*middle)
    return _not_empty([head, *spans[0], tail]), _not_empty([head, *spans[1], tail])


def _compare(before: list[str], after: list[str]) -> tuple[list[TextSpan], list[TextSpan]]:
    if max(len(before), len(after)) > MAX_WORDS or max(map(len, (*before, *after)), default=0) > MAX_WORD:
        return _compare_characters("".join(before), "".join(after))
    old, new = list[TextSpan](), list[TextSpan]()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old.append(TextSpan("".join(before[i1:i2]), kind != "equal"))
        new.append(TextSpan("".join(after[j1:j2]), kind != "equal"))
    return old, new


def _compare_characters(before: str, after: str) -> tuple[list[TextSpan], list[TextSpan]]:
    """Mark all from the first character that differs to the last."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = (
        [
            TextSpan(text[:start], False),
            TextSpan(text[start : len(text) - end], True),
            TextSpan(text[len(text) - end :], False),
        ]
        for text in (before, after)
    )
    return old, new


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    for count, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return count
    return min(len(before), len(after))


def _not_empty(spans: list[TextSpan]) -> list[TextSpan]:
    """Return the spans that are not empty."""
    return [span for span in spans if span.text]


def excerpt(spans: list[TextSpan]) -> list[TextSpan]:
    """Return the spans with the middle of long ones left out: of what is the same, and of what changed as a whole."""
    shortened: list[TextSpan] = []
    for span in spans:
        edge = MAX_SPAN // 2 if span.is_changed else EDGE
        text = span.text
        if len(text) > 3 * edge:
            left_out = f" \N{HORIZONTAL ELLIPSIS} {plural(len(text) - 2 * edge, 'character')} \N{HORIZONTAL ELLIPSIS} "
            shortened += [replace(span, text=text[:edge]), TextSpan(left_out, False), replace(span, text=text[-edge:])]
        else:
            shortened.append(span)
    return shortened

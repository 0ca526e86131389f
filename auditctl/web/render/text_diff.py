"""Compares two texts word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
MAX_WORDS = 600
"""More different words are marked as a whole: the time to compare them grows with the square of their number."""


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
    if max(len(before), len(after)) > MAX_WORDS:
        return [TextSpan("".join(before), True)], [TextSpan("".join(after), True)]
    old, new = list[TextSpan](), list[TextSpan]()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old.append(TextSpan("".join(before[i1:i2]), kind != "equal"))
        new.append(TextSpan("".join(after[j1:j2]), kind != "equal"))
    return old, new


def _common(before: list[str], after: list[str]) -> int:
    for count, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return count
    return min(len(before), len(after))


def _not_empty(spans: list[TextSpan]) -> list[TextSpan]:
    """Return the spans that are not empty."""
    return [span for span in spans if span.text]

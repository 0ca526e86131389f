"""Which parts of two texts differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
MOST_WORDS = 600
"""Longer middles are marked whole: comparing them word by word takes time that grows with their square."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text.

    Attributes:
        text: The piece.
        is_changed: Whether the other text has something else there, or nothing.
    """

    text: str
    is_changed: bool


def marked(old: str, new: str) -> tuple[list[Part], list[Part]]:
    """Return the parts of each text, in order; together they are the text. Words are compared, not letters."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    middle = before[start : len(before) - end], after[start : len(after) - end]
    head, tail = Part("".join(before[:start]), False), Part("".join(before[len(before) - end :]), False)
    parts = _compared(*middle)
    return _joined([head, *parts[0], tail]), _joined([head, *parts[1], tail])


def _compared(before: list[str], after: list[str]) -> tuple[list[Part], list[Part]]:
    if max(len(before), len(after)) > MOST_WORDS:
        return [Part("".join(before), True)], [Part("".join(after), True)]
    old, new = list[Part](), list[Part]()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old.append(Part("".join(before[i1:i2]), kind != "equal"))
        new.append(Part("".join(after[j1:j2]), kind != "equal"))
    return old, new


def _common(before: list[str], after: list[str]) -> int:
    for count, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return count
    return min(len(before), len(after))


def _joined(parts: list[Part]) -> list[Part]:
    """Leave out what is empty."""
    return [part for part in parts if part.text]

"""Compares two JSON values line by line: of a large value, the lines that changed and a few around them.

Lines are those of the value written with an indentation. Objects are compared key by key, arrays element by element;
what was inserted or removed in an array is found as in `auditctl.details` (sql/functions/05_values/json_changes.sql).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from auditctl.web.render.text_diff import TextSpan, excerpt, mark_changes

CONTEXT = 3
"""How many lines are shown before and after one that changed."""

MAX_LINES = 400
"""How many lines of a value are shown; more are as good as the whole value."""

MAX_ALIGNED = 50
"""Longer parts of arrays are compared place by place: the time to align them grows with the square of their length."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a value, or of both.

    Attributes:
        kind: `same`, `old` or `new`; or of lines that are left out, of which the text says how many: `gap` if all are
            the same, and `rest` at the end if some of them changed.
        indent: The blanks before it.
        spans: Its text, or the number of lines that are left out.
    """

    kind: str
    indent: int
    spans: tuple[TextSpan, ...]


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it is written: a float would lose digits."""

    text: str


def compare(old: str, new: str) -> list[Line] | None:
    """Return the lines that changed, with some around them; None if a text is too deep, or not an array or object."""
    try:
        before, after = (json.loads(text, parse_float=_Number, parse_int=_Number) for text in (old, new))
        if type(before) is not type(after) or not isinstance(before, dict | list):
            return None
        return _fold(list(lines(before, after)))
    except (ValueError, RecursionError):
        return None


def lines(old: Any, new: Any, depth: int = 0, name: str = "", end: str = "") -> Iterator[Line]:
    """Yield all lines of two values.

    Args:
        old: The value before, as `compare` reads it.
        new: The value after.
        depth: How deep they are in the document.
        name: What is written before them: their key.
        end: What is written after them: a comma.
    """
    if old == new:
        yield from _whole("same", new, depth, name, end)
    elif isinstance(old, dict) and isinstance(new, dict) and old and new:
        keys = sorted({*old, *new}, key=lambda key: (len(key.encode("utf-8", "replace")), key))
        pairs = [
            (f"{_text(key)}: ", [old[key]] if key in old else [], [new[key]] if key in new else []) for key in keys
        ]
        yield from _parts(pairs, "{}", depth, name, end)
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        yield from _parts([("", *pair) for pair in _align(old, new)], "[]", depth, name, end)
    elif isinstance(old, dict | list) or isinstance(new, dict | list):
        yield from _whole("old", old, depth, name, end)
        yield from _whole("new", new, depth, name, end)
    else:
        texts = mark_changes(f"{name}{_text(old)}{end}", f"{name}{_text(new)}{end}")
        for kind, spans in zip(("old", "new"), texts, strict=True):
            yield Line(kind, 2 * depth, tuple(excerpt(spans)))


def _parts(
    pairs: Sequence[tuple[str, list[Any], list[Any]]], brackets: str, depth: int, name: str, end: str
) -> Iterator[Line]:
    yield _line("same", depth, f"{name}{brackets[0]}")
    for number, (key, old, new) in enumerate(pairs, start=1):
        comma = "," if number < len(pairs) else ""
        if old and new:
            yield from lines(old[0], new[0], depth + 1, key, comma)
        else:
            yield from _whole("old" if old else "new", (old or new)[0], depth + 1, key, comma)
    yield _line("same", depth, f"{brackets[1]}{end}")


def _whole(kind: str, value: Any, depth: int, name: str, end: str) -> Iterator[Line]:
    """Yield the lines of one value."""
    if not isinstance(value, dict | list) or not value:
        yield _line(kind, depth, f"{name}{_text(value)}{end}")
        return
    brackets = "{}" if isinstance(value, dict) else "[]"
    items: Iterable[tuple[str, Any]] = value.items() if isinstance(value, dict) else (("", one) for one in value)
    yield _line(kind, depth, f"{name}{brackets[0]}")
    for number, (key, one) in enumerate(items, start=1):
        comma = "," if number < len(value) else ""
        yield from _whole(kind, one, depth + 1, f"{_text(key)}: " if brackets == "{}" else "", comma)
    yield _line(kind, depth, f"{brackets[1]}{end}")


def _line(kind: str, depth: int, text: str) -> Line:
    return Line(kind, 2 * depth, tuple(excerpt([TextSpan(text, kind != "same")])))


def _text(value: Any) -> str:
    return value.text if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _align(old: list[Any], new: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield the elements of both arrays in order: pairs, or one of only one of them with an empty list."""
    short = min(len(old), len(new))
    head = next((place for place in range(short) if old[place] != new[place]), short)
    tail = next((place for place in range(short - head) if old[-1 - place] != new[-1 - place]), short - head)
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    blocks = [(0, len(middle[0]), 0, len(middle[1]))]
    if max(map(len, middle)) <= MAX_ALIGNED and _have_moved(*middle):
        texts = [[json.dumps(one, default=lambda number: {"": number.text}) for one in part] for part in middle]
        blocks = [row[1:] for row in SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes()]
    yield from (([one], [one]) for one in old[:head])
    for i, j, k, m in blocks:
        before, after = ([[one] for one in part] for part in (middle[0][i:j], middle[1][k:m]))
        yield from zip_longest(before, after, fillvalue=[])
    yield from (([one], [one]) for one in old[len(old) - tail :])


def _have_moved(old: list[Any], new: list[Any]) -> bool:
    differing = sum(one != other for one, other in zip(old, new, strict=False))
    return len(old) != len(new) or differing * 2 > len(old)


def _fold(all_lines: list[Line]) -> list[Line]:
    """Return the lines near a change, with gaps in place of the others, up to `MAX_LINES`."""
    near = {
        place
        for number, line in enumerate(all_lines)
        if line.kind != "same"
        for place in range(number - CONTEXT, number + CONTEXT + 1)
    }
    folded: list[Line] = []
    left_out: list[Line] = []
    for number, line in enumerate(all_lines):
        if number in near and len(folded) < MAX_LINES:
            folded += _gap(left_out)
            left_out = []
            folded.append(line)
        else:
            left_out.append(line)
    return folded + _gap(left_out)


def _gap(left_out: Sequence[Line]) -> list[Line]:
    if not left_out:
        return []
    kind = "gap" if all(line.kind == "same" for line in left_out) else "rest"
    return [Line(kind, 0, (TextSpan(str(len(left_out)), False),))]

"""Decides how a page shows what happened to a recorded value: as lines, as sentences, or as two texts with marks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

from auditctl.web.render import json_diff
from auditctl.web.render.event_rows import RecordedField
from auditctl.web.render.json_diff import Line
from auditctl.web.render.text_diff import TextSpan, excerpt, mark_changes

MAX_DIGITS = 40
"""The difference of longer numbers is not shown."""

_EXACT = Context(prec=2 * MAX_DIGITS)
"""Python's own context rounds to 28 digits."""

COMPARED = ("string", "json", "number")


@dataclass(frozen=True, slots=True)
class ValueChange:
    """What happened to a value.

    Attributes:
        lines: The lines of a JSON value that changed, with some around them; empty for others.
        sentences: What changed in a value that is too large for a page, in words; empty for others.
        old, new: The texts before and after, in spans; empty if only one is there, or the lines or sentences say it.
        difference: By how much a number changed, such as `+2.50`; empty for others.
        is_excerpt: Whether parts of the values are left out.
    """

    lines: tuple[Line, ...] = ()
    sentences: tuple[str, ...] = ()
    old: tuple[TextSpan, ...] = ()
    new: tuple[TextSpan, ...] = ()
    difference: str = ""
    is_excerpt: bool = False


def change_of(field: RecordedField) -> ValueChange:
    """Return what happened to a value."""
    old, new = field.old, field.new
    if old is None or new is None or old.kind != new.kind or old.kind not in COMPARED or not (old.text and new.text):
        return ValueChange()
    if field.changes and not (old.size is None and new.size is None):
        return ValueChange(sentences=field.changes, is_excerpt=True)
    # A column of type json is recorded as its text.
    found = json_diff.compare(old.text, new.text) if old.text[0] in "{[" else None
    if found and any(line.kind in ("old", "new") for line in found):
        is_excerpt = any(line.kind in ("gap", "rest") or len(line.spans) > 1 for line in found)
        return ValueChange(lines=tuple(found), is_excerpt=is_excerpt)
    if old.kind == "number":
        return ValueChange(
            old=(TextSpan(old.text, True),),
            new=(TextSpan(new.text, True),),
            difference=_difference(old.text, new.text),
        )
    marked = mark_changes(old.text, new.text)
    before, after = (tuple(excerpt(spans)) for spans in marked)
    return ValueChange(
        old=before,
        new=after,
        is_excerpt=(len(before), len(after)) != (len(marked[0]), len(marked[1])),
    )


def _difference(old: str, new: str) -> str:
    """Return a difference with its sign, exactly."""
    if max(len(old), len(new)) > MAX_DIGITS or "e" in (old + new).lower():
        return ""
    return f"{_EXACT.subtract(Decimal(new), Decimal(old)):+,f}"

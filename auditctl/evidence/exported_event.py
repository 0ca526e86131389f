"""The canonical bytes of an event from its row in an exported file.

Where a row has less than an event (labels for names, System for nobody, the apostrophe of a safe cell, null for the
null of JSON, too), there are several events that it may stand for: the leaf tells which one it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product

from auditctl.evidence import canonical
from auditctl.evidence.canonical import JSON, Fields
from auditctl.log.columns import COLUMNS as CELLS
from auditctl.log.columns import Columns
from auditctl.log.formats import raw_json
from auditctl.log.formats.format import Format, Row
from auditctl.names import SYSTEM_USER

_PLACE = {name: place for place, name in enumerate(CELLS)}
_FROM = tuple(
    _PLACE[{"occurred_at": "created_on", "actor": "user", "ip": "ip_address"}.get(name, name)]
    for name in canonical.COLUMNS
)
_NOT_NEEDED = ("details",)
"""What the columns of an event say already."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_FIXED = ("event_id", "occurred_at", "xact_id", "actor_kind", "action")
_time, _address = lru_cache(maxsize=1024)(canonical.time_bytes), lru_cache(maxsize=1024)(canonical.address_bytes)


def obstacle(form: Format, columns: Columns | None) -> str:
    """Return why the leaf of an event cannot be computed from its row in a file, as a sentence; empty if it can.

    Args:
        form: The file's format.
        columns: The columns that were chosen; None for all.
    """
    missing = [name for name in CELLS if name not in (*(columns or CELLS), *_NOT_NEEDED)]
    if form.read is not None and not missing:
        return ""
    lacks = f"it lacks the columns {', '.join(missing)}"
    if form.read is None:
        lacks = f"the format {form.name} lacks columns of the event"
    return f"No row of the file is proved by itself, as {lacks}. Its SHA-256 covers the whole file."


def rows(lines: Iterable[str], form: Format, columns: Columns | None) -> Iterator[Row]:
    """Yield the rows of a file in the order of all columns, None in place of those that it lacks.

    Args:
        lines: The lines of the file.
        form: Its format; without an obstacle.
        columns: The columns that were chosen; None for all.

    Raises:
        ValueError: A row is not of the format.
    """
    if form.read is None:
        return
    names = columns or CELLS
    places = [names.index(name) if name in names else None for name in CELLS]
    for row in form.read(lines, names):
        yield row if names == CELLS else tuple(None if place is None else row[place] for place in places)


def events(row: Row, names: Sequence[str], *, is_safe: bool) -> Iterator[Fields]:
    """Yield the canonical bytes of each event that a row may stand for, the most likely first.

    Args:
        row: The cells, in the order of `auditctl.log.columns.COLUMNS`.
        names: The targets that a label stands for.
        is_safe: Whether cells that a spreadsheet would take for formulas have an apostrophe.

    Raises:
        ValueError: The row stands for no event.
    """
    if not _has_own_reason(row, is_safe=is_safe):
        raise ValueError("the reason is not that of the context")
    cells = [row[place] for place in _FROM]
    choices = [
        tuple(_choices(name, cell, names, is_safe=is_safe)) for name, cell in zip(canonical.COLUMNS, cells, strict=True)
    ]
    return product(*choices)


def _choices(name: str, cell: str | None, names: Sequence[str], *, is_safe: bool) -> Iterator[bytes | None]:
    if cell is None:
        if name in _FIXED:
            raise ValueError(f"{name} is missing")
        yield None
        if name in JSON:
            yield b"null"
    elif name in _READERS:
        yield _READERS[name](cell)
    else:
        if name == "target":
            yield from map(_encode, names)
        if name == "actor" and cell == SYSTEM_USER:
            yield None
        yield _encode(cell)
        if is_safe and cell.startswith("'"):
            yield _encode(cell[1:])


def _number(cell: str) -> bytes:
    if not _NUMBER.fullmatch(cell) or int(cell) >= 2**64:
        raise ValueError("a number is not one")
    return int(cell).to_bytes(8, "big")


def _moment(cell: str) -> bytes:
    if not _TIME.fullmatch(cell):
        raise ValueError("created_on is not a time")
    return _time(cell)


_READERS: dict[str, Callable[[str], bytes]] = {
    "event_id": _number,
    "occurred_at": _moment,
    "xact_id": _number,
    "ip": _address,
}


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _has_own_reason(row: Row, *, is_safe: bool) -> bool:
    """Whether the reason is what the context says, as operator ->> returns it."""
    shown, context = row[_PLACE["reason"]], row[_PLACE["context"]]
    raw = None
    if context is not None and context.startswith("{") and (shown is not None or '"reason"' in context):
        raw = next((text for name, text, _ in raw_json.members(context) if name == "reason"), None)
    stated = None if raw in (None, "null") else json.loads(raw) if raw.startswith('"') else raw
    return shown == stated or (is_safe and stated is not None and shown == f"'{stated}")

"""Projections of an event whose columns are texts already, such as one from an archive.

They give what those of auditctl.log.selection have the server compute, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from auditctl.log import selection
from auditctl.log.columns import COLUMNS, Columns

EventTexts = Mapping[str, str | None]
"""The texts of an event by column, JSON as PostgreSQL prints it; with `database`, `target_name` and `microseconds`."""

Project = Callable[[EventTexts], tuple[str | None, ...]]
"""Returns what is shown of an event."""

_FREE_TEXT = ("user", "target", "target_id", "details", "reason", "db_user")
_JSON = ("old_values", "new_values", "context")
_AS_THEY_ARE = ("event_id", "xact_id", *_JSON)
_CUT_BEYOND = {"details": 4000, "reason": 4000}


def cells(*, safe: bool, names: Columns = COLUMNS) -> Project:
    """Return what `selection.cells` projects on."""
    change = _safe if safe else _plain
    return lambda texts: tuple([change(name, texts[name]) for name in names])


def heads(names: Columns) -> Project:
    """Return what `selection.heads` projects on."""
    return lambda texts: tuple([_head(name, texts[name]) for name in names])


def documents(names: Columns = COLUMNS) -> Project:
    """Return what `selection.documents` projects on."""
    keys = [f"{'{' if number == 0 else ','}{quoted(name)}:" for number, name in enumerate(names)]

    def document(texts: EventTexts) -> tuple[str | None, ...]:
        values = (_json(name, texts[name]) for name in names)
        return ("".join([key + value for key, value in zip(keys, values, strict=True)]) + "}",)

    return document


def quoted(text: str) -> str:
    """Return a text as a string of JSON, as PostgreSQL writes it."""
    return json.dumps(text, ensure_ascii=False)


def _plain(_: str, text: str | None) -> str | None:
    return text


def _safe(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if name in _FREE_TEXT:
        return f"'{text}" if text.lstrip(" ").startswith(selection.FORMULA_STARTS) else text
    return f"'{text}" if name in _JSON and text.startswith("-") else text


def _head(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if name in _JSON:
        return text[:1000]
    limit = _CUT_BEYOND.get(name)
    return text if limit is None or len(text.encode("utf-8", "replace")) <= limit else f"{text[:999]}…"


def _json(name: str, text: str | None) -> str:
    if text is None:
        return "null"
    return text if name in _AS_THEY_ARE else quoted(text)

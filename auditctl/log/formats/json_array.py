"""Writes JSON: one array of objects with the columns as keys; a single event is an object."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from auditctl.display import harmless_json
from auditctl.log import event_texts, selection
from auditctl.log.formats.format import Format, Layout, Row


def write(rows: Iterable[Row], _: Layout) -> Generator[str]:
    """Yield the array, an object on each line; `[]` without rows."""
    before = "["
    for (document,) in rows:
        yield f"{before}\n{document}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def write_one(row: Row, _: Layout) -> Generator[str]:
    """Yield the object on one line."""
    yield f"{row[0]}\n"


FORMAT = Format(
    name="json",
    help="one JSON array",
    project=lambda _, columns: selection.documents(columns),
    project_texts=lambda _, columns: event_texts.documents(columns),
    write=write,
    write_one=write_one,
    harmless=harmless_json,
)

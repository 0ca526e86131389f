"""Writes JSON Lines: one object on each line, with the columns as keys."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from psycopg.sql import SQL

from auditctl.display import harmless_json
from auditctl.log import event_texts, selection
from auditctl.log.columns import Columns
from auditctl.log.formats import raw_json
from auditctl.log.formats.format import Format, Layout, Row

_NOT_QUOTED = ("event_id", "xact_id", "old_values", "new_values", "context")


def write(rows: Iterable[Row], _: Layout) -> Generator[str]:
    """Yield one line for each row; nothing without rows."""
    for (document,) in rows:
        yield f"{document}\n"


def write_one(row: Row, layout: Layout) -> Generator[str]:
    """Yield one line."""
    return write([row], layout)


def read(lines: Iterable[str], columns: Columns) -> Iterator[Row]:
    """Yield the cells of each line; raises ValueError for what this format does not write."""
    for line in lines:
        members = list(raw_json.members(line))
        if tuple([name for name, _, _ in members]) != columns or not line.endswith("\n"):
            raise ValueError("the line has other columns")
        yield tuple([_cell(*member) for member in members])


def _cell(name: str, text: str, value: object) -> str | None:
    if text == "null":
        return None
    if name in _NOT_QUOTED:
        return text
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")  # noqa: TRY004
    return value


FORMAT = Format(
    name="jsonl",
    help="one JSON object on each line",
    project=lambda _, columns: selection.documents(columns),
    project_texts=lambda _, columns: event_texts.documents(columns),
    write=write,
    write_one=write_one,
    harmless=harmless_json,
    # JSON text holds no control character, so with these as quote and delimiter nothing is ever quoted.
    copy_options=SQL(r"format csv, quote e'\x01', escape e'\x01', delimiter e'\x02'"),
    media_type="application/jsonl; charset=utf-8",
    delimiter=b"\x02",
    read=read,
)

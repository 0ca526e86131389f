"""Writes CSV as PostgreSQL does: RFC 4180 with line feeds, a header, nothing for null and "" for an empty text."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace

from psycopg.sql import SQL

from auditctl.log import event_texts, selection
from auditctl.log.columns import Columns
from auditctl.log.formats.format import Format, Layout, Row

_NEEDS_QUOTES = re.compile(r'[,"\r\n]')
_CELL = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^",\r\n]*+))(,|\n)')


def write(rows: Iterable[Row], layout: Layout) -> Generator[str]:
    """Yield the header, then a record for each row."""
    yield ",".join(layout.names) + "\n"
    for row in rows:
        yield ",".join(map(cell, row)) + "\n"


def write_one(row: Row, layout: Layout) -> Generator[str]:
    """Yield the header and one record."""
    return write([row], layout)


def write_marked(rows: Iterable[Row], layout: Layout) -> Generator[str]:
    """Yield the same after a byte order mark, without which Excel takes UTF-8 for the system's own encoding."""
    yield BOM_UTF8.decode()
    yield from write(rows, layout)


def read(lines: Iterable[str], columns: Columns) -> Iterator[Row]:
    """Yield the cells of each record after the header; raises ValueError for what this format does not write."""
    records = _records(lines)
    header = next(records, "").removeprefix(BOM_UTF8.decode())
    if header != ",".join(columns) + "\n":
        raise ValueError("the header is another one")
    for record in records:
        cells = _cells(record)
        if len(cells) != len(columns):
            raise ValueError("the record has other columns")
        yield cells


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Join the lines of which a quoted cell has several."""
    parts: list[str] = []
    is_quoted = False
    for line in lines:
        parts.append(line)
        is_quoted ^= line.count('"') % 2 == 1
        if not is_quoted:
            yield "".join(parts)
            parts.clear()
    if parts:
        raise ValueError("the last record has no end")


def _cells(record: str) -> Row:
    cells: list[str | None] = []
    place = 0
    while match := _CELL.match(record, place):
        place = match.end()
        cells.append(match[2] or None if match[1] is None else match[1].replace('""', '"'))
    if place != len(record):
        raise ValueError("the record has other columns")
    return tuple(cells)


def cell(text: str | None) -> str:
    """Return a cell: nothing for null."""
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if not text or _NEEDS_QUOTES.search(text) else text


def safe_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula, as `selection.cells` does."""
    return f"'{text}" if text.lstrip(" ").startswith(selection.FORMULA_STARTS) else text


FORMAT = Format(
    name="csv",
    help="for spreadsheets",
    project=lambda safe, columns: selection.cells(safe=safe, names=columns),
    project_texts=lambda safe, columns: event_texts.cells(safe=safe, names=columns),
    write=write,
    write_one=write_one,
    copy_options=SQL("format csv, header"),
    media_type="text/csv; charset=utf-8; header=present",
    has_header=True,
    delimiter=b",",
    read=read,
)

EXCEL = replace(
    FORMAT,
    name="csv-excel",
    help="CSV with a byte order mark, for Excel",
    title="CSV for Excel",
    suffix="csv",
    prefix=BOM_UTF8,
    write=write_marked,
    write_one=lambda row, layout: write_marked([row], layout),
)

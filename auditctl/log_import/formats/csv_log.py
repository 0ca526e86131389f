"""Parses log_destination = csvlog: one row of CSV for each record, which may have many lines."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator

from auditctl.log_import.formats.line_format import LONGEST, LineFormat, Lines, Piece, fixed, read_line, shortened
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.severities import severity_of

_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} [^\s,\"]{1,40},"
_FIRST = re.compile(_TIME)
# In a quoted value each quote is doubled, and behind the quote that ends one comes a comma or the line's end. So nobody
# can write such a start into a value.
_START = re.compile(_TIME + rb'"[^",\r\n]')
_COLUMNS = 26  # of PostgreSQL 14 to 18; more are two records in one row
_NUMBERS = (3, 6)

csv.field_size_limit(2 * LONGEST)


def _split(lines: Lines) -> Iterator[Piece]:
    parts: list[bytes] = []
    size = count = quotes = 0
    while True:
        line, line_size, is_complete = read_line(lines)
        if not is_complete:
            return
        if parts and _START.match(line):
            yield Piece(b"".join(parts), size, count, is_torn=True)
            parts, size, count, quotes = [], 0, 0, 0
        size += line_size
        count += 1
        quotes += line.count(b'"')
        parts.append(line)
        if size > LONGEST:
            parts = [shortened(b"".join(parts[:-1]), line)]
        if quotes % 2 == 0:
            yield Piece(parts[0] if len(parts) == 1 else b"".join(parts), size, count, is_torn=size > LONGEST)
            parts, size, count, quotes = [], 0, 0, 0


def _is_whole(raw: bytes) -> bool:
    return _FIRST.match(raw) is not None


def _salvage(raw: bytes) -> bytes:
    last = deque(_START.finditer(raw, 1), maxlen=1)
    if not last:
        return b""
    record = b""
    for line in raw[last[0].start() :].splitlines(keepends=True):
        record += line
        if record.count(b'"') % 2 == 0:
            break
    return record


def _parse(text: str, clock: Clock) -> Record:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        if len(rows) != 1 or len(rows[0]) != _COLUMNS:
            raise Malformed("not a row of the server")
        row = rows[0]
        if not all(row[number].isdecimal() for number in _NUMBERS):
            raise Malformed("not a number")
        host, _, port = row[4].rpartition(":") if row[4] != "[local]" else (row[4], "", "")
        return Record(
            at=clock.read(row[0], row[5], row[8]),
            login=row[1],
            database=row[2],
            host=host,
            port=port,
            session=row[5],
            number=int(row[6]),
            command=row[7],
            transaction=row[9],
            xact_id=row[10],
            state=row[12],
            message=row[13],
            is_bare=not any(row[number] for number in (14, 15, 16, 18, 19)),
            file=row[21].rpartition(", ")[2].partition(":")[0],
            application=row[22],
            severity=severity_of(row[11]),
            statement=row[19],
        )
    except (csv.Error, ValueError) as error:
        raise Malformed("not CSV of the server") from error


FORMAT = LineFormat(
    name="csvlog",
    begins=lambda first: _FIRST.match(first) is not None,
    split=_split,
    is_whole=_is_whole,
    parse=_parse,
    salvage=_salvage,
    state_marks=(b",", b","),
)

KIND = fixed(FORMAT)

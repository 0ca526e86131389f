"""Defines a format of the server's log: how a file is recognized, split into records and parsed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from auditctl.log_import.prefix import Prefix
from auditctl.log_import.records import Clock, Record, clean

LONGEST = 1 << 24
"""How many bytes a record may have; a longer one is left out.

PostgreSQL takes statements of up to 1 GB. An event holds 8 MiB, and quotes are written twice.
"""

_END = 1024


class Lines(Protocol):
    """An open file that is read by lines."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line with its line end, or what there is of it."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one record.

    Attributes:
        raw: Its bytes, line end included; only its start and end if it is too long. Empty for a line of something else.
        size: How many bytes it has in the file.
        lines: How many lines it has in the file.
        is_torn: Whether its end is missing, and another record follows.
        is_other: Whether it is a line that is not a record, such as the output of another program.
        is_doubtful: Whether a client may have written it through a name in the prefix of a line.
        end: The last bytes in the file, where raw does not end with them.
    """

    raw: bytes
    size: int
    lines: int = 1
    is_torn: bool = False
    is_other: bool = False
    is_doubtful: bool = False
    end: bytes | None = None


@dataclass(frozen=True, slots=True)
class LineFormat:
    """A format.

    Attributes:
        name: As log_destination calls it.
        begins: Whether a file whose first line begins like this is of the format.
        split: Yields the pieces of a file from where it stands, in order. Ends before a piece that is not complete.
        is_whole: Whether a piece looks like a record, cheaply.
        parse: Returns the record of a piece; raises `Malformed`.
        salvage: Returns the last record's bytes in a piece whose beginning is torn; empty where there are none.
        state_marks: What stands before and after the SQLSTATE in a record; None if its records do not have it.
        marks: Byte strings of records that are parsed whatever else they contain.
        prefix: What the lines of a format of text begin with.
    """

    name: str
    begins: Callable[[bytes], bool]
    split: Callable[[Lines], Iterator[Piece]]
    is_whole: Callable[[bytes], bool]
    parse: Callable[[str, Clock], Record]
    salvage: Callable[[bytes], bytes]
    state_marks: tuple[bytes, bytes] | None = (b"", b"")
    marks: tuple[bytes, ...] = ()
    prefix: Prefix | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What the files do not say themselves.

    Attributes:
        prefixes: The log_line_prefix that text may begin with: the one that is named, or the server's and usual ones.
        zone: The time zone of the log, which abbreviations such as `CET` belong to.
    """

    prefixes: tuple[Prefix, ...] = ()
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Detected:
    """The format of a file.

    Attributes:
        form: The format.
        first: The first line that is a record, by which the file is identified.
    """

    form: LineFormat
    first: bytes


@dataclass(frozen=True, slots=True)
class FormatKind:
    """A row of the registry of formats.

    Attributes:
        name: As log_destination calls it, or the service that writes it.
        detect: Returns the format of a file with these first lines, or None.
    """

    name: str
    detect: Callable[[Sequence[bytes], LogSettings], Detected | None]


def fixed(form: LineFormat) -> FormatKind:
    """Return the row of a format that needs no settings: its first line says what it is."""
    return FormatKind(form.name, lambda head, _: Detected(form, head[0]) if form.begins(head[0]) else None)


def read_line(lines: Lines) -> tuple[bytes, int, bool]:
    """Return the next line, its size and whether it is complete; of one that is too long only start and end."""
    line = lines.readline(LONGEST)
    size = len(line)
    part = line
    while len(part) == LONGEST and not part.endswith(b"\n"):
        part = lines.readline(LONGEST)
        size += len(part)
        line = shortened(line, part)
    return line, size, part.endswith(b"\n")


def _is_object(first: bytes) -> bool:
    return first.startswith(b"{")


def json_lines(
    name: str,
    parse: Callable[[str, Clock], Record],
    server_marks: Sequence[bytes],
    *,
    begins: Callable[[bytes], bool] = _is_object,
    **rest: Any,
) -> LineFormat:
    """Return the format of a file with a JSON object in each line, in which a service wraps the server's records.

    Args:
        name: The name of the format.
        parse: Parses a line.
        server_marks: Byte strings of which a line of the server has one.
        begins: Whether a file with such a first line is of the format.
        rest: Further attributes of the format.
    """
    split = partial(split_json, marks=server_marks)
    return LineFormat(
        name, begins=begins, split=split, is_whole=lambda _: True, parse=parse, salvage=lambda _: b"", **rest
    )


def split_json(lines: Lines, marks: Sequence[bytes]) -> Iterator[Piece]:
    """Yield the pieces of a file with a JSON object in each line; of lines without one of the marks only the size."""
    while True:
        line, size, is_complete = read_line(lines)
        if not is_complete:
            return
        if any(mark in line for mark in marks):
            yield Piece(line, size, is_torn=size > LONGEST)
        else:
            yield Piece(b"", size, end=line)


def json_object(line: bytes | str) -> dict[str, Any]:
    """Return the object of a line; an empty one if it is not an object."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def text_of(fields: object, name: str) -> str:
    """Return a value of an object as text; empty if there is none."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return clean(str(value)) if isinstance(value, str | int) else ""


def shortened(first: bytes, last: bytes) -> bytes:
    """Return start and end of a record that is too long: its format, and the bytes by which its end is recognized."""
    return first[:_END] + (first[-_END:] + last[-_END:])[-_END:]

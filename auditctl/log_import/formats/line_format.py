"""Defines a format of the server's log: how a file is recognized, split into records and parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from auditctl.log_import.records import Clock, Record

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
        raw: Its bytes, line end included; only its start and end if it is too long.
        size: How many bytes it has in the file.
        lines: How many lines it has in the file.
        is_torn: Whether its end is missing, and another record follows.
    """

    raw: bytes
    size: int
    lines: int = 1
    is_torn: bool = False


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
        has_state: Whether its records have the SQLSTATE.
    """

    name: str
    begins: Callable[[bytes], bool]
    split: Callable[[Lines], Iterator[Piece]]
    is_whole: Callable[[bytes], bool]
    parse: Callable[[str, Clock], Record]
    salvage: Callable[[bytes], bytes]
    has_state: bool = True


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


def shortened(first: bytes, last: bytes) -> bytes:
    """Return start and end of a record that is too long: its format, and the bytes by which its end is recognized."""
    return first[:_END] + (first[-_END:] + last[-_END:])[-_END:]

"""Defines a format of events: what is read for it, how rows become text, and how COPY writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from psycopg.sql import SQL, Composable

from auditctl import display
from auditctl.clock import Clock

_DIGITS = re.compile(rb"[0-9]+")

Row = tuple[str | None, ...]
"""What a format's projection returns for an event: its cells in the order of `selection.COLUMNS`, or its document."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The place where a text is shown.

    Attributes:
        width: Columns of characters, at least 1; None for as many as the text takes.
        color: Whether colors may be used.
        zone: The clock by which a format for people shows times; None for that of UTC, which the header says.
    """

    width: int | None = 120
    color: bool = False
    zone: Clock | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write events.

    Attributes:
        name: The value of --format. Of an exported format also the suffix of the page's address.
        help: Its purpose, as a phrase.
        projection: Returns what to read, given whether cells must be safe for spreadsheets.
        write: Turns rows into text, piece by piece.
        write_one: Turns the row of a single event into text.
        copy_options: Options with which COPY writes the same bytes from the projection; None where it cannot.
        media_type: The Content-Type of a download; empty where COPY cannot write it.
        title: Its name on the page; empty for `name` in capitals.
        suffix: The suffix of files; empty for `name`.
        prefix: The bytes at the beginning of a file, which COPY does not write.
        has_header: Whether the first record names the columns.
        id_prefix: What comes before the event's number in a record that COPY writes.
        harmless: Makes the text harmless on a terminal.
        list_projection: What to read where events are listed, if that is less; None otherwise.
        read: Turns the lines of an exported file back into rows in the order of `selection.COLUMNS`, and raises
            ValueError for what is not of this format; None where it does not hold every column.
    """

    name: str
    help: str
    projection: Callable[[bool], Composable]
    write: Callable[[Iterable[Row], Layout], Generator[str]]
    write_one: Callable[[Row, Layout], Generator[str]]
    copy_options: SQL | None = None
    media_type: str = ""
    title: str = ""
    suffix: str = ""
    prefix: bytes = b""
    has_header: bool = False
    id_prefix: bytes = b""
    harmless: Callable[[str], str] = display.harmless_lines
    list_projection: Callable[[Layout], Composable] | None = None
    read: Callable[[Iterable[str]], Iterator[Row]] | None = None

    @property
    def shown_name(self) -> str:
        """The name on the page."""
        return self.title or self.name.upper()

    @property
    def file_suffix(self) -> str:
        """The suffix of files, without a dot."""
        return self.suffix or self.name

    def listed(self, safe: bool, layout: Layout) -> Composable:
        """Return what to read where events are listed.

        Args:
            safe: Whether cells must be safe for spreadsheets.
            layout: Where they are shown.
        """
        return self.projection(safe) if self.list_projection is None else self.list_projection(layout)

    def event_id(self, record: bytes | bytearray | memoryview) -> int:
        """Return the number of the event in a record that COPY wrote."""
        digits = _DIGITS.match(bytes(record[: len(self.id_prefix) + 19]), len(self.id_prefix))
        return int(digits[0]) if digits else 0

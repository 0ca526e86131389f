"""Defines a format of events: what is read for it, how rows become text, and how COPY writes it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from psycopg.sql import SQL, Composable

from auditctl import display
from auditctl.clock import Clock
from auditctl.errors import UsageError
from auditctl.log.columns import COLUMNS, Columns
from auditctl.log.event_texts import Project

_LONGEST_NUMBER = 19
"""The digits of the largest number of an event."""

Row = tuple[str | None, ...]
"""What a format's projection returns for an event: its cells in the order of the columns, or its document."""

Record = bytes | bytearray | memoryview
"""What COPY writes for an event, or for the header."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The place where a text is shown.

    Attributes:
        width: Columns of characters, at least 1; None for as many as the text takes.
        color: Whether colors may be used.
        zone: The clock by which a format for people shows times; None for that of UTC, which the header says.
        columns: The columns that were chosen; None for those that the format has.
        more: The columns that are shown beside those of the format, unless some were chosen.
    """

    width: int | None = 120
    color: bool = False
    zone: Clock | None = None
    columns: Columns | None = None
    more: Columns = ()

    @property
    def names(self) -> Columns:
        """The columns of a format that has all of them."""
        return self.columns or (*COLUMNS, *self.more)


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write events.

    Attributes:
        name: The value of --format. Of an exported format also the suffix of the page's address.
        help: Its purpose, as a phrase.
        project: Returns what to read, given whether cells must be safe for spreadsheets, and the columns.
        project_texts: Returns what makes the same of an event that is texts already, such as one from an archive.
        write: Turns rows into text, piece by piece.
        write_one: Turns the row of a single event into text.
        copy_options: Options with which COPY writes the same bytes from the projection; None where it cannot.
        media_type: The Content-Type of a download; empty where COPY cannot write it.
        title: Its name on the page; empty for `name` in capitals.
        suffix: The suffix of files; empty for `name`.
        prefix: The bytes at the beginning of a file, which COPY does not write.
        has_header: Whether the first record names the columns.
        delimiter: What COPY writes between two columns; empty where COPY cannot write it.
        has_columns: Whether columns can be chosen.
        harmless: Makes the text harmless on a terminal.
        list_projection: What to read where events are listed, if that is less; None otherwise.
        list_texts: What makes the same of an event that is texts already; None where `list_projection` is.
        read: Turns the lines of an exported file with these columns back into rows, and raises ValueError for what is
            not of this format; None where it does not hold columns.
    """

    name: str
    help: str
    project: Callable[[bool, Columns], Composable]
    project_texts: Callable[[bool, Columns], Project]
    write: Callable[[Iterable[Row], Layout], Generator[str]]
    write_one: Callable[[Row, Layout], Generator[str]]
    copy_options: SQL | None = None
    media_type: str = ""
    title: str = ""
    suffix: str = ""
    prefix: bytes = b""
    has_header: bool = False
    delimiter: bytes = b""
    has_columns: bool = True
    harmless: Callable[[str], str] = display.harmless_lines
    list_projection: Callable[[Layout], Composable] | None = None
    list_texts: Callable[[Layout], Project] | None = None
    read: Callable[[Iterable[str], Columns], Iterator[Row]] | None = None

    @property
    def shown_name(self) -> str:
        """The name on the page."""
        return self.title or self.name.upper()

    @property
    def file_suffix(self) -> str:
        """The suffix of files, without a dot."""
        return self.suffix or self.name

    def require_columns(self, columns: Columns | None) -> None:
        """Make sure that columns can be chosen, if any were; None for none.

        Raises:
            UsageError: The format has attributes of its own.
        """
        if columns is not None and not self.has_columns:
            raise UsageError(
                f"the format {self.name} takes no columns",
                hint="Its attributes are those of its schema. Use csv or jsonl.",
            )

    def projection(self, safe: bool, columns: Columns | None = None) -> Composable:
        """Return what to read for an event.

        Args:
            safe: Whether cells must be safe for spreadsheets.
            columns: The chosen columns; None for all.
        """
        return self.project(safe, columns or COLUMNS)

    def listed(self, safe: bool, layout: Layout) -> Composable:
        """Return what to read where events are listed.

        Args:
            safe: Whether cells must be safe for spreadsheets.
            layout: Where they are shown.
        """
        if self.list_projection is None:
            return self.projection(safe, layout.columns)
        return self.list_projection(layout)

    def projection_of_texts(self, safe: bool, columns: Columns | None = None) -> Project:
        """Return what makes of an event's texts what `projection` reads."""
        return self.project_texts(safe, columns or COLUMNS)

    def listed_texts(self, safe: bool, layout: Layout) -> Project:
        """Return what makes of an event's texts what `listed` reads."""
        return self.project_texts(safe, layout.names) if self.list_texts is None else self.list_texts(layout)

    def split(self, record: Record) -> tuple[bytes, Record]:
        """Return the number of the event, which COPY wrote before a record, and the record; of a header its name."""
        number = bytes(record[: _LONGEST_NUMBER + 1]).partition(self.delimiter)[0]
        return number, record[len(number) + len(self.delimiter) :]

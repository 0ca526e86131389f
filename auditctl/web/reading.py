"""Where a page reads events. Here: from the log alone; what is in an archive alone, it names beside its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from auditctl.database import Connection
from auditctl.log import export, predicates, reader
from auditctl.log.columns import Columns
from auditctl.log.export import ExportRequest, ExportResult
from auditctl.log.filters import Filters
from auditctl.log.formats.format import Record
from auditctl.log.selection import Cursor, Order, Selection
from auditctl.web.render import event_rows
from auditctl.web.render.event_rows import EventDetails, EventRow

Neighbors = tuple[int | None, int | None]
"""The numbers of the events before and after one; None where there is none."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a page lists.

    Attributes:
        filters: Which events, with names looked up.
        order: Oldest or newest first.
        after: The event after which to continue, in that order; None to start at the beginning.
        limit: The maximum number of events.
        columns: The columns that were chosen; None for the usual ones.
        without: The number of an event to leave out; None for none.
    """

    filters: Filters
    order: Order
    after: Cursor | None
    limit: int
    columns: Columns | None = None
    without: int | None = None

    @property
    def selection(self) -> Selection:
        """The same events of the log."""
        return Selection(self.filters.predicates(), self.order, self.after, self.limit)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list of events.

    Attributes:
        rows: The events, in their order.
        following: The cursor of those that follow; None where there are none.
    """

    rows: tuple[EventRow, ...]
    following: str | None


class Running(Protocol):
    """An export that has been recorded."""

    def __iter__(self) -> Iterator[Record]:
        """Yield its records, once."""

    def result(self, size: int, sha256: str) -> ExportResult:
        """Return the complete export, of which so many bytes with this hash were written."""


class Reading(Protocol):
    """What reads events for one request. Each method raises DatabaseError where the login may not read the log."""

    is_everywhere: bool
    """Whether it reads archived months, too."""

    def resolve(self, filters: Filters) -> Filters:
        """Return filters with names looked up. Raises UsageError if one is not known."""

    def page(self, listing: Listing) -> Slice:
        """Return the events of a listing."""

    def details(self, event_id: int) -> EventDetails:
        """Return one event. Raises NoSuchEvent."""

    def neighbors(self, at: Cursor, row: tuple[str, str] | None = None) -> Neighbors:
        """Return the events right before and after one: all, or those of a row, by its target's name and its key."""

    def history(self, target: str, key: str, listing: Listing) -> Slice:
        """Return the events of a listing, without its filters, of the history of an object."""

    def export(self, request: ExportRequest) -> AbstractContextManager[Running]:
        """Record an export, and yield it ready to be read. Raises UsageError."""


class LogReading(Reading):
    """Reads the log alone.

    Args:
        conn: The visitor's connection.
    """

    is_everywhere = False

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def resolve(self, filters: Filters) -> Filters:
        """Return filters with names looked up."""
        return filters.resolve(self._conn)

    def page(self, listing: Listing) -> Slice:
        """Return the events of a listing."""
        return self._read(listing.selection, listing)

    def details(self, event_id: int) -> EventDetails:
        """Return one event."""
        return event_rows.details(reader.event(self._conn, event_id, event_rows.details_columns()))

    def neighbors(self, at: Cursor, row: tuple[str, str] | None = None) -> Neighbors:
        """Return the events right before and after one."""
        return reader.neighbors(self._conn, at, [predicates.row(*row)] if row else [])

    def history(self, target: str, key: str, listing: Listing) -> Slice:
        """Return events of the history of an object."""
        return self._read(replace(listing.selection, source=reader.history(target, key).source), listing)

    @contextmanager
    def export(self, request: ExportRequest) -> Iterator[Running]:
        """Record an export, and yield it ready to be read."""
        yield export.begin(self._conn, request)

    def _read(self, selection: Selection, listing: Listing) -> Slice:
        page = reader.Page(self._conn, selection, event_rows.row_columns(listing.columns), listing.without)
        rows = tuple(event_rows.row(cells, listing.columns) for cells in page)
        return Slice(rows, str(page.following) if page.following else None)

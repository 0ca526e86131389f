"""Reads the log for pages with its archived months. Where these cannot be read, a page shows the log alone and says so.

It needs the extra `archive`. Access is that of the log: only a login that may read the log finds out what is archived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from auditctl.archive import as_source, everywhere, export, history, neighbors, pages
from auditctl.archive.engines import EngineStopped
from auditctl.archive.everywhere import MergedPage
from auditctl.archive.history import Stretch
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.search import Search
from auditctl.database import Connection
from auditctl.errors import OutputError
from auditctl.log.export import ExportRequest
from auditctl.log.filters import Filters
from auditctl.log.reader import NoSuchEvent, no_such_event
from auditctl.log.selection import LARGEST_EVENT_ID, Cursor, Selection
from auditctl.web import access_log
from auditctl.web.archive import Archive
from auditctl.web.errors import ArchiveUnreadable, TookTooLong
from auditctl.web.reading import Listing, LogReading, Neighbors, Reading, Running, Slice
from auditctl.web.render import event_rows
from auditctl.web.render.event_rows import EventDetails
from auditctl.web.request import Visit

Answer = TypeVar("Answer")


class EverywhereReading(Reading):
    """Reads the log with its archived months.

    Args:
        visit: The request.
        conn: The visitor's connection.
        archive: The archived months.
    """

    is_everywhere = True

    def __init__(self, visit: Visit, conn: Connection, archive: Archive) -> None:
        self._visit, self._conn, self._archive = visit, conn, archive
        self._alone = LogReading(conn)

    def resolve(self, filters: Filters) -> Filters:
        """Return filters with names looked up."""
        access = self._archive.for_page(self._visit.stopping)
        return self._or_alone(lambda: access.resolve(self._conn, filters), lambda: self._alone.resolve(filters))

    def page(self, listing: Listing) -> Slice:
        """Return the events of a listing."""

        def read() -> Slice:
            with self._search() as search:
                page = MergedPage(
                    self._conn, listing.selection, listing.filters.archive_predicates(),
                    event_rows.row_columns(listing.columns), search, event_rows.row_texts(listing.columns),
                    listing.without,
                )  # fmt: skip
                return _slice(page, listing)

        return self._or_alone(read, lambda: self._alone.page(listing))

    def details(self, event_id: int) -> EventDetails:
        """Return one event. Raises ArchiveUnreadable if it may be in files that cannot be read."""
        try:
            with self._explained(), self._search() as search:
                return event_rows.details(_cells(self._conn, search, event_id))
        except ArchiveUnreadable as error:
            try:
                return self._alone.details(event_id)
            except NoSuchEvent:
                raise error from None

    def neighbors(self, at: Cursor, row: tuple[str, str] | None = None) -> Neighbors:
        """Return the events right before and after one."""

        def read() -> Neighbors:
            with self._search() as search:
                return neighbors.neighbors(self._conn, search, at, row)

        return self._or_alone(read, lambda: self._alone.neighbors(at, row))

    def history(self, target: str, key: str, listing: Listing) -> Slice:
        """Return events of the history of an object."""

        def read() -> Slice:
            with self._search() as search:
                life = history.of_log(self._conn, search, target, key)
                page = history.page(
                    self._conn, search, life, Stretch(listing.order, listing.after, listing.limit),
                    event_rows.row_columns(listing.columns), event_rows.row_texts(listing.columns),
                )  # fmt: skip
                return _slice(page, listing)

        return self._or_alone(read, lambda: self._alone.history(target, key, listing))

    @contextmanager
    def export(self, request: ExportRequest) -> Iterator[Running]:
        """Record an export, and yield it ready to be read. Raises ArchiveUnreadable: a file lacks nothing."""
        with (
            self._explained(),
            export.begin(self._conn, self._archive.for_export(self._visit.stopping), request) as running,
        ):
            yield running

    @contextmanager
    def _search(self) -> Iterator[Search]:
        with self._archive.for_page(self._visit.stopping).search(self._conn) as search:
            yield search

    def _or_alone(self, read: Callable[[], Answer], read_alone: Callable[[], Answer]) -> Answer:
        """Return what is read, or what the log alone has where its archived months cannot be read."""
        if not self._visit.unsearched:
            try:
                with self._explained():
                    return read()
            except ArchiveUnreadable as error:
                self._visit.unsearched = f"Archived months could not be read, so events may be missing here: {error}."
        return read_alone()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ArchiveError, OutputError) as error:
            access_log.archive_failed(self._visit, error)
            raise ArchiveUnreadable(str(error), hint=error.hint) from error
        except EngineStopped as error:
            raise TookTooLong from error


def _cells(conn: Connection, search: Search, event_id: int) -> tuple[Any, ...]:
    columns = event_rows.details_columns()
    if not 1 <= event_id <= LARGEST_EVENT_ID:
        raise no_such_event(event_id)
    found = everywhere.event(conn, event_id, columns)
    if found is not None:
        return found[2]
    try:
        archived = pages.event(search, event_id)
    except NoSuchEvent:
        raise no_such_event(event_id) from None
    # The server makes of it what it makes of an event of the table.
    ((cells),) = conn.execute(Selection(source=as_source.of(archived)).query(columns)).fetchall()
    return cells


def _slice(page: MergedPage, listing: Listing) -> Slice:
    rows = tuple(event_rows.row(cells, listing.columns) for cells in page)
    return Slice(rows, page.following)

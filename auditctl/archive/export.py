"""Exports archived events, alone or together with the log, as COPY exported them before they were archived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from auditctl.archive.access import ArchiveAccess
from auditctl.archive.everywhere import MergedPage
from auditctl.archive.pages import ReadPage
from auditctl.database import Connection
from auditctl.log.columns import Columns
from auditctl.log.export import REPORTED_EVERY, ExportRequest, ExportResult, ReportProgress, record_begin
from auditctl.log.filters import Filters
from auditctl.log.formats import Format, Layout
from auditctl.log.selection import Selection
from auditctl.output import Sink


@dataclass(frozen=True, slots=True)
class RunningExport:
    """An export of a log and its archived months that has been recorded.

    Attributes:
        page: The events, not yet read.
        format: The format.
        columns: The columns that were chosen; None for all.
        filters: The filters, resolved.
        event_id: The event that records its beginning; None where the server is read-only.
    """

    page: MergedPage
    format: Format
    columns: Columns | None
    filters: Filters
    event_id: int | None

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file in pieces, once.

        Raises:
            ArchiveError: A file is missing, was altered, or cannot be read.
            DatabaseError: The connection is lost.
        """
        for text in self.format.write(self.page, Layout(columns=self.columns)):
            yield text.encode()

    def result(self, size: int, sha256: str) -> ExportResult:
        """Return the complete export, of which so many bytes with this hash were written."""
        first, last = self.page.first_event_id, self.page.last_event_id
        return ExportResult(self.page.count, size, self.event_id, sha256, first_event_id=first, last_event_id=last)


@contextmanager
def begin(conn: Connection, access: ArchiveAccess, request: ExportRequest) -> Iterator[RunningExport]:
    """Record an export of a log and its archived months; yield it ready to be read, once, within the block.

    The SHA-256 of each file is compared before it is read.

    Raises:
        UsageError: The log knows no such table or column, or the engine is not installed; nothing is recorded.
        ArchiveError: A file is missing, was altered, or cannot be read.
        DatabaseError: The login may not export, or the connection is lost.
    """
    filters = access.resolve(conn, request.filters)
    event_id, _ = record_begin(conn, request)
    with access.search(conn) as search:
        search.checks_content = True
        page = MergedPage(
            conn, Selection(filters.predicates(), request.order), filters.archive_predicates(),
            request.format.projection(not request.raw, request.columns), search,
            request.format.projection_of_texts(not request.raw, request.columns), without=event_id,
        )  # fmt: skip
        yield RunningExport(page, request.format, request.columns, filters, event_id)


def write(
    page: ReadPage,
    output_format: Format,
    layout: Layout,
    sink: Sink,
    report: ReportProgress,
    event_id: int | None = None,
) -> ExportResult:
    """Write the events of a page.

    Args:
        page: The events, not yet read.
        output_format: The format.
        layout: The columns.
        sink: Where to write.
        report: What takes the progress.
        event_id: The event that records the beginning of the export; None without one.

    Raises:
        ArchiveError: A file is missing, was altered, or cannot be read.
        OutputError: The sink cannot be written.
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    sink.hashed = sha256 = hashlib.sha256()
    for number, text in enumerate(output_format.write(page, layout)):
        sink.write(text.encode())
        if number % REPORTED_EVERY == 0:
            report(page.count, sink.written)
    sink.flush()
    report(page.count, sink.written)
    return ExportResult(
        page.count, sink.written, event_id, sha256.hexdigest(), first_event_id=page.first_event_id,
        last_event_id=page.last_event_id,
    )  # fmt: skip

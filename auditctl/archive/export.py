"""Exports archived events, alone or together with the log, as COPY exported them before they were archived."""

from __future__ import annotations

import hashlib

from auditctl.archive.everywhere import MergedPage
from auditctl.archive.pages import ArchivePage
from auditctl.log.export import REPORTED_EVERY, ExportResult, ReportProgress
from auditctl.log.formats import Format, Layout
from auditctl.output import Sink


def write(
    page: ArchivePage | MergedPage,
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

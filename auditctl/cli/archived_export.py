"""`auditctl export` of an archive, alone or together with the log."""

from __future__ import annotations

import sys

from auditctl import coverage, output
from auditctl.cli import progress
from auditctl.cli.archive_options import ArchiveChoice
from auditctl.cli.archived import Shown
from auditctl.cli.printing import print_warning
from auditctl.cli.session import READER, Session
from auditctl.log import export as log_export
from auditctl.log.export import ExportRequest, ExportResult
from auditctl.log.formats import Layout


def write_export(
    session: Session, choice: ArchiveChoice, request: ExportRequest, path: str, *, force: bool
) -> ExportResult:
    """Write the file, and record it in the log that it is of; an archive alone has none.

    Raises:
        UsageError: A name is not known, or the path, the archive or the engine is not there.
        ArchiveError: A file is missing, or was altered.
        OutputError: The file cannot be written.
        DatabaseError: The login may not export, or the connection is lost.
    """
    shown = Shown(request.format, Layout(columns=request.columns), not request.raw)
    stdout = sys.stdout.fileno()
    with output.destination(path, stdout=stdout, force=force, code=request.format.harmless) as sink:
        if choice.is_alone:
            return _write_alone(session, choice, request, shown, sink)
        access = choice.access()
        from auditctl.archive import export

        with session.connect(READER) as conn:
            with export.begin(conn, access, request) as running, progress.counter(session, "events") as show:
                result = export.write(
                    running.page, request.format, shown.layout, sink,
                    lambda events, size: show(events, f"{size / 1e6:,.1f} MB"), running.event_id,
                )  # fmt: skip
            sink.sync()
            log_export.record_end(conn, request.filters, result)
            for sentence in (*running.filters.doubts(conn), *coverage.read(conn, running.filters).gaps):
                session.say(sentence)
    if result.event_id is None:
        print_warning("the server is read-only, so this export is not recorded in the log")
    return result


def _write_alone(
    session: Session, choice: ArchiveChoice, request: ExportRequest, shown: Shown, sink: output.Sink
) -> ExportResult:
    with choice.open() as search, progress.counter(session, "events") as show:
        from auditctl.archive import export, names, pages
        from auditctl.archive.search import ArchiveSelection

        shown = shown.of_several(search.archive.databases)
        search.checks_content = True
        resolved = names.resolve(request.filters, search)
        page = pages.ArchivePage(
            search, ArchiveSelection(resolved.archive_predicates(), request.order),
            request.format.project_texts(shown.is_safe, shown.layout.names),
        )  # fmt: skip
        return export.write(
            page, request.format, shown.layout, sink, lambda events, size: show(events, f"{size / 1e6:,.1f} MB")
        )

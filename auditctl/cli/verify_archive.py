"""`auditctl verify --archive`: compares an archive with its evidence, with or without the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from auditctl.archive import files, log_record, verifier
from auditctl.archive.archive_report import ArchiveChoice, ArchiveReport
from auditctl.cli import progress
from auditctl.cli.session import READER, Session
from auditctl.database import read_transaction
from auditctl.text import plural


def verify(
    session: Session, path: str | None, choice: ArchiveChoice, *, everywhere: bool
) -> tuple[ArchiveReport, list[str]]:
    """Verify an archive; return what was found, and the counts that are printed first.

    Args:
        session: The options before the command.
        path: The archive; None for that of the month that was archived last.
        choice: What is verified.
        everywhere: Whether to compare it with what the database says of it.

    Raises:
        UsageError: It is not an archive, or has no month.
        OutputError: A file cannot be read.
        DatabaseError: The login may not read the log.
    """
    with ExitStack() as stack:
        record = None
        if everywhere:
            conn = stack.enter_context(session.connect(READER, is_examined=True))
            stack.enter_context(read_transaction(conn))
            record = log_record.read(conn)
        place = record.place() if path is None and record is not None else files.at(path or "")
        show = stack.enter_context(progress.counter(session, "events"))
        report = verifier.verify(place, choice, show, record).report
    return report, list(_lines(report, is_checked=choice.policy is not None))


def _lines(report: ArchiveReport, *, is_checked: bool) -> Iterator[str]:
    """What is printed of the counts."""
    of = f"{plural(report.months, 'month')}, {plural(report.files, 'file')}"
    proven = report.events - report.unproven
    yield f"{plural(proven, 'event')} compared in {plural(report.blocks, 'block')}; {of}; {report.tree_size:,} leaves"
    if report.unproven:
        yield f"without evidence: {report.unproven:,}"
    if report.erased:
        yield f"with erased values: {report.erased:,}"
    nobody = "nobody who is trusted" if is_checked else "not checked"
    yield f"signed by: {', '.join(report.signed_by) or nobody}"

"""`auditctl verify --archive`: compares an archive with its own evidence, without a database."""

from __future__ import annotations

from collections.abc import Iterator

from auditctl.archive import files, verifier
from auditctl.archive.archive_report import ArchiveReport
from auditctl.archive.verifier import ArchiveChoice
from auditctl.cli import progress
from auditctl.cli.session import Session
from auditctl.text import plural


def verify(session: Session, path: str, choice: ArchiveChoice) -> ArchiveReport:
    """Return what verifying the archive at a path found.

    Raises:
        UsageError: It is not an archive, or has no month.
        OutputError: A file cannot be read.
    """
    with progress.counter(session, "events") as show:
        return verifier.verify(files.at(path), choice, show).report


def lines(report: ArchiveReport, *, is_checked: bool) -> Iterator[str]:
    """Yield what is printed of the counts."""
    of = f"{plural(report.months, 'month')}, {plural(report.files, 'file')}"
    proven = report.events - report.unproven
    yield f"{plural(proven, 'event')} compared in {plural(report.blocks, 'block')}; {of}; {report.tree_size:,} leaves"
    if report.unproven:
        yield f"without evidence: {report.unproven:,}"
    if report.erased:
        yield f"with erased values: {report.erased:,}"
    nobody = "nobody who is trusted" if is_checked else "not checked"
    yield f"signed by: {', '.join(report.signed_by) or nobody}"

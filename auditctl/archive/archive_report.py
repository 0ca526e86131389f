"""What verifying an archive found."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl.evidence.findings import Report


@dataclass(slots=True)
class ArchiveReport(Report):
    """The result of verifying an archive.

    Attributes:
        months: How many months were verified.
        files: How many files with events they have.
        unproven: How many events are of months without evidence: their files and manifests alone were compared.
    """

    months: int = 0
    files: int = 0
    unproven: int = 0

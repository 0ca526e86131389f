"""What is verified of an archive, and what was found. Needs no library of the extra `archive`."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl.evidence.chain import Anchor
from auditctl.evidence.findings import Report
from auditctl.evidence.policy import Policy


@dataclass(frozen=True, slots=True)
class ArchiveChoice:
    """What is verified.

    Attributes:
        policy: The keys that count; None without a key.
        anchors: Checkpoints that are kept elsewhere.
        database: The months of one database; None for all.
    """

    policy: Policy | None = None
    anchors: tuple[Anchor, ...] = ()
    database: str | None = None


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

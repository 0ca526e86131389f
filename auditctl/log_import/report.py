"""What an import found, counted."""

from __future__ import annotations

from dataclasses import dataclass, field

PLACES = 5
"""How many places of malformed or forged lines are kept."""


@dataclass(slots=True)
class Summary:
    """What became of the lines.

    Attributes:
        files: Files with something new.
        lines: Lines read, as an editor counts them.
        made: Reads imported.
        known: Lines of reads that were imported before, and tables that a statement names twice.
        recorded: Lines of reads that the log has from auditctl's policy.
        waiting: Lines of reads whose transaction, or whose statement, has not ended.
        other: Lines of tables that are not audited.
        foreign: Lines of other databases.
        nameless: Lines of pgaudit that name no table.
        earlier: Lines of before the time that was asked for.
        expired: Lines of a time that retention has removed.
        replaced: Records with text that is no UTF-8.
        malformed: Records that cannot be read.
        malformed_at: The first of them, as `file:line`.
        forged: Lines that a login made the server write so that they look like a read.
        forged_at: The first of them, as `file:line`.
        unfinished: Files that end in the middle of a record.
    """

    files: int = 0
    lines: int = 0
    made: int = 0
    known: int = 0
    recorded: int = 0
    waiting: int = 0
    other: int = 0
    foreign: int = 0
    nameless: int = 0
    earlier: int = 0
    expired: int = 0
    replaced: int = 0
    malformed: int = 0
    malformed_at: list[str] = field(default_factory=list)
    forged: int = 0
    forged_at: list[str] = field(default_factory=list)
    unfinished: int = 0

    def add_malformed(self, place: str) -> None:
        """Count a record that cannot be read."""
        self.malformed += 1
        if len(self.malformed_at) < PLACES:
            self.malformed_at.append(place)

    def add_forged(self, place: str) -> None:
        """Count a line that is not believed."""
        self.forged += 1
        if len(self.forged_at) < PLACES:
            self.forged_at.append(place)

    def add(self, outcome: str, lines: int = 1) -> None:
        """Count lines by what the database says became of them."""
        setattr(self, outcome, getattr(self, outcome) + lines)

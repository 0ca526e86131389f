"""Counts the lines of an import by what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

PLACES = 5
"""How many places of rejected lines are listed."""


@dataclass(slots=True)
class Rejected:
    """Lines that were left out because they cannot be trusted.

    Attributes:
        count: How many there were.
        places: Where the first of them are, as `file:line`.
    """

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """Count a line."""
        self.count += 1
        if len(self.places) < PLACES:
            self.places.append(place)


@dataclass(slots=True)
class Summary:
    """What became of the lines.

    Attributes:
        files: Files with something new.
        lines: Lines read, as an editor counts them.
        outcomes: Lines by what became of them. `made`: reads imported; other events by their target. `known`: imported
            before, or of a table that the statement names twice. `recorded`: in the log already, from auditctl's
            policy. `waiting`: the transaction or statement is still open. `other`: of tables that are not audited.
            `foreign`: of other databases. `nameless`: of pgaudit without a table. `anonymous`: without a login.
            `unverifiable`: of pgaudit, in a format that does not show whether a login wrote them. `earlier`: before the
            start of the import. `expired`: of a time that retention has removed. `unmatched`: in a log of text, that
            do not begin with the prefix.
        left_out: Files that were not read, and why.
        prefixes: The prefixes of text that lack fields, and what is lost for that.
        replaced: Records with text that is not valid UTF-8.
        malformed: Records that cannot be parsed.
        oversize: Records that are longer than one may be.
        forged: Lines that a login made the server write and that look like a read.
        unfinished: Files that end in the middle of a record.
    """

    files: int = 0
    lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, list[str]] = field(default_factory=dict)
    replaced: int = 0
    malformed: Rejected = field(default_factory=Rejected)
    oversize: Rejected = field(default_factory=Rejected)
    forged: Rejected = field(default_factory=Rejected)
    unfinished: int = 0

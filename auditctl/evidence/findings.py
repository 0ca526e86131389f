"""What verification finds: differences between the log and its evidence, each a sentence, and notes that are none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = (
    "table", "unreadable", "rolled_back", "forked", "signature", "checkpoint", "month", "manifest", "file",
    "block_missing", "record", "block_altered", "partition", "altered", "missing", "added", "erased_unannounced",
    "pruned_unannounced", "capture",
)  # fmt: skip
"""The kinds of findings, in the order in which they are shown: first what makes others uncertain."""

MAX_FINDINGS = 50
"""How many findings of one kind are listed; of the others, the number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference.

    Attributes:
        kind: What happened, one of `KINDS`.
        sentence: What differs, for people.
        event_id: The event, if it is known.
        column: The column, if it is known; several are separated by commas.
        block: The number of the block, if it is one.
        partition: The partition, if it is known.
        file: The file of an archive, if it is one: its path within the archive.
        row_group: The group of rows of that file, from 0, if it is known.
    """

    kind: str
    sentence: str
    event_id: int | None = None
    column: str | None = None
    block: int | None = None
    partition: str | None = None
    file: str | None = None
    row_group: int | None = None


@dataclass(slots=True)
class Report:
    """The result of a verification.

    Attributes:
        events: How many events were compared.
        blocks: How many blocks.
        tree_size: How many leaves the tree has.
        unsealed: How many events are not sealed yet.
        erased: How many events have erased values.
        pruned: How many sealed events retention has deleted.
        archived: How many sealed events are in an archive alone, by its location and month.
        signed_by: The keys that signed the newest checkpoint; empty if no key was given.
        findings: The differences.
        notes: What else is to be known, as sentences in their order; a mapping, because there is one for each erasure.
    """

    events: int = 0
    blocks: int = 0
    tree_size: int = 0
    unsealed: int = 0
    erased: int = 0
    pruned: int = 0
    archived: dict[tuple[str, str], int] = field(default_factory=dict)
    signed_by: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    more: dict[str, int] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Add a finding; beyond `MAX_FINDINGS` of its kind it is only counted."""
        if sum(one.kind == finding.kind for one in self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        else:
            self.more[finding.kind] = self.more.get(finding.kind, 0) + 1

    def by_kind(self) -> dict[str, list[Finding]]:
        """Return the findings that are listed, by kind in the order of `KINDS`; each kind in the order of the log."""
        found: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
        for finding in self.findings:
            found[finding.kind].append(finding)
        return {kind: listed for kind, listed in found.items() if listed}

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each kind, with those that are not listed."""
        return {kind: len(listed) + self.more.get(kind, 0) for kind, listed in self.by_kind().items()}

    def note(self, sentence: str) -> None:
        """Add a note, once."""
        self.notes.setdefault(sentence)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a document of JSON: the same for the same state of the log."""
        document = asdict(self)
        document["archived"] = [
            {"location": location, "month": month, "events": count}
            for (location, month), count in sorted(self.archived.items())
        ]
        document |= {"signed_by": list(self.signed_by), "notes": list(self.notes), "counts": self.counts()}
        return document

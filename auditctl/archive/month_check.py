"""Verifies one month of an archive: its manifest, its files, and each event against the tree that was sealed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from auditctl.archive import evidence_file, layout, parts
from auditctl.archive.archive_report import ArchiveReport
from auditctl.archive.event_comparison import EventComparison
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest, Part
from auditctl.archive.packed import ContentDigest
from auditctl.archive.sealed_leaves import SealedLeaves, Tree
from auditctl.evidence import canonical
from auditctl.evidence.canonical import Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.findings import Finding
from auditctl.evidence.note import signatures
from auditctl.text import plural


@dataclass(frozen=True, slots=True)
class SealedTree:
    """The tree of a month's evidence, and the signed checkpoint that it is of.

    Attributes:
        key: The month.
        tree: The tree.
        note: The checkpoint.
        checkpoint: Its size and root.
    """

    key: MonthKey
    tree: Tree
    note: str
    checkpoint: Checkpoint


@dataclass(slots=True)
class MonthCheck:
    """The check of one month.

    Attributes:
        files: The archive.
        manifest: The manifest of the month.
        report: What is found.
        progress: Is called with the number of events so far, and where it is.
        take: Is called with each event that is as it was sealed; without evidence, with each event.
    """

    files: Files
    manifest: Manifest
    report: ArchiveReport
    progress: Callable[[int, str], None]
    take: Callable[[Fields], None]

    @property
    def key(self) -> MonthKey:
        """The month."""
        return self.manifest.key

    def run(self, sizes: Collection[int]) -> SealedTree | None:
        """Verify the month; return its tree, None if it has none that can be read.

        Args:
            sizes: The sizes of smaller trees whose roots are wanted.

        Raises:
            OutputError: A file cannot be read.
        """
        self.report.months += 1
        names = set(self.files.names(self.key.folder))
        self._check_names(names)
        with ExitStack() as stack:
            leaves, sealed = self._open_evidence(stack, names, sizes)
            comparison = EventComparison(self.key, leaves, self.report, self.progress, self.take)
            before = len(self.report.findings)
            content = self._read_parts(comparison, names)
            comparison.finish()
            if len(self.report.findings) == before:
                self._check_content(content)
        return sealed

    def _find(self, kind: str, sentence: str, name: str) -> None:
        self.report.add(Finding(kind, sentence, file=self.key.path(name)))

    def _check_names(self, names: Collection[str]) -> None:
        known = {part.name for part in self.manifest.parts}
        if self.manifest.evidence is not None:
            known.add(self.manifest.evidence_name)
        for name in sorted(names):
            if (layout.is_part(name) or layout.is_evidence(name)) and name not in known:
                self._find("file", f"{self.key.path(name)} was added: the manifest does not name it", name)

    def _open_evidence(
        self, stack: ExitStack, names: Collection[str], sizes: Collection[int]
    ) -> tuple[SealedLeaves | None, SealedTree | None]:
        facts = self.manifest.evidence
        if facts is None:
            return None, None
        # If it was altered, its leaves may still show which events were.
        self._check_file(self.manifest.evidence_name, facts["bytes"], facts["sha256"], names)
        if self.manifest.evidence_name not in names:
            return None, None
        try:
            file = stack.enter_context(evidence_file.opened(self.files, self.manifest.evidence_path))
            leaves = SealedLeaves(file)
            tree = leaves.read_tree(sizes)
        except ArchiveError as error:
            self._find("file", str(error), self.manifest.evidence_name)
            return None, None
        self.report.blocks += tree.blocks
        return leaves, self._check_tree(tree, facts)

    def _check_tree(self, tree: Tree, facts: Any) -> SealedTree | None:
        path = self.manifest.evidence_path
        try:
            checkpoint = Checkpoint.parse(signatures(facts["note"])[0])
        except EvidenceError as error:
            self._find("checkpoint", f"the checkpoint of {self.key.folder}: {error}", layout.MANIFEST)
            return None
        if (tree.size, tree.root) != (checkpoint.size, checkpoint.root):
            self._find(
                "checkpoint",
                f"the checkpoint of {self.key.folder} is not that of its tree",
                self.manifest.evidence_name,
            )
            return None
        stated = (facts["tree_size"], facts["root"], facts["events"])
        if stated != (tree.size, tree.root.hex(), tree.events) or tree.events != self.manifest.rows:
            self._find("manifest", f"{path} is not what the manifest says of it", layout.MANIFEST)
        self.report.tree_size = max(self.report.tree_size, tree.size)
        return SealedTree(self.key, tree, facts["note"], checkpoint)

    def _check_file(self, name: str, size: object, sha256: object, names: Collection[str]) -> bool:
        """Whether a file is that of the manifest, byte for byte; else that is reported."""
        path = self.key.path(name)
        if name not in names:
            self._find("file", f"{path} is missing", name)
            return False
        found = evidence_file.digest(self.files, path)
        is_same = (found.bytes, found.sha256) == (size, sha256)
        if not is_same:
            what = "its SHA-256 is not that of the manifest"
            if found.bytes != size:
                what = f"it has {plural(found.bytes, 'byte')}, not the {size} of the manifest"
            self._find("file", f"{path} was altered: {what}", name)
        return is_same

    def _read_parts(self, comparison: EventComparison, names: Collection[str]) -> ContentDigest:
        content = ContentDigest()
        for part in self.manifest.parts:
            self.report.files += 1
            self.progress(self.report.events, self.key.path(part.name))
            is_same = self._check_file(part.name, part.bytes, part.sha256, names)
            if part.name not in names:
                continue
            try:
                with parts.opened(self.files, self.key.path(part.name)) as file:
                    is_described = self._read_part(part, comparison.add(part.name, file), content)
                if is_same and not is_described:
                    path = self.key.path(part.name)
                    self._find("manifest", f"the manifest has other numbers or times of events of {path}", part.name)
            except ArchiveError as error:
                self._find("file", str(error), part.name)
        return content

    def _read_part(self, part: Part, events: Iterator[Fields], content: ContentDigest) -> bool:
        """Read a part, and return whether number and times of its events are those of the manifest."""
        first = last = None
        before = content.events
        for fields in events:
            content.add(fields)
            first, last = first if first is not None else fields[1], fields[1]
        times = (canonical.to_text("occurred_at", first), canonical.to_text("occurred_at", last))
        return (content.events - before, *times) == (part.rows, part.first_occurred_at, part.last_occurred_at)

    def _check_content(self, content: ContentDigest) -> None:
        if (content.events, content.hexdigest()) != (self.manifest.rows, self.manifest.content):
            sentence = f"the events of {self.key.folder} are not those of which its manifest has the digest"
            self._find("manifest", sentence, layout.MANIFEST)

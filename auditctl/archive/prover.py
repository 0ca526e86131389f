"""Makes the proof that an archived event is in the log: from its file, and the tree that its month keeps.

Reads all nodes of the tree once. Who gets the proof checks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditctl.archive import archive, evidence_file, parts, sealed_leaves
from auditctl.archive.evidence_file import EvidenceFile
from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.tree_nodes import TreeNode
from auditctl.errors import UsageError
from auditctl.evidence import merkle
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.merkle import Frontier
from auditctl.evidence.note import signatures
from auditctl.evidence.proof import Proof, prove
from auditctl.evidence.sealed_event import Leaf, remains
from auditctl.log.reader import no_such_event
from auditctl.text import plural


def prove_event(files: Files, event_id: int, database: str | None = None) -> Proof:
    """Return the proof of an archived event.

    Args:
        files: The archive.
        event_id: Its number.
        database: The database that it comes from; None if the archive has one that has such an event.

    Raises:
        NoSuchEvent: No event has that number.
        UsageError: The archive has no such database, several databases have one, or its month has no evidence.
        EvidenceError: It is not as it was sealed.
        ArchiveError: A file of its month was altered.
        OutputError: A file cannot be read.
    """
    found = [
        (manifest, fields)
        for manifest in archive.read(files, database).manifests
        for fields in _find(files, manifest, event_id)
    ]
    names = sorted({manifest.key.database for manifest, _ in found})
    if not found:
        raise no_such_event(event_id, archive=files.name)
    if len(names) > 1:
        raise UsageError(
            f"{plural(len(names), 'database')} have an event {event_id}: {', '.join(names)}",
            hint="Choose one: --database NAME",
        )
    for manifest, fields in found:
        if manifest.evidence is None:
            raise UsageError(
                f"event {event_id} cannot be proven: the log was not sealed when {manifest.key.month} was archived"
            )
        with evidence_file.opened(files, manifest.evidence_path) as file:
            leaf = _find_leaf(file, fields)
            if leaf is not None:
                return _prove(file, manifest.evidence["note"], leaf, fields)
    raise EvidenceError(f"event {event_id} is not as it was sealed", hint=_HINT)


_HINT = "See what differs: auditctl verify --archive PATH"


def _find(files: Files, manifest: Manifest, event_id: int) -> Iterator[Fields]:
    if not (manifest.first_event_id or 0) <= event_id <= (manifest.last_event_id or 0):
        return
    for part in manifest.parts:
        with parts.opened(files, manifest.key.path(part.name)) as file:
            for group in file.groups_with(event_id):
                yield from (fields for fields in file.read(group) if signed(fields[0] or b"") == event_id)


def _find_leaf(file: EvidenceFile, fields: Fields) -> Leaf | None:
    """The leaf of an event; None if it is not as it was sealed."""
    identity = (signed(fields[0] or b""), signed(fields[1] or b""))
    for group in file.groups_with(identity[0]):
        for node in file.read(group):
            event = node.event
            if event is None or (event.event_id, event.occurred_at) != identity:
                continue
            try:
                erasure = sealed_leaves.erasure_of(event)
            except ValueError:
                return None
            if sealed_leaves.recompute(fields, event, erasure)[0] != node.hash:
                return None
            if erasure is not None:
                return Leaf(node.leaf, node.hash, None, remains(fields, erasure))
            return Leaf(node.leaf, node.hash, sealed_leaves.salt_of(fields, event))
    return None


def _prove(file: EvidenceFile, note: str, leaf: Leaf, fields: Fields) -> Proof:
    checkpoint = Checkpoint.parse(signatures(note)[0])
    path = _path(file.all(), leaf.index, checkpoint.size)
    if not merkle.check_inclusion(leaf.hash, leaf.index, checkpoint.size, path, checkpoint.root):
        raise EvidenceError("the tree of the month is not that of its checkpoint", hint=_HINT)
    return prove(leaf.index, tuple(path), note, leaf.disclose(fields))


def _path(nodes: Iterable[TreeNode], index: int, size: int) -> list[bytes]:
    """The hashes beside the path of a leaf. No node of the month's tree is of leaves on both sides of it."""
    ranges: list[tuple[int, int]] = []

    def note_range(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return b""

    merkle.inclusion(index, size, note_range)
    trees = {start: (end, Frontier()) for start, end in ranges}
    start = -1
    try:
        for node in nodes:
            start = node.leaf if node.leaf in trees else start
            if start in trees and node.leaf < trees[start][0]:
                list(trees[start][1].append(node.hash, node.level))
        return merkle.inclusion(index, size, lambda first, _end: trees[first][1].root())
    except ValueError:
        raise ArchiveError("the tree of the month is not whole", hint=_HINT) from None

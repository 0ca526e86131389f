"""What was sealed of the events of an archived month: its tree, and the leaf of each event.

Memory is bounded: of the file of evidence, the groups of rows that were used last are
remembered, and a byte an event.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from auditctl.archive import erased_values
from auditctl.archive.evidence_file import EvidenceFile
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.tree_nodes import SealedEvent, TreeNode
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import Fields
from auditctl.evidence.leaf import SALT_BYTES, Salter, event_leaf
from auditctl.evidence.merkle import Frontier
from auditctl.evidence.removals import Erasure

_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class SealedLeaf:
    """The leaf of an event.

    Attributes:
        index: Its place in the tree.
        hash: Its hash.
        event: What was sealed.
    """

    index: int
    hash: bytes
    event: SealedEvent


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree that the nodes of a month make up.

    Attributes:
        size: How many leaves it has.
        root: Its root hash.
        roots: The root hashes of smaller trees that were asked for, by size, as far as the nodes show them.
        blocks: How many blocks have events of the month.
        events: How many events of the month it has.
    """

    size: int
    root: bytes
    roots: dict[int, bytes]
    blocks: int
    events: int


_Group = dict[tuple[int, int], tuple[int, SealedLeaf]]


class SealedLeaves:
    """Finds the leaves of a month's events.

    Args:
        file: The evidence.
    """

    def __init__(self, file: EvidenceFile) -> None:
        self._file = file
        self._groups: dict[int, _Group] = {}
        self._taken: list[bytearray] = []
        self._ends, self._starts = array("q"), array("q")

    def read_tree(self, sizes: Collection[int]) -> Tree:
        """Read all nodes once, which comes before all else, and return their tree.

        Args:
            sizes: The sizes of smaller trees whose roots are wanted.

        Raises:
            ArchiveError: They are no tree, or cannot be read.
        """
        frontier, roots = Frontier(), {}
        blocks = events = last_block = 0
        bounds = []
        for group in range(self._file.count):
            nodes = list(self._file.read(group))
            numbers = [node.event.event_id for node in nodes if node.event is not None]
            bounds.append((min(numbers, default=2**63 - 1), max(numbers, default=-(2**63))))
            self._taken.append(bytearray(node.event is None for node in nodes))
            events += len(numbers)
            for node in nodes:
                self._grow(frontier, node)
                if frontier.size in sizes:
                    roots[frontier.size] = frontier.root()
                if node.event is not None and node.event.block != last_block:
                    blocks, last_block = blocks + 1, node.event.block
        self._ends = array("q", accumulate((last for _, last in bounds), max))
        self._starts = array("q", reversed(array("q", accumulate((first for first, _ in reversed(bounds)), min))))
        return Tree(frontier.size, frontier.root(), roots, blocks, events)

    def _grow(self, frontier: Frontier, node: TreeNode) -> None:
        try:
            is_next = node.leaf == frontier.size and 0 <= node.level < 63
            list(frontier.append(node.hash, node.level) if is_next else ())
        except ValueError:
            is_next = False
        if not is_next:
            raise ArchiveError(
                f"{self._file.shown} does not have the tree from leaf {frontier.size} on",
                hint="Restore it from a copy.",
            )

    def take(self, fields: Fields) -> tuple[SealedLeaf, bool] | None:
        """Return the leaf of an event, and whether it was taken already; None if the month had no such event."""
        event_id, time = signed(fields[0] or b""), signed(fields[1] or b"")
        for group in range(bisect_left(self._ends, event_id), bisect_right(self._starts, event_id)):
            if (found := self._group(group).get((event_id, time))) is not None:
                place, leaf = found
                is_again = bool(self._taken[group][place])
                self._taken[group][place] = 1
                return leaf, is_again
        return None

    def rest(self) -> Iterator[SealedLeaf]:
        """Yield the leaves of events that were not taken, in the order of the tree."""
        for group, taken in enumerate(self._taken):
            if not all(taken):
                yield from (leaf for place, leaf in self._read(group) if not taken[place])

    def _read(self, group: int) -> Iterator[tuple[int, SealedLeaf]]:
        for place, node in enumerate(self._file.read(group)):
            if node.event is not None:
                yield place, SealedLeaf(node.leaf, node.hash, node.event)

    def _group(self, group: int) -> _Group:
        found = self._groups.pop(group, None)
        if found is None:
            found = {(one.event.event_id, one.event.occurred_at): (place, one) for place, one in self._read(group)}
            while len(self._groups) >= _REMEMBERED:
                del self._groups[next(iter(self._groups))]
        self._groups[group] = found
        return found


@lru_cache(maxsize=64)
def _salter(secret: bytes) -> Salter:
    return Salter(secret)


def salt_of(fields: Fields, event: SealedEvent) -> bytes:
    """Return the salt of an event that was not erased."""
    if event.secret is None:
        return event.salts or b""
    return _salter(event.secret).salt(fields[0] or b"", fields[1] or b"")


def erasure_of(event: SealedEvent) -> Erasure | None:
    """Return the erasure of an event after it was sealed; None without one.

    Raises:
        ValueError: What the archive has of it cannot be read.
    """
    return None if event.erasure is None else erased_values.parse(event.erasure)


def recompute(fields: Fields, event: SealedEvent, erasure: Erasure | None) -> tuple[bytes, bytes]:
    """Return the leaf hash and the check bytes that follow from an event as the archive has it."""
    if erasure is not None:
        return erasure.leaf(fields), event_leaf(fields, bytes(SALT_BYTES))[1]
    return event_leaf(fields, salt_of(fields, event))

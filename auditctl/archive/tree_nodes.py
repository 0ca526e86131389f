"""The tree as an archived month has it: the leaves of its events, and between them as few nodes as possible.

Pure. The nodes stand from left to right, and together they are all leaves of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditctl.evidence.merkle import node_hash


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """What was sealed of an event of the month.

    Attributes:
        block: The number of its block.
        event_id: Its identity.
        occurred_at: When it was captured, in microseconds since 2000.
        checks: Its check bytes.
        secret: The secret of the block, if the month has all events of the block and none was erased; else None.
        salts: Else the salt of the event, 32 bytes; of one with erased values the salts of its columns, 112 bytes.
        erasure: What was erased, as JSON; None if nothing was.
    """

    block: int
    event_id: int
    occurred_at: int
    checks: bytes
    secret: bytes | None
    salts: bytes | None
    erasure: str | None = None


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A complete subtree.

    Attributes:
        leaf: Its first leaf.
        level: Its height: it has 2^level leaves.
        hash: Its hash.
        event: The event of the month whose leaf it is; None for all others.
    """

    leaf: int
    level: int
    hash: bytes
    event: SealedEvent | None = None


class NodeJoiner:
    """Takes the nodes of a tree from left to right, and joins those without events of the month."""

    def __init__(self) -> None:
        self.size = 0
        self._waiting: list[tuple[int, bytes]] = []

    def add(self, level: int, value: bytes, event: SealedEvent | None = None) -> Iterator[TreeNode]:
        """Add the next node; yield those that no later one can be joined with.

        Args:
            level: Its height.
            value: Its hash.
            event: The event of the month whose leaf it is.
        """
        if event is not None:
            yield from self.finish()
            yield TreeNode(self.size, 0, value, event)
            self.size += 1
            return
        self.size += 1 << level
        waiting = self._waiting
        while waiting and waiting[-1][0] == level and not self.size & ((2 << level) - 1):
            value = node_hash(waiting.pop()[1], value)
            level += 1
        waiting.append((level, value))

    def finish(self) -> Iterator[TreeNode]:
        """Yield the nodes that are left."""
        start = self.size - sum(1 << level for level, _ in self._waiting)
        for level, value in self._waiting:
            yield TreeNode(start, level, value)
            start += 1 << level
        self._waiting.clear()

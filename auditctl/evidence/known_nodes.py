"""The nodes of a tree that proofs have shown already, so that the proofs of many leaves have each node once.

A proof of a leaf ends at the first node that is known. Who makes proofs and who checks them remember the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditctl.evidence import merkle

LIMIT = 16_384
"""How many nodes are remembered besides the roots of the tree's complete subtrees: the newest."""

Position = tuple[int, int]
"""A complete subtree: its level, and its index among those of its level."""


class KnownNodes:
    """Nodes that are known to be in a tree; at first the roots of its complete subtrees.

    Args:
        size: How many leaves the tree has.
        hashes: The roots of its complete subtrees, the largest first.

    Raises:
        ValueError: The hashes are not as many as the size demands.
    """

    def __init__(self, size: int, hashes: Sequence[bytes]) -> None:
        self.root = merkle.Frontier(size, hashes).root()
        self._roots = dict(zip(merkle.pieces(0, size), hashes, strict=True))
        self._newest: dict[Position, bytes] = {}

    def get(self, level: int, index: int) -> bytes | None:
        """Return the hash of a node; None if it is not known."""
        found = self._newest.get((level, index))
        return self._roots.get((level, index)) if found is None else found

    def siblings(self, index: int) -> Iterator[Position]:
        """Yield the nodes beside the path from a leaf up to the first node that is known.

        Args:
            index: The place of the leaf; less than the size of the tree.
        """
        level = 0
        while self.get(level, index) is None:
            yield level, index ^ 1
            level, index = level + 1, index >> 1

    def check(self, leaf: bytes, index: int, path: Sequence[bytes]) -> bool:
        """Whether a leaf is in the tree; then the nodes of its path are known from here on.

        Args:
            leaf: The hash of the leaf.
            index: Its place.
            path: The hashes of `siblings`.
        """
        found: dict[Position, bytes] = {}
        level, value = 0, leaf
        for sibling in path:
            found[level, index] = value
            found[level, index ^ 1] = sibling
            value = merkle.node_hash(sibling, value) if index & 1 else merkle.node_hash(value, sibling)
            level, index = level + 1, index >> 1
        if self.get(level, index) != value:
            return False
        for position, hashed in found.items():
            self._newest.pop(position, None)
            self._newest[position] = hashed
        while len(self._newest) > LIMIT:
            del self._newest[next(iter(self._newest))]
        return True

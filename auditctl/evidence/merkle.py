"""The Merkle tree of RFC 6962 over leaf hashes of 32 bytes: its root, and proofs of inclusion and of consistency.

Knows nothing of events or of the database: what it cannot compute it asks for by a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

EMPTY = sha256(b"").digest()
"""The root of the tree without leaves."""

STORED_LEVELS = (8, 16, 24, 32)
"""The heights of the complete subtrees whose roots are stored (auditctl.node)."""

Subtree = Callable[[int, int], bytes]
"""Returns the root over the leaves [start, end)."""


class Node(NamedTuple):
    """The root of a complete subtree: of 2^level leaves, from leaf `place` * 2^level on."""

    level: int
    place: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows at its right: the roots of its complete subtrees, the largest first.

    Args:
        size: How many leaves the tree has.
        hashes: The roots of its complete subtrees, one for each bit of `size`, the largest first.

    Raises:
        ValueError: The hashes are not as many as the size demands.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees")

    def append(self, leaf: bytes, level: int = 0) -> Iterator[Node]:
        """Add a leaf hash, or the root of a complete subtree, and return the nodes of `STORED_LEVELS` it completes.

        Args:
            leaf: The hash.
            level: The height of the subtree; the size must be a multiple of its leaves.
        """
        if self.size & ((1 << level) - 1):
            raise ValueError(f"a subtree of height {level} cannot begin at leaf {self.size}")
        completed = []
        if level in STORED_LEVELS:
            completed.append(Node(level, self.size >> level, leaf))
        position = self.size >> level
        self.size += 1 << level
        hashes = self.hashes
        while position & 1:
            leaf = sha256(b"\1" + hashes.pop() + leaf).digest()
            position >>= 1
            level += 1
            if level in STORED_LEVELS:
                completed.append(Node(level, position, leaf))
        hashes.append(leaf)
        return iter(completed)

    def extend(self, leaves: Iterable[bytes]) -> list[Node]:
        """Add leaf hashes as `append` does, but faster, and return the nodes of `STORED_LEVELS` that they complete."""
        completed = []
        hashes, position = self.hashes, self.size
        for leaf in leaves:
            value, level, place = leaf, 0, position
            while place & 1:
                value = sha256(b"\1" + hashes.pop() + value).digest()
                place >>= 1
                level += 1
                if level in STORED_LEVELS:
                    completed.append(Node(level, place, value))
            hashes.append(value)
            position += 1
        self.size = position
        return completed

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        return _fold(self.hashes) if self.hashes else EMPTY


def _fold(hashes: Sequence[bytes]) -> bytes:
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Return the complete subtrees that make up the leaves [start, end), each as its level and its index."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def range_root(start: int, end: int, node: Callable[[int, int], bytes]) -> bytes:
    """Return the root over the leaves [start, end) of a tree, where `node` returns a complete subtree's root.

    Args:
        start: The first leaf; a multiple of the subtrees' sizes, as it is in every proof.
        end: Behind the last leaf.
        node: Returns the root of the complete subtree of a level and index.
    """
    return _fold([node(level, index) for level, index in pieces(start, end)])


def _split(size: int) -> int:
    """The largest power of two below a size, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that a leaf is in a tree: the hashes beside its path, from the leaf up (RFC 6962, 2.1.1).

    Args:
        index: The place of the leaf, from 0.
        size: The size of the tree.
        subtree: Returns the root over a range of leaves.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def _climb(index: int, last: int, proof: Sequence[bytes]) -> list[tuple[bytes, bool]] | None:
    """The hashes on the way from a node to the root, with whether it stands at the left; None if they do not fit."""
    steps = []
    for sibling in proof:
        if last == 0:
            return None
        is_left = bool(index & 1) or index == last
        steps.append((sibling, is_left))
        while is_left and not index & 1 and index:
            index >>= 1
            last >>= 1
        index >>= 1
        last >>= 1
    return steps if last == 0 else None


def inclusion_root(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof of inclusion leads to; None if it does not have the shape of one."""
    steps = _climb(index, size - 1, proof) if 0 <= index < size else None
    if steps is None:
        return None
    for sibling, is_left in steps:
        leaf = node_hash(sibling, leaf) if is_left else node_hash(leaf, sibling)
    return leaf


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that the leaf hash is leaf `index` of the tree with that size and root."""
    return inclusion_root(leaf, index, size, proof) == root


def consistency(first: int, second: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the tree of size `first` is the beginning of that of size `second` (RFC 6962, 2.1.2)."""
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} leaves is not the beginning of one of {second}")
    path: list[bytes] = []
    start, end, is_whole = 0, second, True
    while first - start != end - start:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, is_whole = middle, False
    if not is_whole:
        path.append(subtree(start, end))
    return path[::-1]


def check_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that one tree, by its size and root, is the beginning of another."""
    if first == second:
        return not proof and first_root == second_root
    if not 0 < first < second:
        return False
    hashes = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    level = (first & -first).bit_length() - 1  # of the last complete subtree of the first tree
    steps = _climb((first - 1) >> level, (second - 1) >> level, hashes[1:]) if hashes else None
    if steps is None:
        return False
    old = new = hashes[0]
    for sibling, is_left in steps:
        if is_left:
            old = node_hash(sibling, old)
        new = node_hash(sibling, new) if is_left else node_hash(new, sibling)
    return old == first_root and new == second_root

"""Proofs of many leaves have each node once, and hold in any order, however few nodes are remembered."""

from __future__ import annotations

import random

import pytest

from auditctl.evidence import known_nodes, merkle
from auditctl.evidence.known_nodes import KnownNodes


@pytest.mark.parametrize("limit", [4, 16_384])
def test_leaves_are_proved_in_any_order_and_no_other_leaf_is(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_nodes, "LIMIT", limit)
    size = 203
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]

    def node(level: int, index: int) -> bytes:
        return merkle.tree_root(leaves[index << level : (index + 1) << level])

    pieces = [node(level, index) for level, index in merkle.pieces(0, size)]
    made, checked = KnownNodes(size, pieces), KnownNodes(size, pieces)
    assert made.root == merkle.tree_root(leaves)
    order = list(range(size))
    random.Random(7).shuffle(order)
    nodes = 0
    for index in order:
        path = [node(*position) for position in made.siblings(index)]
        assert made.check(leaves[index], index, path)
        nodes += len(path)
        assert not checked.check(leaves[index - 1], index, path)
        assert not checked.check(leaves[index], (index + 2) % size, path)
        assert checked.check(leaves[index], index, path)
    assert nodes < size or limit == 4

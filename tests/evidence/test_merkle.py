"""The tree, by RFC 6962's definition and the vectors of its reference implementation."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl.evidence import merkle

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
HASHES = [sha256(bytes((number & 255, number >> 8))).digest() for number in range(700)]


def definition(leaves: list[bytes]) -> bytes:
    """RFC 6962's definition of the root over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return merkle.node_hash(definition(leaves[:half]), definition(leaves[half:]))


def subtree(start: int, end: int) -> bytes:
    return definition(HASHES[start:end])


def test_roots_are_those_of_the_reference_implementation() -> None:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    assert [merkle.tree_root(hashes[: n + 1]).hex() for n in range(8)] == list(ROOTS)
    assert merkle.tree_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_frontier_has_the_root_of_the_definition_and_completes_each_stored_node_once() -> None:
    frontier = merkle.Frontier()
    completed: list[merkle.Node] = []
    for size, leaf in enumerate(HASHES, 1):
        completed += frontier.append(leaf)
        if size in (1, 2, 3, 255, 256, 257, 600, 700):
            assert frontier.root() == definition(HASHES[:size])
    assert [(node.level, node.place) for node in completed] == [(8, 0), (8, 1)]
    assert [node.hash for node in completed] == [definition(HASHES[:256]), definition(HASHES[256:512])]
    at_once = merkle.Frontier()
    assert at_once.extend(HASHES[:255]) + at_once.extend(iter(HASHES[255:])) == completed
    assert (at_once.size, at_once.hashes) == (frontier.size, frontier.hashes)


def test_a_frontier_goes_on_from_its_hashes_and_takes_whole_subtrees() -> None:
    frontier = merkle.Frontier()
    for leaf in HASHES[:256]:
        frontier.append(leaf)
    again = merkle.Frontier(frontier.size, frontier.hashes)
    list(again.append(definition(HASHES[256:512]), 8))
    assert (again.size, again.root()) == (512, definition(HASHES[:512]))
    with pytest.raises(ValueError, match="complete subtrees"):
        merkle.Frontier(3, HASHES[:1])
    list(again.append(HASHES[0]))
    with pytest.raises(ValueError, match="cannot begin"):
        again.append(HASHES[0], 8)


@given(st.integers(1, 120), st.data())
def test_a_proof_of_inclusion_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = subtree(0, size)
    proof = merkle.inclusion(index, size, subtree)
    assert merkle.check_inclusion(HASHES[index], index, size, proof, root)
    assert not merkle.check_inclusion(HASHES[index], index, size, [*proof, root], root)
    assert not merkle.check_inclusion(HASHES[index], index, size, proof[:-1], root) or not proof
    others = [place for place in range(size) if place != index]
    assert not any(merkle.check_inclusion(HASHES[index], place, size, proof, root) for place in others)
    assert not merkle.check_inclusion(HASHES[-1], index, size, proof, root)


@given(st.integers(1, 120), st.data())
def test_a_proof_of_consistency_proves_its_trees_and_no_others(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    old, new = subtree(0, first), subtree(0, second)
    proof = merkle.consistency(first, second, subtree)
    assert merkle.check_consistency(first, second, old, new, proof)
    assert not merkle.check_consistency(first, second, HASHES[-1], new, proof)
    assert not merkle.check_consistency(first, second, old, HASHES[-1], proof)
    assert not merkle.check_consistency(first, second, old, new, [*proof, new])


def test_the_root_of_a_range_comes_of_complete_subtrees() -> None:
    def node(level: int, place: int) -> bytes:
        return subtree(place << level, (place + 1) << level)

    assert merkle.range_root(512, 700, node) == subtree(512, 700)
    assert list(merkle.pieces(512, 700)) == [(7, 4), (5, 20), (4, 42), (3, 86), (2, 174)]


def test_the_path_of_ten_million_events_is_under_two_kilobytes() -> None:
    path = merkle.inclusion(9_999_999, 10_000_000, lambda start, end: HASHES[0])
    longest = merkle.inclusion(0, 10_000_000, lambda start, end: HASHES[0])
    assert sum(45 for _ in path) < sum(45 for _ in longest) < 2000

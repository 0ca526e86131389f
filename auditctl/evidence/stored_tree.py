"""The Merkle tree as the store has it: hashes of leaves in auditctl.block, of larger subtrees in auditctl.node.

Trusts what is stored; verification recomputes it from the events.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditctl.database import Connection
from auditctl.evidence import merkle
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.merkle import Frontier

_HASH = 32

_LEAVES = """
    select b.first_leaf + s.skipped, substr(b.hashes, (32 * s.skipped + 1)::integer, (32 * s.length)::integer)
      from auditctl.block as b
     cross join lateral (select greatest(%(start)s - b.first_leaf, 0) as skipped) as f
     cross join lateral (
               select f.skipped, least(%(end)s - b.first_leaf, b.events + 1) - f.skipped as length
           ) as s
     where b.first_leaf < %(end)s and b.first_leaf + b.events >= %(start)s
       and b.first_leaf >= (
               select coalesce(max(f.first_leaf), 0) from auditctl.block as f where f.first_leaf <= %(start)s
           )
       and b.levels is null
"""

_PIECES = """
    select b.first_leaf, b.hashes, b.levels from auditctl.block as b
     where b.first_leaf < %(end)s and b.first_leaf + b.events >= %(start)s
       and b.first_leaf >= (
               select coalesce(max(f.first_leaf), 0) from auditctl.block as f where f.first_leaf <= %(start)s
           )
       and b.levels is not null
"""

_NODES = "select hash from auditctl.node where level = %s and index >= %s and index < %s order by index"

_INDEXED = "select index, hash from auditctl.node where level = %s and index >= %s and index < %s"


def frontier(conn: Connection, size: int) -> Frontier:
    """Return the tree of the first leaves, to which leaves can be added.

    Args:
        conn: The connection; its login may read the log.
        size: How many leaves; at most those that are stored.

    Raises:
        EvidenceError: Hashes are missing: deleted with their events, or altered.
    """
    return Frontier(size, [node(conn, level, index) for level, index in merkle.pieces(0, size)])


def root(conn: Connection, size: int) -> bytes:
    """Return the root hash of the first leaves; raises as `frontier` does."""
    return frontier(conn, size).root()


def node(conn: Connection, level: int, index: int) -> bytes:
    """Return the hash of a complete subtree: of the 2^level leaves from leaf index * 2^level on.

    Raises:
        EvidenceError: Hashes are missing: deleted with their events, or altered.
    """
    stored = max((one for one in merkle.STORED_LEVELS if one <= level), default=0)
    width = 1 << (level - stored)
    if stored:
        rows = conn.execute(_NODES, [stored, index * width, (index + 1) * width]).fetchall()
        spans = {(place, place + 1): row[0] for place, row in enumerate(rows)}
        found = _cover(spans, 0, width)
    else:
        found = _cover(_read_spans(conn, index << level, (index + 1) << level), index << level, (index + 1) << level)
    if found is None:
        raise EvidenceError(
            f"the store lacks hashes of the leaves {index << level} to {((index + 1) << level) - 1}",
            hint="Verify the log to find out what is missing.",
        )
    return found


def nodes(conn: Connection, level: int, start: int, end: int) -> dict[tuple[int, int], bytes]:
    """Return the hashes of the stored nodes of a level and a range of indexes, by level and index.

    Where leaves were deleted, it has the roots of the subtrees that remain in their place.

    Args:
        conn: The connection; its login may read the log.
        level: 0 or one of `merkle.STORED_LEVELS`.
        start: The first index.
        end: The index behind the last one.
    """
    if level:
        return {(level, index): value for index, value in conn.execute(_INDEXED, [level, start, end])}
    spans = _read_spans(conn, start, end).items()
    return {((last - first).bit_length() - 1, first // (last - first)): value for (first, last), value in spans}


def _read_spans(conn: Connection, start: int, end: int) -> dict[tuple[int, int], bytes]:
    """Hashes by the leaves they are of: of the leaves of a range, or where leaves were deleted, of whole subtrees."""
    spans: dict[tuple[int, int], bytes] = {}
    bounds = {"start": start, "end": end}
    for first, hashes in conn.execute(_LEAVES, bounds):
        spans.update(_spans(first, hashes, bytes(len(hashes) // _HASH)))
    for first, hashes, levels in conn.execute(_PIECES, bounds):
        spans.update(_spans(first, hashes, levels))
    return spans


def _spans(first: int, hashes: bytes, levels: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    for place, level in enumerate(levels):
        yield (first, first + (1 << level)), hashes[_HASH * place : _HASH * (place + 1)]
        first += 1 << level


def _cover(spans: dict[tuple[int, int], bytes], start: int, end: int) -> bytes | None:
    """The hash of a complete subtree from those of its parts; None if some are missing."""
    if (start, end) in spans or end - start == 1:
        return spans.get((start, end))
    middle = (start + end) // 2
    left, right = _cover(spans, start, middle), _cover(spans, middle, end)
    return merkle.node_hash(left, right) if left is not None and right is not None else None

"""Finds events among the leaves of blocks: at which place of the tree each is, and what a proof shows of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from zlib import crc32

from auditctl.database import Connection
from auditctl.evidence import blocks
from auditctl.evidence.blocks import Content
from auditctl.evidence.canonical import COLUMNS, UNITS, Fields
from auditctl.evidence.leaf import CHECK_BYTES, SALT_BYTES, UNIT_SALT_BYTES, Salter, event_leaf, unit_salts
from auditctl.evidence.proof import Disclosure
from auditctl.evidence.removals import Erasure, read_erasures

_BOUNDS = """
    select b.number, b.first_event_id, b.last_event_id, b.first_leaf, b.events from auditctl.block as b
     where b.events > 0 and b.number > %(after)s and b.first_leaf + b.events < %(size)s
     order by b.number limit 20000
"""
_REMEMBERED = 200_000
"""The leaves of blocks with so many events are remembered."""

_SAME = 3
"""How many check bytes are of numbers, which tell events apart."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An event's leaf.

    Attributes:
        index: Its place in the tree.
        hash: Its hash.
        salt: The salt of the event, 32 bytes; None where values were erased.
        erased: What is there where values were erased; else None.
    """

    index: int
    hash: bytes
    salt: bytes | None
    erased: Disclosure | None = None

    def disclose(self, fields: Fields) -> Disclosure:
        """Return what a proof shows of the event with these columns."""
        if self.erased is not None:
            return self.erased
        salts = unit_salts(self.salt or b"")
        return Disclosure(fields, tuple(_unit_salt(fields, salts, unit) for unit in UNITS), (None,) * len(UNITS))


@dataclass(slots=True)
class BlockLeaves:
    """The leaves of one block.

    Attributes:
        first: The place of its first leaf in the tree.
        events: How many events it has.
        content: Its hashes.
        erasures: The erasures of its events.
    """

    first: int
    events: int
    content: Content
    erasures: dict[tuple[int, bytes], Erasure]
    _places: dict[bytes, int] = field(init=False)
    _salter: Salter | None = field(init=False)

    def __post_init__(self) -> None:
        self._places = {value: place for place, value in self.content.leaves().items() if place < self.events}
        self._salter = None if self.content.secret is None else Salter(self.content.secret)

    @classmethod
    def read(cls, conn: Connection, number: int, first: int, events: int) -> BlockLeaves:
        """Return those of a block, given its number, its first leaf and how many events it has."""
        content = blocks.read_content(conn, number)
        return cls(first, events, content, {} if content.secret is not None else read_erasures(conn, [number]))

    def find(self, fields: Fields) -> Leaf | None:
        """Return the leaf of an event; None if the block does not have it as it is."""
        event_id, time = fields[0] or b"", fields[1] or b""
        erasure = self.erasures.get((int.from_bytes(event_id, "big", signed=True), time)) if self.erasures else None
        if erasure is not None:
            leaf = erasure.leaf(fields)
            place = self._places.get(leaf)
            return None if place is None else Leaf(self.first + place, leaf, None, remains(fields, erasure))
        for salt in self._salts(fields):
            leaf = event_leaf(fields, salt)[0]
            if (place := self._places.get(leaf)) is not None:
                return Leaf(self.first + place, leaf, salt)
        return None

    def _salts(self, fields: Fields) -> Iterator[bytes]:
        """The salts that it may have: by its identity, or where salts replaced the secret, by its check bytes."""
        if self._salter is not None:
            yield self._salter.salt(fields[0] or b"", fields[1] or b"")
            return
        checks, salts = self.content.checks, self.content.salts
        wanted = bytes(crc32(value or b"") & 255 for value in fields[:_SAME])
        start = checks.find(wanted)
        while start >= 0:
            if start % CHECK_BYTES == 0:
                place = start // CHECK_BYTES
                yield salts[SALT_BYTES * place : SALT_BYTES * (place + 1)]
            start = checks.find(wanted, start + 1)


def remains(fields: Fields, erasure: Erasure) -> Disclosure:
    """Return what a proof shows of an event with erased values; what remains in their columns is not proven."""
    shown = tuple(None if name in erasure.units else value for name, value in zip(COLUMNS, fields, strict=True))
    sealed = erasure.sealed()
    return Disclosure(
        shown,
        tuple(_unit_salt(shown, erasure.salts, unit) for unit in UNITS),
        tuple(sealed.get(unit) for unit in UNITS),
    )


def _unit_salt(fields: Fields, salts: bytes, unit: str) -> bytes | None:
    start = UNIT_SALT_BYTES * UNITS.index(unit)
    return None if fields[COLUMNS.index(unit)] is None else salts[start : start + UNIT_SALT_BYTES]


class LeafFinder:
    """Finds the leaves of events in the tree of the first leaves: takes memory for blocks, not for events.

    Args:
        conn: The connection, in a transaction that reads the log.
        size: The size of the tree.
    """

    def __init__(self, conn: Connection, size: int) -> None:
        self._conn = conn
        self._rows = tuple(array("q") for _ in range(5))
        after = 0
        while rows := conn.execute(_BOUNDS, {"after": after, "size": size}).fetchall():
            for row in rows:
                for column, value in zip(self._rows, row, strict=True):
                    column.append(value)
            after = rows[-1][0]
        self._ends = array("q", accumulate(self._rows[2], max))
        self._starts = array("q", reversed(array("q", accumulate(reversed(self._rows[1]), min))))
        self._leaves: dict[int, BlockLeaves] = {}
        self._remembered = 0

    def find(self, fields: Fields) -> Leaf | None:
        """Return the leaf of an event; None if no block of the tree has it as it is."""
        number = int.from_bytes(fields[0] or b"", "big", signed=True)
        _, first, last, _, _ = self._rows
        for place in range(bisect_left(self._ends, number), bisect_right(self._starts, number)):
            if first[place] <= number <= last[place] and (leaf := self._at(place).find(fields)) is not None:
                return leaf
        return None

    def _at(self, place: int) -> BlockLeaves:
        found = self._leaves.pop(place, None)
        if found is None:
            number, _, _, first, events = (column[place] for column in self._rows)
            found = BlockLeaves.read(self._conn, number, first, events)
            self._remembered += events
            while self._remembered > _REMEMBERED and self._leaves:
                self._remembered -= self._leaves.pop(next(iter(self._leaves))).events
        self._leaves[place] = found
        return found

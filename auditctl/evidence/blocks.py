"""Reads the blocks of evidence, and compares each with its record. Source: auditctl.block."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from auditctl import resources
from auditctl.database import Connection
from auditctl.evidence.leaf import record_leaf
from auditctl.evidence.visibility import NOTHING, Seen

_PAGE = 500
_TIMES = ("from_time", "until_time", "sealed_at")
_MAX_EVENTS = 65_536
_MAX_BLOCKS = 500


@dataclass(frozen=True)
class Block:
    """A block without its hashes; the columns of auditctl.block, snapshots and times as text."""

    number: int
    incarnation: int
    first_leaf: int
    events: int
    previous_snapshot: str
    snapshot: str
    from_time: str | None
    until_time: str | None
    is_last_part: bool
    first_event_id: int | None
    last_event_id: int | None
    sealed_at: str
    record: str
    state: str | None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The record as a document; empty if it is not a JSON object."""
        try:
            document = json.loads(self.record)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    @cached_property
    def seen(self) -> Seen:
        """The snapshot up to which it has what was committed."""
        return Seen.parse(self.snapshot)

    @property
    def is_first(self) -> bool:
        """Whether it belongs to the first interval of its incarnation."""
        return self.previous_snapshot == NOTHING

    @property
    def is_part(self) -> bool:
        """Whether it has only a part of its interval."""
        return self.from_time is not None or self.until_time is not None

    @property
    def end(self) -> int:
        """The size of the tree with it."""
        return self.first_leaf + self.events + 1

    def record_hash(self) -> bytes:
        """The hash of the leaf that the record is."""
        return record_leaf(self.record)

    def differences(self) -> list[str]:
        """Return the columns that differ from what the record says, in the order of the table."""
        return [name for name in _COMPARED if not self._is_same(name)]

    def _is_same(self, name: str) -> bool:
        value, stated = getattr(self, name), self.facts.get(name)
        if name in _TIMES and isinstance(value, str) and isinstance(stated, str):
            return value == stated or moment(value) == moment(stated) is not None
        return bool(value == stated)


_COMPARED = tuple(one.name for one in fields(Block) if one.name not in ("record", "state"))


def moment(text: str) -> datetime | None:
    """Return a time as PostgreSQL writes it; None if it is infinite or outside the years 1 to 9999."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Content:
    """The hashes of a block, and what makes its leaves.

    Attributes:
        secret: The secret; None once it was replaced by salts.
        salts: Then 32 bytes for each event.
        hashes: 32 bytes for each node, from left to right.
        levels: The height of each node; empty if all are leaves.
        checks: 13 bytes for each event; empty once all were deleted.
    """

    secret: bytes | None
    salts: bytes
    hashes: bytes
    levels: bytes
    checks: bytes

    def nodes(self) -> Iterator[tuple[int, bytes]]:
        """Return height and hash of each node, from left to right."""
        count = len(self.hashes) // 32
        levels = self.levels or bytes(count)
        for place in range(min(count, len(levels))):
            yield levels[place], self.hashes[32 * place : 32 * place + 32]

    def leaves(self) -> dict[int, bytes]:
        """Return the hashes of leaves by their places in the block; without those that were deleted with others."""
        found, place = {}, 0
        for level, value in self.nodes():
            if level == 0:
                found[place] = value
            place += 1 << level
        return found

    def size(self) -> int:
        """Return of how many leaves the nodes are."""
        return sum(1 << min(level, 62) for level, _ in self.nodes())

    def is_secret_of(self, block: Block) -> bool:
        """Whether the secret is that of which the record has the hash; true once it was replaced."""
        return self.secret is None or sha256(self.secret).hexdigest() == block.facts.get("secret_sha256")


def read(conn: Connection, after: int = 0) -> Iterator[Block]:
    """Return the blocks behind a number, in their order.

    Raises:
        DatabaseError: The login may not read the log.
    """
    query = resources.sql_text("queries/evidence/block.sql").encode()
    while rows := conn.execute(query, {"after": after, "limit": _PAGE}).fetchall():
        for row in rows:
            yield Block(*row)
        after = rows[-1][0]


def read_content(conn: Connection, number: int) -> Content:
    """Return the hashes of a block, which exists."""
    row = conn.execute(
        "select b.secret, b.salts, b.hashes, b.levels, b.checks from auditctl.block as b where b.number = %s", [number]
    ).fetchone()
    secret, *others = row or (None, None, b"", None, None)
    return Content(secret, *(value or b"" for value in others))


def groups(found: Iterator[Block]) -> Iterator[list[Block]]:
    """Join consecutive blocks to groups whose events are read at once: about 65,000 of them, of one incarnation.

    A block that has only a part of its interval is a group of its own.
    """
    group: list[Block] = []
    for block in found:
        if group and not _fits(group, block):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _fits(group: list[Block], block: Block) -> bool:
    last = group[-1]
    return (
        not last.is_part
        and not last.is_first
        and not block.is_part
        and last.incarnation == block.incarnation
        and last.number + 1 == block.number
        and last.snapshot == block.previous_snapshot
        and len(group) < _MAX_BLOCKS
        and sum(one.events for one in group) + block.events <= _MAX_EVENTS
    )

"""Brings back what proves the events of an archived month, for a month that is restored into the log.

Only what upkeep took out for the archive comes back; events that stayed, or went in another way, are left as they are.
What the store kept of the month's blocks proves what comes back: the guard of auditctl.block refuses anything else.
Sources: auditctl.pruned, auditctl.block, sql/functions/65_evidence/restored.sql.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from auditctl.archive import evidence_file, file_check
from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.tree_nodes import SealedEvent, TreeNode
from auditctl.database import Connection
from auditctl.evidence import blocks
from auditctl.evidence.blocks import Content
from auditctl.evidence.leaf import CHECK_BYTES, SALT_BYTES, Salter
from auditctl.evidence.merkle import Frontier

_RESTORE = """
    update auditctl.pruned as p set restored_in_xact = pg_current_xact_id()
      from auditctl.event as e
     where e.event_id = p.announced_in and e.target = 'auditctl.partition' and e.action = 'EVENT'
       and e.new_values ->> 'step' = 'archive' and e.new_values ->> 'month' = %s and p.restored_in_xact is null
    returning p.block, p.leaves
"""

_BLOCK = """
    select b.first_leaf, b.events,
           exists (select from auditctl.erasure as e where e.block = b.number)
           or exists (select from auditctl.pruned as p where p.block = b.number and p.restored_in_xact is null)
      from auditctl.block as b where b.number = %s
"""

_UPDATE = """
    update auditctl.block set secret = %s, salts = %s, hashes = %s, levels = %s, checks = %s where number = %s
"""


def restore_leaves(conn: Connection, files: Files, manifest: Manifest) -> int:
    """Bring back the leaves of a month's events, and what makes them, in the caller's transaction.

    Args:
        conn: A connection that acts as auditctl_owner.
        files: The archive.
        manifest: The manifest of the month, whose digest the log has recorded.

    Returns:
        How many blocks have events again.

    Raises:
        ArchiveError: The evidence is missing, or is not that of the events that were dropped.
        OutputError: It cannot be read.
        DatabaseError: The login may not, or the blocks prove that it is not what was sealed.
    """
    pruned = _pruned(conn, manifest.key.month)
    if not pruned:
        return 0
    path = manifest.evidence_path
    facts = manifest.evidence
    if facts is None:
        raise ArchiveError(f"{files.shown(manifest.key.folder)} has no evidence", hint=_HINT)
    file_check.check_bytes(files, path, facts["bytes"], facts["sha256"])
    restored = set()
    with evidence_file.opened(files, path) as file:
        for block in _blocks(conn, file.all()):
            if block.number in pruned:
                block.restore(conn, pruned[block.number])
                restored.add(block.number)
    if restored != pruned.keys():
        raise ArchiveError(f"{files.shown(path)} is not of the events that were dropped", hint=_HINT)
    return len(restored)


_HINT = "Nothing was restored. Restore the archive from a copy."


@dataclass(frozen=True, slots=True)
class _Places:
    """Places in a block, as auditctl.pruned has them; None for all."""

    leaves: bytes | None

    def __contains__(self, place: int) -> bool:
        return self.leaves is None or bool(self.leaves[place // 8] >> place % 8 & 1)

    def __or__(self, other: _Places) -> _Places:
        if self.leaves is None or other.leaves is None:
            return _Places(None)
        return _Places(bytes(one | more for one, more in zip_longest(self.leaves, other.leaves, fillvalue=0)))


def _pruned(conn: Connection, month: str) -> dict[int, _Places]:
    """Mark the events that upkeep took out of a month for the archive as restored; return their places by block."""
    found: dict[int, _Places] = {}
    for number, leaves in conn.execute(_RESTORE, [month]).fetchall():
        places = _Places(leaves)
        found[number] = found[number] | places if number in found else places
    return found


@dataclass(slots=True)
class _Block:
    """A block that has events of the month."""

    number: int
    first_leaf: int
    events: int
    lacks_some: bool
    nodes: list[TreeNode] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The leaf behind it."""
        return self.first_leaf + self.events + 1

    def restore(self, conn: Connection, places: _Places) -> None:
        """Bring back what the nodes have of these places."""
        before = blocks.read_content(conn, self.number)
        returning = [
            (node.leaf - self.first_leaf, node.event)
            for node in self.nodes
            if node.event is not None and node.leaf - self.first_leaf in places
        ]
        if not returning:
            raise ArchiveError(f"the evidence of block {self.number} is not what was sealed", hint=_HINT)
        nodes = list(self._expanded(before, {place for place, _ in returning}))
        levels = bytes(level for level, _ in nodes)
        hashes = b"".join(value for _, value in nodes)
        secret, salts = self._salts(before, returning)
        checks = bytearray(before.checks or bytes(CHECK_BYTES * self.events))
        for place, event in returning:
            checks[CHECK_BYTES * place : CHECK_BYTES * (place + 1)] = event.checks
        conn.execute(_UPDATE, [secret, salts, hashes, levels if any(levels) else None, bytes(checks), self.number])

    def _expanded(self, before: Content, returning: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """The nodes of the block: those of which no event comes back, and the month's in place of the others."""
        rest, place = iter(self.nodes), self.first_leaf
        node = next(rest, None)
        for level, value in before.nodes():
            end = place + (1 << level)
            inside: list[TreeNode] = []
            while node is not None and node.leaf < end:
                if node.leaf >= place:
                    inside.append(node)
                node = next(rest, None)
            if not any(one.event and one.leaf - self.first_leaf in returning for one in inside):
                yield level, value
            elif _root(inside) != value or sum(1 << one.level for one in inside) != 1 << level:
                raise ArchiveError(f"the evidence of block {self.number} is not what was sealed", hint=_HINT)
            else:
                yield from ((one.level, one.hash) for one in inside)
            place = end

    def _salts(
        self, before: Content, returning: Sequence[tuple[int, SealedEvent]]
    ) -> tuple[bytes | None, bytes | None]:
        """The secret of the block, or else the salts of its events, with zeros for those that are gone or erased."""
        # The secret is there if the month has all events of the block.
        secret = returning[0][1].secret
        if secret is not None and not self.lacks_some:
            return secret, None
        salts = bytearray(before.salts or bytes(SALT_BYTES * self.events))
        for place, event in returning:
            salt = event.salts
            if salt is None:
                number, time = (value.to_bytes(8, "big", signed=True) for value in (event.event_id, event.occurred_at))
                salt = Salter(event.secret or b"").salt(number, time)
            if len(salt) == SALT_BYTES:
                salts[SALT_BYTES * place : SALT_BYTES * (place + 1)] = salt
        return None, bytes(salts)


def _root(nodes: Sequence[TreeNode]) -> bytes:
    frontier = Frontier()
    for node in nodes:
        list(frontier.append(node.hash, node.level))
    return frontier.root()


def _blocks(conn: Connection, nodes: Iterator[TreeNode]) -> Iterator[_Block]:
    """Yield each block that has events of the month, with the nodes that begin in it."""
    block: _Block | None = None
    before: list[TreeNode] = []
    for node in nodes:
        if block is not None and node.leaf >= block.end:
            yield block
            block = None
        if node.event is not None and block is None:
            row = conn.execute(_BLOCK, [node.event.block]).fetchone()
            if row is None or not row[0] <= node.leaf < row[0] + row[1]:
                raise ArchiveError(f"the log has no block {node.event.block} with leaf {node.leaf}", hint=_HINT)
            block = _Block(node.event.block, *row)
            block.nodes += [one for one in before if one.leaf >= block.first_leaf]
            before = []
        (before if block is None else block.nodes).append(node)
    if block is not None:
        yield block

"""Brings back what proves the events of an archived month, for a month that is restored into the log.

What the store kept of the month's blocks proves what comes back: the guard of auditctl.block refuses anything else.
Sources: auditctl.pruned, auditctl.block, sql/functions/65_evidence/restored.sql.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from auditctl.archive import evidence_file, file_check, layout
from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.tree_nodes import TreeNode
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
    returning p.block
"""

_BLOCK = """
    select b.first_leaf, b.events, exists (select from auditctl.erasure as e where e.block = b.number)
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
    pruned = {number for (number,) in conn.execute(_RESTORE, [manifest.key.month]).fetchall()}
    if not pruned:
        return 0
    path = manifest.key.path(layout.EVIDENCE)
    facts = manifest.evidence
    if facts is None:
        raise ArchiveError(f"{files.shown(manifest.key.folder)} has no evidence", hint=_HINT)
    file_check.check_bytes(files, path, facts["bytes"], facts["sha256"])
    restored = set()
    with evidence_file.opened(files, path) as file:
        for block in _blocks(conn, file.nodes()):
            block.restore(conn)
            restored.add(block.number)
    if restored != pruned:
        raise ArchiveError(f"{files.shown(path)} is not of the events that were dropped", hint=_HINT)
    return len(restored)


_HINT = "Nothing was restored. Restore the archive from a copy."


@dataclass(slots=True)
class _Block:
    """A block of which events come back."""

    number: int
    first_leaf: int
    events: int
    has_erasures: bool
    nodes: list[TreeNode] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The leaf behind it."""
        return self.first_leaf + self.events + 1

    def restore(self, conn: Connection) -> None:
        """Bring back what the nodes have of it."""
        before = blocks.read_content(conn, self.number)
        nodes = list(self._expanded(before))
        levels = bytes(level for level, _ in nodes)
        hashes = b"".join(value for _, value in nodes)
        secret, salts = self._salts(before)
        checks = bytearray(before.checks or bytes(CHECK_BYTES * self.events))
        for node in self.nodes:
            if node.event is not None:
                start = CHECK_BYTES * (node.leaf - self.first_leaf)
                checks[start : start + CHECK_BYTES] = node.event.checks
        conn.execute(_UPDATE, [secret, salts, hashes, levels if any(levels) else None, bytes(checks), self.number])

    def _expanded(self, before: Content) -> Iterator[tuple[int, bytes]]:
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
            if not any(one.event for one in inside):
                yield level, value
            elif _root(inside) != value or sum(1 << one.level for one in inside) != 1 << level:
                raise ArchiveError(f"the evidence of block {self.number} is not what was sealed", hint=_HINT)
            else:
                yield from ((one.level, one.hash) for one in inside)
            place = end

    def _salts(self, before: Content) -> tuple[bytes | None, bytes | None]:
        """The secret of the block, or else the salts of its events, with zeros for those that are gone or erased."""
        found = [(node.leaf - self.first_leaf, node.event) for node in self.nodes if node.event is not None]
        secret = found[0][1].secret
        if secret is not None and len(found) == self.events and not self.has_erasures:
            return secret, None
        salts = bytearray(before.salts or bytes(SALT_BYTES * self.events))
        for place, event in found:
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

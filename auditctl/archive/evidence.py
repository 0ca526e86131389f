"""Collects what proves the events of a month, before upkeep removes it from the store with the month.

Each event is compared with its leaf on the way: a month that is not as it was sealed is not archived.
Sources: auditctl.block, auditctl.node, auditctl.checkpoint, auditctl.erasure, auditctl.event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from psycopg.sql import SQL, Composed, Literal

from auditctl.archive import erased_values, evidence_file, layout
from auditctl.archive.erased_values import Erasures
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.tree_nodes import NodeJoiner, SealedEvent, TreeNode
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.evidence import blocks, merkle, stored_tree
from auditctl.evidence.block_events import signed
from auditctl.evidence.blocks import Block
from auditctl.evidence.canonical import Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.event_check import read_contents
from auditctl.evidence.leaf import CHECK_BYTES
from auditctl.evidence.note import signatures
from auditctl.evidence.prover import choose_note
from auditctl.evidence.row_prover import is_sealed
from auditctl.evidence.sealed_event import BlockLeaves
from auditctl.evidence.sealed_events import Attribution, Divider, Place, read_places, stream
from auditctl.text import plural

_RANGE = SQL("e.occurred_at >= {0}::timestamptz and e.occurred_at < {0}::timestamptz + interval '1 month'")

_COUNT = SQL("select count(*), min(e.event_id), max(e.event_id) from auditctl.event as e where {}")

_CANDIDATES = """
    select coalesce(min(b.number), 0), coalesce(max(b.number), 0)
      from auditctl.block as b
     where b.first_event_id <= %(last)s and b.last_event_id >= %(first)s
"""

_NOTES = "select c.note from auditctl.checkpoint as c where c.tree_size >= %s order by c.tree_size desc"


_HINT = "The month was not archived. Find out what was altered with: auditctl verify"


def month_condition(key: MonthKey) -> Composed:
    """Return the condition of the events `e` of a month."""
    return _RANGE.format(Literal(f"{key.month}-01 00:00:00+00"))


def collect(conn: Connection, files: Files, key: MonthKey) -> Mapping[str, Any] | None:
    """Write what proves the events of a month into its folder, and return what its manifest says of it.

    Args:
        conn: A connection of a reader, in the REPEATABLE READ transaction in which the month is read, in UTC.
        files: The archive.
        key: The month.

    Returns:
        `file`, `bytes` and `sha256` of what was written; `events`, `first_block` and `last_block`; `tree_size`, `root`
        and `note`, the signed checkpoint of the tree that the nodes in the file are of. None if the log is not sealed.

    Raises:
        UsageError: Events of the month are not sealed yet.
        EvidenceError: An event is not as it was sealed, or the tree is not whole.
        OutputError: The file cannot be written.
        DatabaseError: A statement failed, or the login may not read the log.
    """
    if not is_sealed(conn):
        return None
    collection = _Collection(conn, key)
    path = key.path(layout.EVIDENCE)
    written = evidence_file.write(files, path, collection.nodes())
    checkpoint = collection.checkpoint
    return {
        "file": layout.EVIDENCE, "bytes": written.bytes, "sha256": written.sha256, "events": collection.events,
        "first_block": collection.first_block, "last_block": collection.last_block,
        "tree_size": checkpoint.size, "root": checkpoint.root.hex(), "note": collection.note,
    }  # fmt: skip


@dataclass(slots=True)
class _Collection:
    """The nodes of the tree for one month, as they are read."""

    conn: Connection
    key: MonthKey
    events: int = 0
    first_block: int | None = None
    last_block: int | None = None
    note: str = ""
    checkpoint: Checkpoint = field(init=False)
    _joiner: NodeJoiner = field(default_factory=NodeJoiner)
    _places: list[Place] = field(default_factory=list)

    def nodes(self) -> Iterator[TreeNode]:
        condition = month_condition(self.key)
        count, first, last = self.conn.execute(_COUNT.format(condition)).fetchone() or (0, None, None)
        end = 0
        for group in self._groups(first, last):
            for block, found in self._find(group, condition):
                if found:
                    yield from self._pass_over(block.first_leaf)
                    yield from self._add(block, found)
                    end = block.end
        if self.events != count:
            rest = plural(count - self.events, "event")
            raise UsageError(
                f"{rest} of {self.key.month} {'is' if count - self.events == 1 else 'are'} not sealed yet",
                hint="Seal them first: auditctl seal --key FILE",
            )
        self.note = choose_note([note for (note,) in self.conn.execute(_NOTES, [end]).fetchall()])
        self.checkpoint = Checkpoint.parse(signatures(self.note)[0])
        yield from self._pass_over(self.checkpoint.size)
        yield from self._joiner.finish()

    def _groups(self, first: int | None, last: int | None) -> Iterator[list[Block]]:
        """The blocks that may have events of the month."""
        start, end = self.conn.execute(_CANDIDATES, {"first": first, "last": last}).fetchone() or (0, 0)
        found = takewhile(lambda block: block.number <= end, blocks.read(self.conn, start - 1) if start else iter(()))
        return blocks.groups(found)

    def _pass_over(self, leaf: int) -> Iterator[TreeNode]:
        """The nodes up to a leaf, without events of the month."""
        for level, index in merkle.pieces(self._joiner.size, leaf):
            yield from self._joiner.add(level, stored_tree.node(self.conn, level, index))

    def _find(self, group: Sequence[Block], condition: Composed) -> Iterator[tuple[Block, dict[int, SealedEvent]]]:
        """The events of the month in each block of a group, by their places."""
        contents = read_contents(self.conn, group)
        erasures = erased_values.read(self.conn, [block.number for block in group], condition)
        finders = [
            _Finder(block, BlockLeaves(block.first_leaf, block.events, content, erasures.newest), erasures)
            for block, content in zip(group, contents, strict=True)
        ]
        divider = Divider(group)
        self._places = self._places or read_places(self.conn, group)
        members = Attribution(self._places).condition(group)
        for fields in stream(self.conn, SQL("{} and {}").format(members, condition)):
            finders[divider.place(fields[2])].add(fields)
        for finder in finders:
            yield finder.block, finder.finish()

    def _add(self, block: Block, found: Mapping[int, SealedEvent]) -> Iterator[TreeNode]:
        """The nodes of a block that has events of the month."""
        self.events += len(found)
        self.first_block, self.last_block = self.first_block or block.number, block.number
        place = 0
        for level, value in read_contents(self.conn, [block])[0].nodes():
            yield from self._joiner.add(level, value, found.get(place) if level == 0 else None)
            place += 1 << level


@dataclass(slots=True)
class _Finder:
    """Finds the events of the month in one block."""

    block: Block
    leaves: BlockLeaves
    erasures: Erasures
    _found: dict[int, SealedEvent] = field(default_factory=dict)

    def add(self, fields: Fields) -> None:
        """Add an event."""
        leaf = self.leaves.find(fields)
        number, time = signed(fields[0] or b""), signed(fields[1] or b"")
        if leaf is None:
            raise EvidenceError(f"event {number} is not as it was sealed", hint=_HINT)
        place, checks = leaf.index - self.block.first_leaf, self.leaves.content.checks
        salts, document = leaf.salt, self.erasures.documents.get((number, time))
        if salts is None:
            salts = self.erasures.require_sound(fields).salts
        own = checks[CHECK_BYTES * place : CHECK_BYTES * (place + 1)]
        self._found[place] = SealedEvent(self.block.number, number, time, own, None, salts, document)

    def finish(self) -> dict[int, SealedEvent]:
        """Return them by their places: with the secret of the block, if that shows the salts of no other event."""
        content = self.leaves.content
        if self._found and len(content.checks) != CHECK_BYTES * self.block.events:
            raise EvidenceError(f"the check bytes of block {self.block.number} were altered", hint=_HINT)
        if content.secret is None or len(self._found) < self.block.events:
            return self._found
        return {place: replace(one, secret=content.secret, salts=None) for place, one in self._found.items()}

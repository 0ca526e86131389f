"""Checks that the blocks form one chain and one tree, and that checkpoints have the sizes and roots of that tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from auditctl.database import Connection
from auditctl.evidence.blocks import Block, Content
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.merkle import Frontier, Node
from auditctl.evidence.note import signatures
from auditctl.evidence.trusted_keys import TrustedKeys

_NODES = """
    select level::integer, index, hash
      from auditctl.node as n
     where (n.level, n.index) in (select * from unnest(%s::smallint[], %s::bigint[]))
"""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint that is kept elsewhere.

    Attributes:
        name: Where it comes from.
        checkpoint: The size and root.
        note: The whole checkpoint, with its signatures.
    """

    name: str
    checkpoint: Checkpoint
    note: str


@dataclass(slots=True)
class Chain:
    """The blocks so far.

    Attributes:
        conn: The connection.
        report: What is found.
        trusted: The keys that count.
        anchors: The checkpoints that are kept elsewhere.
        notes: The stored checkpoints by their size.
        has_nodes: Whether the hashes of larger subtrees are stored as the store has them.
    """

    conn: Connection
    report: Report
    trusted: TrustedKeys
    anchors: list[Anchor]
    notes: dict[int, str]
    has_nodes: bool = True
    number: int = 0
    size: int = 0
    tree: Frontier | None = field(default_factory=Frontier)
    _previous: str | None = None
    _capture: str | None = None
    _nodes: list[Node] = field(default_factory=list)
    _common: tuple[int, int] = (0, 0)
    _checked: set[int] = field(default_factory=set)
    _left: list[tuple[Checkpoint, int]] = field(default_factory=list)
    _agreeing: set[str] = field(default_factory=set)

    def add(self, block: Block, content: Content) -> None:
        """Check the next block."""
        self._check_place(block)
        self._check_record(block, content)
        self.number, self.size = block.number, block.end
        self._previous = content.hashes[-32:].hex()
        self._grow(block, content)
        self.trusted.change(block, self.notes.get(block.end, ""))
        if "fork" in block.facts:
            self._note_fork(block)
        self._compare_roots(block)

    def _find(self, kind: str, sentence: str, block: int | None = None, column: str | None = None) -> None:
        self.report.add(Finding(kind, sentence, block=block, column=column))

    def _check_place(self, block: Block) -> None:
        if block.number > self.number + 1:
            first, last = self.number + 1, block.number - 1
            what = f"block {first} is" if first == last else f"blocks {first} to {last} are"
            self._find("block_missing", f"{what} missing", first)
            self.tree = None
        elif block.first_leaf != self.size:
            self._find(
                "block_altered", f"block {block.number} does not begin where block {self.number} ends", block.number
            )
            self.tree = None

    def _check_record(self, block: Block, content: Content) -> None:
        number = block.number
        if block.record_hash() != content.hashes[-32:]:
            self._find("record", f"the record of block {number} was altered", number, "record")
        if columns := block.differences():
            names = ", ".join(columns)
            self._find("block_altered", f"block {number} is not as its record says: {names}", number, names)
        if block.number == self.number + 1 and block.facts.get("previous") != self._previous:
            self._find("block_altered", f"block {number} does not continue block {number - 1}", number)
        capture = sha256(block.state.encode()).hexdigest() if block.state is not None else self._capture
        if block.facts.get("capture") != capture:
            self._find("block_altered", f"the state of capture of block {number} was altered", number, "state")
        self._capture = block.facts.get("capture") or capture
        if not content.is_secret_of(block):
            self._find("block_altered", f"the secret of block {number} is not the one of its record", number, "secret")

    def _grow(self, block: Block, content: Content) -> None:
        if content.size() != block.events + 1 or len(content.hashes) % 32:
            self._find(
                "block_altered", f"block {block.number} does not have {block.events + 1} hashes", block.number, "hashes"
            )
            self.tree = None
        if self.tree is None:
            return
        try:
            if not content.levels:
                self._nodes += self.tree.extend(value for _, value in content.nodes())
            else:
                for level, value in content.nodes():
                    self._nodes += self.tree.append(value, level)
        except ValueError:
            self._find(
                "block_altered", f"the hashes of block {block.number} do not fit the tree", block.number, "levels"
            )
            self.tree = None

    def flush(self) -> None:
        """Compare the nodes that were completed with the stored ones."""
        nodes, self._nodes = self._nodes if self.has_nodes else [], []
        keys = ([node.level for node in nodes], [node.place for node in nodes])
        stored = {(level, place): value for level, place, value in self.conn.execute(_NODES, keys)} if nodes else {}
        for node in nodes:
            if stored.get((node.level, node.place)) != node.hash:
                first, last = node.place << node.level, ((node.place + 1) << node.level) - 1
                self._find(
                    "block_altered", f"the stored hash of the leaves {first} to {last} is not that of the blocks"
                )

    def _note_fork(self, block: Block) -> None:
        fork = block.facts["fork"]
        try:
            left = Checkpoint.parse(signatures(fork["checkpoint"])[0])
            self._left.append((left, block.number))
            size = f"{left.size} leaves"
        except (EvidenceError, TypeError, KeyError, AttributeError):
            size = "an unreadable checkpoint"
        reason = fork.get("reason") if isinstance(fork, dict) else None
        self.report.note(f"block {block.number} continues from a fork: the log that was left had {size}: {reason}")

    def _compare_roots(self, block: Block) -> None:
        if self.tree is None:
            return
        if (text := self.notes.get(self.tree.size)) is not None:
            self._checked.add(self.tree.size)
            self._compare_stored(self.tree, text, block)
        for anchor in self.anchors:
            if anchor.checkpoint.size == self.tree.size and anchor.checkpoint.root == self.tree.root():
                self._common = (self.tree.size, block.number)
                self._agreeing.add(anchor.name)
                self.trusted.witness(anchor.note, self.tree.size, block.number)

    def _compare_stored(self, tree: Frontier, text: str, block: Block) -> None:
        try:
            checkpoint = Checkpoint.parse(signatures(text)[0])
        except EvidenceError as error:
            self._find("checkpoint", f"the checkpoint of block {block.number}: {error}", block.number)
            return
        if (checkpoint.size, checkpoint.root) != (tree.size, tree.root()):
            self._find("checkpoint", f"the checkpoint of block {block.number} is not that of its tree", block.number)
        else:
            self.trusted.witness(text, tree.size, block.number)
        if tree.size != max(self.notes):
            self.trusted.check(block, text)

    def finish(self) -> None:
        """Check what takes the whole chain: the newest signature, and checkpoints of other sizes."""
        self.flush()
        self.report.tree_size = self.size
        self._check_newest()
        self.trusted.finish(self.size)
        for size in self.notes:
            if size > self.size:
                self._find(
                    "rolled_back",
                    f"a stored checkpoint has {size} leaves, the log only {self.size}: its end was cut off",
                )
            elif size not in self._checked and self.tree is not None:
                self._find("checkpoint", f"a stored checkpoint has {size} leaves, where no block ends")
        for anchor in self.anchors:
            self._check_anchor(anchor)

    def _check_newest(self) -> None:
        newest = max(self.notes, default=0)
        if newest != self.size:
            self._find("checkpoint", f"the log has {self.size} leaves, and its last checkpoint {newest}")
        policy = self.trusted.current
        if policy is None:
            self.report.note("no public key was given: who signed the checkpoints was not checked")
        elif newest:
            try:
                self.report.signed_by = policy.check(self.notes[newest])[1]
            except EvidenceError as error:
                self._find("signature", f"the newest checkpoint: {error}")

    def _check_anchor(self, anchor: Anchor) -> None:
        checkpoint = anchor.checkpoint
        for left, number in self._left:
            if (left.size, left.root) == (checkpoint.size, checkpoint.root):
                self.report.note(f"{anchor.name} is of the log that was left by the fork of block {number}")
                return
        has_agreed = anchor.name in self._agreeing
        if problem := self.trusted.problem(anchor.note, checkpoint.size):
            if has_agreed and self.trusted.is_older(checkpoint.size):
                self.report.note(f"{anchor.name} bears the key that was replaced, and agrees with the log")
            else:
                self._find("signature", f"{anchor.name}: {problem}")
        size, number = self._common
        common = f"they agree up to {size} leaves (block {number})" if size else "no checkpoint given is common to both"
        common += self._describe_left(checkpoint)
        if checkpoint.size > self.size:
            lost = checkpoint.size - self.size
            sentence = f"{anchor.name} has {checkpoint.size} leaves, the log only {self.size}: its last {lost} are gone"
            self._find("rolled_back", f"{sentence}; {common}")
        elif not has_agreed and self.tree is not None:
            self._find(
                "forked", f"{anchor.name} has another tree of {checkpoint.size} leaves: the log forked; {common}"
            )

    def _describe_left(self, checkpoint: Checkpoint) -> str:
        """Say which log that was left by a fork may have had a checkpoint: nothing that is stored shows it."""
        for left, number in self._left:
            if checkpoint.size < left.size:
                return f"; if it was made before the fork of block {number}, it may be of the log that was left then"
        return ""

"""Compares the events of blocks with their leaves, and says in sentences what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from auditctl.database import Connection
from auditctl.evidence import blocks, compare
from auditctl.evidence.blocks import Block, Content
from auditctl.evidence.canonical import Fields
from auditctl.evidence.compare import Added, Altered, Missing, Row
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.leaf import CHECK_BYTES, SALT_BYTES, Salter, event_leaf
from auditctl.evidence.removals import Erasure, Pruned, PrunedReader, read_erasures
from auditctl.evidence.sealed_events import Attribution, Divider, stream
from auditctl.text import plural

_AHEAD = 1000
_STEP = 5000


@dataclass(slots=True)
class Sealed:
    """The leaves of one block, and the events that were read for it.

    Attributes:
        block: The block.
        content: Its hashes.
        gone: The places of events that upkeep deleted.
        leaves: The leaf hashes of the events that were read.
        checks: Their check bytes.
        ids: Their numbers, 8 bytes each.
        has_altered_checks: Whether all leaves are as they were sealed, but the stored check bytes are not.
    """

    block: Block
    content: Content
    gone: frozenset[int]
    leaves: list[bytes] = field(default_factory=list)
    checks: list[bytes] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    has_altered_checks: bool = False
    _salter: Salter | None = None
    _next: int = 0
    _hashes: dict[int, bytes] = field(default_factory=dict)
    _places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.content.checks) != CHECK_BYTES * self.block.events:
            self.content = replace(self.content, checks=b"")
        if self.content.secret is not None:
            self._salter = Salter(self.content.secret)
        else:
            self._hashes = self.content.leaves()
            self._places = [place for place in self._hashes if place < self.block.events and place not in self.gone]

    def add(self, fields: Fields, erasure: Erasure | None) -> None:
        """Add an event, in the order of leaves."""
        event_id, time = fields[0] or b"", fields[1] or b""
        if erasure is not None:
            leaf, checks = erasure.leaf(fields), event_leaf(fields, bytes(SALT_BYTES))[1]
            self._advance(leaf)
        elif self._salter is not None:
            leaf, checks = event_leaf(fields, self._salter.salt(event_id, time))
        else:
            leaf, checks = self._salted(fields)
        self.leaves.append(leaf)
        self.checks.append(checks)
        self.ids.append(event_id)

    def _salted(self, fields: Fields) -> tuple[bytes, bytes]:
        """The leaf of an event whose salt stands at its place, which is looked for from the last one on."""
        first: tuple[bytes, bytes] | None = None
        for number, place in self._ahead():
            salt = self.content.salts[SALT_BYTES * place : SALT_BYTES * (place + 1)]
            found = event_leaf(fields, salt)
            if self._hashes[place] == found[0]:
                self._next = number + 1
                return found
            start = CHECK_BYTES * place
            if first is None or found[1][:1] == self.content.checks[start : start + 1]:
                first = first if first is not None and first[1] == found[1] else found
        return first or event_leaf(fields, bytes(SALT_BYTES))

    def _advance(self, leaf: bytes) -> None:
        for number, place in self._ahead():
            if self._hashes[place] == leaf:
                self._next = number + 1
                return

    def _ahead(self) -> Iterator[tuple[int, int]]:
        """Yield the next places that have an event, however many were deleted between them, with their numbers."""
        return enumerate(self._places[self._next : self._next + _AHEAD], self._next)

    def differences(self) -> Iterator[compare.Difference]:
        """Return how the events differ from the leaves."""
        hashes = self.content.hashes
        if not self.gone and not self.content.levels and b"".join(self.leaves) == hashes[:-32]:
            self.has_altered_checks = self._salter is not None and b"".join(self.checks) != self.content.checks
            return iter(())
        leaves = self.content.leaves()
        leaves.pop(self.block.events, None)
        ids = (int.from_bytes(number, "big", signed=True) for number in self.ids)
        rows = [Row(*row) for row in zip(ids, self.leaves, self.checks, strict=True)]
        bounds = (self.block.first_event_id, self.block.last_event_id)
        return compare.differences(leaves, self.gone, self.content.checks, rows, bounds)


@dataclass(slots=True)
class EventCheck:
    """Compares the events of groups of blocks.

    Attributes:
        conn: The connection, in a transaction that reads the log.
        attribution: Which events belong to which blocks.
        report: What is found.
        progress: Is called with the number of events so far.
        readable: The tables that can be read.
    """

    conn: Connection
    attribution: Attribution
    report: Report
    progress: Callable[[int, str], None]
    readable: frozenset[str]
    missing: list[tuple[Block, Missing]] = field(default_factory=list)
    added: list[tuple[Block, Added]] = field(default_factory=list)
    _pruned: PrunedReader | None = None

    def check(self, group: Sequence[Block], contents: Sequence[Content]) -> None:
        """Compare the events of a group of blocks; what upkeep deleted, and what was erased, is counted."""
        numbers = {block.number: block.events for block in group}
        is_punctured = any(content.secret is None for content in contents)
        pruned = self._read_pruned(numbers) if is_punctured else Pruned()
        erasures = read_erasures(self.conn, list(numbers)) if is_punctured and "erasure" in self.readable else {}
        sealed = [
            Sealed(block, content, pruned.gone.get(block.number, frozenset()))
            for block, content in zip(group, contents, strict=True)
        ]
        self._note(pruned, erasures)
        self._read(group, sealed, erasures)
        for one in sealed:
            if one.content.is_secret_of(one.block):
                self._report(one)

    def _read_pruned(self, numbers: dict[int, int]) -> Pruned:
        if "pruned" not in self.readable:
            return Pruned()
        self._pruned = self._pruned or PrunedReader(self.conn)
        return self._pruned.read(numbers)

    def _read(self, group: Sequence[Block], sealed: list[Sealed], erasures: dict[tuple[int, bytes], Erasure]) -> None:
        divider = Divider(group)
        place = divider.place
        adders = [one.add for one in sealed]
        count = 0
        for fields in stream(self.conn, self.attribution.condition(group)):
            erasure = None
            if erasures:
                erasure = erasures.get((int.from_bytes(fields[0] or b"", "big", signed=True), fields[1] or b""))
                if erasure is not None:
                    self._check_remains(erasure, fields, sealed[place(fields[2])].block)
            adders[place(fields[2])](fields, erasure)
            count += 1
            if not count % _STEP:
                self.progress(self.report.events + count, f"block {group[0].number:,}")
        self.report.events += count
        self.report.blocks += len(group)
        self.progress(self.report.events, f"block {group[-1].number:,}")

    def _check_remains(self, erasure: Erasure, fields: Fields, block: Block) -> None:
        if columns := erasure.altered(fields):
            names = ", ".join(columns)
            self.report.add(
                Finding(
                    "altered",
                    f"event {erasure.event_id} was altered in block {block.number} after its erasure: {names}",
                    erasure.event_id,
                    names,
                    block.number,
                )
            )

    def _note(self, pruned: Pruned, erasures: dict[tuple[int, bytes], Erasure]) -> None:
        self.report.pruned += pruned.expired
        for key, count in pruned.archived.items():
            self.report.archived[key] = self.report.archived.get(key, 0) + count
        self.report.erased += len(erasures)
        for number in pruned.unannounced:
            sentence = f"events of block {number} were deleted, and no event announces it"
            self.report.add(Finding("pruned_unannounced", sentence, block=number))
        for erasure in erasures.values():
            if erasure.is_announced:
                self.report.note(erasure.sentence)
            else:
                sentence = f"values of event {erasure.event_id} were erased, and no event announces it as it is"
                self.report.add(Finding("erased_unannounced", sentence, erasure.event_id))

    def _report(self, sealed: Sealed) -> None:
        block = sealed.block
        differences = sealed.differences()
        if sealed.has_altered_checks:
            sentence = f"the check bytes of block {block.number} were altered"
            self.report.add(Finding("block_altered", sentence, block=block.number, column="checks"))
        for difference in differences:
            if isinstance(difference, Altered):
                self.report.add(_altered(block, difference))
            elif isinstance(difference, Missing):
                self.missing.append((block, difference))
            else:
                self.added.append((block, difference))


def _altered(block: Block, difference: Altered) -> Finding:
    number, names = difference.row.event_id, ", ".join(difference.columns)
    what = names or "a column that its check byte does not show"
    return Finding(
        "altered", f"event {number} was altered in block {block.number}: {what}", number, names or None, block.number
    )


def describe_missing(block: Block, missing: Missing, partition: str | None) -> Finding:
    """Return the finding of consecutive events that are missing."""
    count, ids = len(missing.places), missing.event_ids
    where = f"from block {block.number}" + (f", partition {partition}" if partition else "")
    if len(ids) == 1:
        return Finding("missing", f"event {ids[0]} is missing {where}", ids[0], None, block.number, partition)
    if ids:
        sentence = f"events {ids[0]} to {ids[-1]} ({plural(count, 'event')}) are missing {where}"
        return Finding("missing", sentence, ids[0], None, block.number, partition)
    between = [str(number) for number in (missing.after, missing.before) if number is not None]
    side = "between events" if len(between) == 2 else "after event" if missing.before is None else "before event"
    near = f", {side} {' and '.join(between)}" if between else ""
    verb = "is" if count == 1 else "are"
    return Finding(
        "missing", f"{plural(count, 'event')} {verb} missing {where}{near}", None, None, block.number, partition
    )


def read_contents(conn: Connection, group: Sequence[Block]) -> list[Content]:
    """Return the hashes of the blocks of a group."""
    return [blocks.read_content(conn, block.number) for block in group]

"""The file FILE.proofs beside an exported file: for each row, where it is in the tree, its salts, and hashes.

A line for each row, in their order, after a line with the checkpoint; docs/explanation/evidence.md specifies it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from auditctl.evidence.canonical import COLUMNS, UNITS, Fields
from auditctl.evidence.checkpoint import EvidenceError, decode, encode
from auditctl.evidence.known_nodes import KnownNodes
from auditctl.evidence.leaf import (
    SALT_BYTES,
    UNIT_SALT_BYTES,
    commitment,
    event_leaf,
    leaf_from_commitments,
    record_leaf,
)
from auditctl.evidence.note import Checkpoint, signatures
from auditctl.evidence.proof import Disclosure
from auditctl.evidence.visibility import Seen

KIND = "auditctl proofs"
"""What the file says it is."""

VERSION = 1

UNSEALED = "unsealed"
"""Why a row has no proof: its transaction had not committed when the last block was sealed."""

DIFFERENT = "different"
"""Why a row has no proof: the event is not as it was sealed, or the file cannot hold it as it is."""

REASONS = (UNSEALED, DIFFERENT)

_NONE = "-"
_LABEL = "label "
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_PLACES = tuple(COLUMNS.index(unit) for unit in UNITS)
_ERASED = (b"(erased)", b'{"$erased": true}')
_Salts = tuple[bytes | None, ...]


class Head(NamedTuple):
    """The first line of the file.

    Attributes:
        note: The signed checkpoint.
        frontier: The roots of the complete subtrees of its tree, the largest first.
        record: The record of its last block, which is the last leaf.
        path: The proof of that leaf.
    """

    note: str
    frontier: tuple[bytes, ...]
    record: str
    path: tuple[bytes, ...]

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note states; raises EvidenceError if it is not a checkpoint."""
        return Checkpoint.parse(signatures(self.note)[0])

    def known_nodes(self) -> KnownNodes:
        """Return the tree, to which rows are compared.

        Raises:
            EvidenceError: The hashes or the record are not of the checkpoint's tree.
        """
        checkpoint = self.checkpoint
        try:
            known = KnownNodes(checkpoint.size, self.frontier)
        except ValueError as error:
            raise EvidenceError("the proofs are not those of their checkpoint") from error
        if known.root != checkpoint.root or not known.check(record_leaf(self.record), checkpoint.size - 1, self.path):
            raise EvidenceError("the proofs are not those of their checkpoint")
        return known

    def __str__(self) -> str:
        document = {
            "kind": KIND, "version": VERSION, "checkpoint": self.note, "frontier": list(map(encode, self.frontier)),
            "record": self.record, "path": list(map(encode, self.path)),
        }  # fmt: skip
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"

    @classmethod
    def parse(cls, line: str) -> Head:
        """Parse what `str(head)` returns, and nothing else.

        Raises:
            EvidenceError: It is something else.
        """
        try:
            document = json.loads(line)
            frontier, path = (tuple(map(decode, document[name])) for name in ("frontier", "path"))
            head = cls(document["checkpoint"], frontier, document["record"], path)
            if isinstance(head.record, str) and str(head) == line:
                return head
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise EvidenceError("the file has no proofs of auditctl export")


@dataclass(frozen=True, slots=True)
class RowProof:
    """What the file has of one row.

    Attributes:
        index: The place of its leaf; None without one.
        reason: Then why: one of `REASONS`.
        salts: The salt of the event, 32 bytes; or of each column of `UNITS` its salt, its commitment if it was erased,
            or None where it is null.
        path: The hashes beside the path, from the leaf up to the first known node.
    """

    index: int | None
    reason: str = ""
    salts: _Salts = ()
    path: tuple[bytes, ...] = ()

    @property
    def erased(self) -> tuple[str, ...]:
        """The columns whose values were erased."""
        return tuple(unit for unit, salt in zip(UNITS, self.salts, strict=False) if self._is_commitment(salt))

    def _is_commitment(self, salt: bytes | None) -> bool:
        return len(self.salts) > 1 and salt is not None and len(salt) != UNIT_SALT_BYTES

    def __str__(self) -> str:
        if self.index is None:
            return f"{_NONE} {self.reason}\n"
        salts = ",".join(_NONE if salt is None else encode(salt) for salt in self.salts)
        return " ".join([str(self.index), salts, *map(encode, self.path)]) + "\n"

    @classmethod
    def parse(cls, line: str) -> RowProof:
        """Parse what `str(proof)` returns, and nothing else.

        Raises:
            EvidenceError: It is something else.
        """
        index, *words = line.removesuffix("\n").split(" ")
        try:
            if index == _NONE and words[0] in REASONS:
                proof = cls(None, words[0])
            elif _INDEX.fullmatch(index):
                salts = tuple(None if word == _NONE else decode(word) for word in words[0].split(","))
                proof = cls(int(index), "", salts, tuple(map(decode, words[1:])))
            else:
                proof = cls(None)
            sizes = [len(salt) for salt in proof.salts if salt is not None]
            is_whole = sizes == [SALT_BYTES] if len(proof.salts) == 1 else len(proof.salts) in (0, len(UNITS))
            if is_whole and set(sizes) <= {UNIT_SALT_BYTES, SALT_BYTES} and str(proof) == line:
                return proof
        except (ValueError, IndexError):
            pass
        raise EvidenceError("a line of the proofs is damaged")

    @classmethod
    def of_erased(cls, index: int, event: Disclosure, path: tuple[bytes, ...]) -> RowProof:
        """Return the proof of an event of which values were erased."""
        return cls(index, "", tuple(a or b for a, b in zip(event.salts, event.erased, strict=True)), path)

    def leaf(self, fields: Fields) -> bytes | None:
        """Return the leaf hash of an event with these columns; None if its columns do not fit the salts."""
        if len(self.salts) == 1 and self.salts[0] is not None:
            return event_leaf(fields, self.salts[0])[0]
        units: list[bytes | None] = []
        for place, salt in zip(_PLACES, self.salts, strict=True):
            value = fields[place]
            if self._is_commitment(salt):
                if value is not None and not any(mark in value for mark in _ERASED):
                    return None
                units.append(salt)
            elif (value is None) != (salt is None):
                return None
            else:
                units.append(None if value is None or salt is None else commitment(salt, value))
        return leaf_from_commitments(fields, tuple(units))


@dataclass(slots=True)
class Counts:
    """What a file has of rows.

    Attributes:
        rows: How many rows were read.
        sealed: How many have a proof.
        erased: How many of these without some erased values.
        reasons: How many have none, by the reason.
    """

    rows: int = 0
    sealed: int = 0
    erased: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, proof: RowProof) -> None:
        """Count a row."""
        self.rows += 1
        if proof.index is None:
            self.reasons[proof.reason] = self.reasons.get(proof.reason, 0) + 1
        else:
            self.sealed += 1
            self.erased += bool(proof.erased)


def label_line(label: str, names: Iterable[str]) -> str:
    """Return the line that says for which targets a label stands, from here on."""
    return _LABEL + json.dumps([label, *names], ensure_ascii=False) + "\n"


def parse_label(line: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the label and the targets of such a line; None if it is another one.

    Raises:
        EvidenceError: It is damaged.
    """
    if not line.startswith(_LABEL):
        return None
    try:
        label, *names = json.loads(line.removeprefix(_LABEL))
        if names and all(isinstance(one, str) for one in (label, *names)) and label_line(label, names) == line:
            return label, tuple(names)
    except (ValueError, TypeError, RecursionError):
        pass
    raise EvidenceError("a line of the proofs is damaged")


def read(lines: Iterator[str]) -> Iterator[tuple[RowProof, dict[str, tuple[str, ...]]]]:
    """Yield what the file has of each row after the head, with the labels that count for it.

    Raises:
        EvidenceError: A line is damaged.
    """
    labels: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if (found := parse_label(line)) is not None:
            labels[found[0]] = found[1]
        else:
            yield RowProof.parse(line), labels


def last_block(record: str) -> tuple[int, str, Seen]:
    """Return number, time of sealing and snapshot of a block, as its record has them.

    Raises:
        EvidenceError: It is not the record of a block.
    """
    try:
        facts = json.loads(record)
        return int(facts["number"]), str(facts["sealed_at"]), Seen.parse(facts["snapshot"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EvidenceError("the last leaf of the proofs is not the record of a block") from error

"""Proofs that an event is in the log, as C2SP specifies them (tlog-proof): checked without a database.

The extra data of the proof are the event's columns in their canonical form with their salts, and the commitments to
what was erased: the leaf is computed from them. Reads strictly, so that no bit of a proof can change unnoticed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256

from auditctl.evidence.canonical import COLUMNS, UNITS, Fields
from auditctl.evidence.leaf import UNIT_SALT_BYTES, Commitments, commitment, leaf_from_commitments
from auditctl.evidence.merkle import check_inclusion
from auditctl.evidence.note import Checkpoint, EvidenceError, decode, encode, signatures
from auditctl.evidence.policy import Policy
from auditctl.text import in_quotes

HEADER = "c2sp.org/tlog-proof@v1"
"""The first line of a proof."""

SUFFIX = ".tlog-proof"
"""How the file of a proof is called."""

_VERSION = 1
_NUMBER = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_PLACES = {unit: COLUMNS.index(unit) for unit in UNITS}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """An event as a proof shows it.

    Attributes:
        fields: The canonical bytes of its columns; None for those that are null or erased.
        salts: The salt of each column that has one and is there, in the order of `UNITS`.
        erased: The commitment to each column that was erased, in the order of `UNITS`.
    """

    fields: Fields
    salts: tuple[bytes | None, ...]
    erased: Commitments

    def leaf(self) -> bytes:
        """Return the leaf hash."""
        units = []
        for unit, salt, erased in zip(UNITS, self.salts, self.erased, strict=True):
            value = self.fields[_PLACES[unit]]
            units.append(erased if value is None or salt is None else commitment(salt, value))
        return leaf_from_commitments(self.fields, tuple(units))


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of inclusion.

    Attributes:
        index: The place of the leaf in the tree, from 0.
        path: The hashes beside its path, from the leaf up.
        note: The signed checkpoint.
        extra: The opaque data of the proof; empty for none.
    """

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes = b""

    def __str__(self) -> str:
        extra = [f"extra {encode(self.extra)}"] if self.extra else []
        return "".join(f"{line}\n" for line in (HEADER, *extra, *self._body(), "")) + self.note

    def _body(self) -> list[str]:
        return [f"index {self.index}", *map(encode, self.path)]

    def digest(self) -> str:
        """Return the SHA-256 in hex over all but the extra data and the signatures of witnesses.

        Nobody signs it: it only finds damage that no signature covers, such as that of one of two signatures.
        """
        text, found = signatures(self.note)
        origin = text.partition("\n")[0]
        own = [f"{name} {encode(signature)}" for name, signature in found if name == origin]
        return sha256("\n".join([*self._body(), text, *own]).encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Parse what `str(proof)` returns, and nothing else.

        Raises:
            EvidenceError: It is not a proof.
        """
        head, _, note = text.partition("\n\n")
        lines = head.split("\n")
        try:
            extra = decode(lines.pop(1).removeprefix("extra ")) if lines[1].startswith("extra ") else b""
            match = _NUMBER.fullmatch(lines[1])
            path = tuple(decode(line) for line in lines[2:])
        except (ValueError, IndexError):
            match = None
        if match and all(len(item) == 32 for item in path):
            proof = cls(int(match[1]), path, note, extra)
            if str(proof) == text:
                return proof
        raise EvidenceError("the text is not a proof of inclusion", hint="Pass the whole file, as prove wrote it.")


def prove(index: int, path: tuple[bytes, ...], note: str, event: Disclosure) -> Proof:
    """Return the proof of an event, with the event in it.

    Args:
        index: The place of its leaf.
        path: The hashes beside its path.
        note: The signed checkpoint.
        event: What the proof shows.
    """
    proof = Proof(index, path, note)
    return replace(proof, extra=_extra(event, proof.digest()))


def _extra(event: Disclosure, digest: str) -> bytes:
    document = {
        "version": _VERSION,
        "columns": {
            name: encode(value) for name, value in zip(COLUMNS, event.fields, strict=True) if value is not None
        },
        "salts": {name: encode(salt) for name, salt in zip(UNITS, event.salts, strict=True) if salt is not None},
        "erased": {name: encode(item) for name, item in zip(UNITS, event.erased, strict=True) if item is not None},
        "sha256": digest,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def check(proof: Proof, policy: Policy) -> tuple[Disclosure, Checkpoint, tuple[str, ...]]:
    """Return the event that a proof proves, the checkpoint, and the labels of the keys that signed it.

    Raises:
        EvidenceError: The proof does not hold.
        MissingLibrary: The library for a signature is not installed.
    """
    event = _disclosure(proof)
    checkpoint, signed = policy.check(proof.note)
    if not check_inclusion(event.leaf(), proof.index, checkpoint.size, proof.path, checkpoint.root):
        raise EvidenceError(
            f"the event is not leaf {proof.index} of the log {in_quotes(checkpoint.origin)}",
            hint="The file was altered. Make it again with prove, and verify the log.",
        )
    return event, checkpoint, signed


def _disclosure(proof: Proof) -> Disclosure:
    try:
        document = json.loads(proof.extra)
        columns, salts, erased = (
            {name: decode(value) for name, value in document[key].items()} for key in ("columns", "salts", "erased")
        )
        event = Disclosure(
            tuple(columns.get(name) for name in COLUMNS),
            tuple(salts.get(name) for name in UNITS),
            tuple(erased.get(name) for name in UNITS),
        )
        is_whole = _is_whole(event) and proof.extra == _extra(event, proof.digest())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_whole = False
    if not is_whole:
        raise EvidenceError("the event in the proof is damaged", hint="Pass the whole file, as prove wrote it.")
    return event


def _is_whole(event: Disclosure) -> bool:
    """Whether each column of the leaf is there: a value and its salt, or a commitment, or nothing."""
    fixed = [value for name, value in zip(COLUMNS, event.fields, strict=True) if name not in UNITS]
    if any(value is None for value in fixed) or any(len(value or b"") != 8 for value in fixed[:3]):
        return False
    for unit, salt, erased in zip(UNITS, event.salts, event.erased, strict=True):
        value = event.fields[_PLACES[unit]]
        if (value is None) != (salt is None) or (value is not None and erased is not None):
            return False
        if len(salt or b"\0" * UNIT_SALT_BYTES) != UNIT_SALT_BYTES or len(erased or b"\0" * 32) != 32:
            return False
    return True

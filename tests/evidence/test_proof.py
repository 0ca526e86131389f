"""Proofs without a database: what they show, and that no bit of them can change."""

from __future__ import annotations

import pytest

from auditctl.evidence import canonical, merkle, note, policy, proof
from auditctl.evidence.leaf import Salter, commitments, event_leaf, leaf_from_commitments, record_leaf, unit_salts
from auditctl.evidence.note import Checkpoint, EvidenceError, Signer
from auditctl.evidence.proof import Disclosure, Proof

VALUES = (
    57,
    "infinity",
    4711,
    "application",
    "UPDATE",
    "alice",
    "203.0.113.7",
    "shop",
    "billing.customer",
    "42",
    '{"name": "Ann"}',
    '{"name": "Anne"}',
    None,
)
FIELDS = canonical.from_row(VALUES)
SIGNER = Signer.generate("log.example")
POLICY = policy.from_keys([SIGNER.verifier])


def disclosure(*erased: str) -> tuple[Disclosure, bytes]:
    salt = Salter(b"secret of the block, 32 bytes ...").salt(FIELDS[0] or b"", FIELDS[1] or b"")
    salts, units = unit_salts(salt), commitments(FIELDS, unit_salts(salt))
    fields, shown, gone = list(FIELDS), [], []
    for place, (unit, item) in enumerate(zip(canonical.UNITS, units, strict=True)):
        is_there = item is not None and unit not in erased
        shown.append(salts[16 * place : 16 * place + 16] if is_there else None)
        gone.append(item if unit in erased else None)
        if unit in erased:
            fields[canonical.COLUMNS.index(unit)] = None
    return Disclosure(tuple(fields), tuple(shown), tuple(gone)), event_leaf(FIELDS, salt)[0]


def proven(*erased: str, signers: tuple[Signer, ...] = (SIGNER,)) -> Proof:
    event, leaf = disclosure(*erased)
    leaves = [record_leaf(str(number)) for number in range(6)]
    leaves[4] = leaf
    path = merkle.inclusion(4, 6, lambda start, end: merkle.tree_root(leaves[start:end]))
    signed = note.sign(str(Checkpoint("log.example", 6, merkle.tree_root(leaves))), signers)
    return proof.prove(4, tuple(path), signed, event)


def test_a_proof_shows_the_event_and_who_signed_its_checkpoint() -> None:
    text = str(proven())
    assert text.startswith("c2sp.org/tlog-proof@v1\nextra ")
    event, checkpoint, signed = proof.check(Proof.parse(text), POLICY)
    assert (event.fields, checkpoint.size, signed) == (FIELDS, 6, (SIGNER.verifier.label,))


@pytest.mark.parametrize(
    "erased", [("old_values",), ("actor", "ip", "db_user", "target_id", "old_values", "new_values")]
)
def test_an_event_whose_values_were_erased_is_proven_by_their_commitments(erased: tuple[str, ...]) -> None:
    event, _, _ = proof.check(proven(*erased), POLICY)
    assert [unit for unit, item in zip(canonical.UNITS, event.erased, strict=True) if item] == list(erased)


def test_no_flipped_bit_of_a_proof_verifies() -> None:
    """Not even in one of two signatures, of which each would do by itself."""
    second = Signer.generate("log.example")
    data = str(proven(signers=(SIGNER, second))).encode()
    either = policy.parse(f"log {SIGNER.verifier}\nlog {second.verifier}\nquorum none")
    assert proof.check(Proof.parse(data.decode()), either)
    survivors = []
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        try:
            proof.check(Proof.parse(flipped.decode("utf-8", "surrogateescape")), either)
            survivors.append((place, chr(data[place])))
        except EvidenceError:
            pass
    assert survivors == []


def test_a_proof_that_shows_another_event_is_refused() -> None:
    whole = proven()
    for column, value in (("action", b"DELETE"), ("actor", b"bob"), ("context", b"{}"), ("actor", None)):
        event, _ = disclosure()
        fields = list(event.fields)
        fields[canonical.COLUMNS.index(column)] = value
        changed = Disclosure(tuple(fields), event.salts, event.erased)
        with pytest.raises(EvidenceError):
            proof.check(proof.prove(whole.index, whole.path, whole.note, changed), POLICY)
    with pytest.raises(EvidenceError, match="damaged"):
        proof.check(Proof(whole.index, whole.path, whole.note), POLICY)
    with pytest.raises(EvidenceError, match="damaged"):
        proof.check(Proof(whole.index, whole.path, whole.note, b"[" * 100_000), POLICY)


def test_text_that_is_no_proof_is_refused() -> None:
    text = str(proven())
    for wrong in ("", "\n", text[1:], text.replace("index 4", "index 04"), text.replace("\n\n", "\n", 1), text + "\n"):
        with pytest.raises(EvidenceError):
            proof.check(Proof.parse(wrong), POLICY)


def test_the_leaf_comes_of_the_commitments_as_of_the_values() -> None:
    event, leaf = disclosure()
    assert (event.leaf(), disclosure("context", "ip")[0].leaf()) == (leaf, leaf)
    salt = bytes(32)
    nulls = tuple(
        value if column not in canonical.UNITS else None
        for column, value in zip(canonical.COLUMNS, FIELDS, strict=True)
    )
    assert event_leaf(nulls, salt)[0] == leaf_from_commitments(nulls, (None,) * 7)

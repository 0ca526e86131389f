"""Notes, keys and checkpoints; the vector is that of Go's sumdb/note."""

from __future__ import annotations

import pytest

from auditctl.errors import UsageError
from auditctl.evidence import note
from auditctl.evidence.note import COSIGNATURE, ML_DSA, Checkpoint, EvidenceError, Signer, Verifier

TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
CHECKPOINT = Checkpoint("log.example/auditctl", 20852163, bytes(range(32)))


def test_a_note_is_signed_and_verified_as_go_does() -> None:
    signer, verifier = Signer.parse(PRIVATE), Verifier.parse(PUBLIC)
    assert (str(signer), str(signer.verifier), signer.verifier) == (PRIVATE, PUBLIC, verifier)
    assert note.sign(TEXT, [signer]) == f"{TEXT}\n{PETER}"
    assert note.verify(f"{TEXT}\n{PETER}{ENOCH}", [verifier]) == (TEXT, ("PeterNeumann+c74f20a3",))


def test_a_private_key_is_never_shown_by_accident() -> None:
    assert "PRIVATE" not in repr(Signer.parse(PRIVATE))
    with pytest.raises(UsageError) as error:
        Signer.parse(PRIVATE[:-1] + "A")
    assert "AYEKFALVFGyNhPJEMzD1QIDr" not in str(error.value)


def test_a_signature_of_an_unknown_key_does_not_count() -> None:
    with pytest.raises(EvidenceError, match="no trusted key signed the checkpoint, but EnochRoot"):
        note.verify(f"{TEXT}\n{ENOCH}", [Verifier.parse(PUBLIC)])


@pytest.mark.parametrize("kind", [note.ED25519, ML_DSA])
def test_no_flipped_bit_of_a_checkpoint_verifies(kind: int) -> None:
    signer = Signer.generate(CHECKPOINT.origin, kind)
    assert Verifier.parse(str(signer.verifier)) == signer.verifier
    assert Signer.parse(str(signer)) == signer
    data = note.sign(str(CHECKPOINT), [signer]).encode()
    assert Checkpoint.parse(note.verify(data.decode(), [signer.verifier])[0]) == CHECKPOINT
    places = range(len(data)) if kind == note.ED25519 else [*range(120), *range(120, len(data), 97)]
    survivors = []
    for place in places:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            try:
                note.verify(flipped.decode("utf-8", "surrogateescape"), [signer.verifier])
                survivors.append((place, bit))
            except (EvidenceError, UnicodeEncodeError):
                pass
    assert survivors == []


def test_ml_dsa_signs_the_checkpoint_and_its_own_name_and_time() -> None:
    signer = Signer.generate(CHECKPOINT.origin, ML_DSA)
    signed = note.sign(str(CHECKPOINT), [signer], timestamp=1679315147)
    ((_, signature),) = note.signatures(signed)[1]
    assert (len(signature), signature[4:12]) == (4 + 8 + 2420, (1679315147).to_bytes(8, "big"))
    other = Verifier("other.example", ML_DSA, signer.verifier.key)
    assert not other.verify(str(CHECKPOINT), signature[4:])


def test_a_witness_signs_with_the_time() -> None:
    signer = Signer.generate("witness.example/w1")
    witness = Verifier(signer.verifier.name, COSIGNATURE, signer.verifier.key)
    text = str(CHECKPOINT)
    raw = signer.sign(f"cosignature/v1\ntime 1679315147\n{text}", 0)
    signature = note.decode(raw.split(" ")[2].strip())[4:]
    line = f"— {witness.name} {note.encode(witness.id + (1679315147).to_bytes(8, 'big') + signature)}\n"
    assert note.verify(f"{text}\n{line}", [witness]) == (text, (witness.label,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT,
        f"{TEXT}{PETER}",
        f"{TEXT}\n{PETER[:-1]}",
        f"{TEXT}\n",
        f"{TEXT}\n{PETER}\n",
        f"\t{TEXT}\n{PETER}",
        f"{TEXT}\r\n{PETER}",
        f"{TEXT}\n— Bad Name x08go/Zj=\n",
        f"{TEXT}\n{PETER.replace('nAM=', 'nAN=')}",  # other bits that base64 does not use
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        note.verify(text, [Verifier.parse(PUBLIC)])


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a\n01\n" + note.encode(bytes(32)) + "\n", "a\n1\nAAAA\n", "\n1\n" + note.encode(bytes(32)) + "\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError, match="not a checkpoint"):
        Checkpoint.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x00b", "x" * 256, "a\u2003b"])
def test_a_name_with_spaces_or_plus_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a valid name of a key"):
        Signer.generate(name)


def test_a_public_key_with_another_id_or_type_is_refused() -> None:
    for text in (PUBLIC.replace("c74f", "c74e"), PUBLIC.replace("+AR", "+ZR"), "", "x", PUBLIC[:-4], PRIVATE):
        with pytest.raises(UsageError, match="not a public key"):
            Verifier.parse(text)

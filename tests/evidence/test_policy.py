"""Which keys count, in C2SP's language for it."""

from __future__ import annotations

import pytest

from auditctl.errors import UsageError
from auditctl.evidence import note, policy
from auditctl.evidence.note import COSIGNATURE, ML_DSA, Checkpoint, EvidenceError, Signer, Verifier

LOG = Signer.generate("log.example")
OTHER = Signer.generate("log.example")
WITNESSES = [Signer.generate(f"w{n}.example") for n in range(4)]
KEYS = [Verifier(signer.verifier.name, COSIGNATURE, signer.verifier.key) for signer in WITNESSES]
CHECKPOINT = Checkpoint("log.example", 7, bytes(32))

GROUPS = f"""
# two of three, and one more
log {LOG.verifier} https://log.example/
witness W0 {KEYS[0]}
witness W1 {KEYS[1]}
witness W2 {KEYS[2]}
\twitness\tW3 {KEYS[3]} https://w3.example/
group majority 2 W0 W1 W2
group both all majority W3
quorum both
"""


def cosigned(*witnesses: int, by: Signer = LOG) -> str:
    text = str(CHECKPOINT)
    signed = note.sign(text, [by])
    for number in witnesses:
        raw = note.decode(WITNESSES[number].sign(f"cosignature/v1\ntime 5\n{text}", 0).split(" ")[2].strip())
        signature = note.encode(KEYS[number].id + (5).to_bytes(8, "big") + raw[4:])
        signed += f"— {KEYS[number].name} {signature}\n"
    return signed


@pytest.mark.parametrize(
    ("witnesses", "is_enough"),
    [((0, 1, 3), True), ((0, 1, 2, 3), True), ((0, 3), False), ((0, 1, 2), False), ((), False)],
)
def test_a_quorum_counts_its_groups(witnesses: tuple[int, ...], is_enough: bool) -> None:
    parsed = policy.parse(GROUPS)
    if is_enough:
        assert parsed.check(cosigned(*witnesses))[0] == CHECKPOINT
    else:
        with pytest.raises(EvidenceError, match="not enough witnesses"):
            parsed.check(cosigned(*witnesses))


def test_a_log_must_have_signed_whatever_witnesses_say() -> None:
    with pytest.raises(EvidenceError, match="did not sign"):
        policy.parse(GROUPS).check(cosigned(0, 1, 3, by=OTHER))
    elsewhere = policy.parse(f"log {Signer.generate('else.example').verifier}\nlog {LOG.verifier}\nquorum none")
    assert elsewhere.check(cosigned())[1] == (LOG.verifier.label,)


def test_a_file_of_keys_demands_all_of_them() -> None:
    second = Signer.generate("log.example", ML_DSA)
    parsed = policy.parse_keys(f"# the key\n{LOG.verifier}\n\n{second.verifier}\n")
    assert parsed.check(note.sign(str(CHECKPOINT), [LOG, second]))[1] == (LOG.verifier.label, second.verifier.label)
    with pytest.raises(EvidenceError, match="did not sign the checkpoint wholly"):
        parsed.check(note.sign(str(CHECKPOINT), [LOG]))
    for text in ("", "# nothing", str(KEYS[0]), "x"):
        with pytest.raises(UsageError):
            policy.parse_keys(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no quorum"),
        ("quorum none\nquorum none", "line 2.*quorum already"),
        ("quorum W", "line 1.*not a witness or group"),
        ("log x\nquorum none", "line 1.*not a public key"),
        (f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none", "line 2.*there already"),
        (f"log {KEYS[0]}\nquorum none", "line 1.*type"),
        (f"witness none {KEYS[0]}\nquorum none", "line 1.*taken"),
        (f"witness W {LOG.verifier}\nquorum none", "line 1.*type"),
        (f"witness W {KEYS[0]}\ngroup g 2 W\nquorum g", "line 2.*threshold"),
        (f"witness W {KEYS[0]}\ngroup g any W\ngroup h any W\nquorum g", "line 3.*member of a group already"),
        ("group g any\nquorum none", "line 1.*group"),
        ("witnes W x\nquorum none", "line 1.*not a line"),
        ("quorum none\r\n", "line 1.*control character"),
    ],
    ids=lambda value: value.partition("+")[0],  # keys differ in each process
)
def test_a_line_that_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){problem}"):
        policy.parse(text)

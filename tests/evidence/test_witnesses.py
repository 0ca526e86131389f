"""Signatures of witnesses come into the log with a cosigned checkpoint, and count where a policy demands them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.evidence import note
from auditctl.evidence.note import COSIGNATURE, Checkpoint, Signer, Verifier
from tests.support import sealing
from tests.support.verifying import Log, fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

WITNESSES = [Signer.generate(f"w{n}.example") for n in range(2)]
KEYS = [Verifier(signer.verifier.name, COSIGNATURE, signer.verifier.key) for signer in WITNESSES]


def line(number: int, text: str, time: int = 5) -> str:
    """The line of a witness under the text of a checkpoint."""
    raw = note.decode(WITNESSES[number].sign(f"cosignature/v1\ntime {time}\n{text}", 0).split(" ")[2].strip())
    return f"— {KEYS[number].name} {note.encode(KEYS[number].id + time.to_bytes(8, 'big') + raw[4:])}\n"


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl) -> Log:
    fill(db)
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item values (1, 'v')")
    sealing.seal(db, keys)
    names = "".join(f"witness W{n} {key}\n" for n, key in enumerate(KEYS))
    (tmp_path / "policy").write_text(f"log {keys.keys.verifiers[0]}\n{names}group both 2 W0 W1\nquorum both\n")
    return Log(db, keys, conn, auditctl)


def newest(log: Log) -> str:
    (text,) = log.conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone() or (
        "",
    )
    return str(text)


def test_quorum_of_witnesses_holds_once_their_signatures_were_added_and_says_what_was_sealed_since(
    log: Log, tmp_path: Path
) -> None:
    policy, file = ("--policy", tmp_path / "policy"), tmp_path / "cosigned"
    assert [one["kind"] for one in log.verify_by(*policy)["findings"]] == ["signature"]
    text = newest(log)
    body = note.signatures(text)[0]
    anchors = f"{tmp_path}/anchors/"
    log.auditctl("checkpoint", "--output", anchors, check=0)
    add = ("checkpoint", "--cosigned", file, *policy)
    for number in (0, 1):
        file.write_text(text + line(number, body))
        assert f"signature of {KEYS[number].label}." in log.auditctl(*add, check=0).err
        assert "already" in log.auditctl(*add, check=0).err
    assert newest(log) == text + line(0, body) + line(1, body)
    assert set(log.verify_by(*policy, check=0)["signed_by"]) == {
        log.keys.keys.verifiers[0].label,
        *(k.label for k in KEYS),
    }
    assert "already" in log.auditctl("checkpoint", "--output", anchors, check=0).err
    log.conn.execute("insert into item values (2, 'v')")
    log.seal()
    log.auditctl("prove", str(log.event(0)), "--output", tmp_path / "p", check=0)
    log.auditctl("verify-proof", tmp_path / "p", *policy, dsn="", check=0)
    said = log.verify_by(*policy, check=0)["notes"]
    assert any(f"witnesses signed the tree of {body.split()[1]} leaves (block 1), not the " in one for one in said), (
        said
    )
    log.verify(check=0)


def test_cosigned_checkpoint_that_a_later_one_replaced_is_stored_again(log: Log, tmp_path: Path) -> None:
    text = newest(log)
    log.conn.execute("insert into item values (2, 'v')")
    log.seal()
    body = note.signatures(text)[0]
    file = tmp_path / "cosigned"
    file.write_text(text + line(1, body) + line(0, body))
    log.auditctl("checkpoint", "--cosigned", file, "--policy", tmp_path / "policy", check=0)
    log.verify_by("--policy", tmp_path / "policy", check=0)


def test_note_that_the_log_did_not_sign_or_that_is_of_another_tree_is_refused(log: Log, tmp_path: Path) -> None:
    text = newest(log)
    body = note.signatures(text)[0]
    forged = str(Checkpoint(sealing.ORIGIN, int(body.split()[1]), b"\1" * 32))
    larger = str(Checkpoint(sealing.ORIGIN, 10**6, b"\1" * 32))
    file = tmp_path / "cosigned"
    for given, code, reason in (
        (f"{body}\n{line(0, body)}", 3, "did not sign"),
        (text + line(0, forged), 3, "is wrong"),
        (text.replace("\n\n", "x\n\n", 1) + line(0, body), 3, ""),
        (note.sign(forged, log.keys.keys.signers) + line(0, forged), 3, "another tree"),
        (note.sign(larger, log.keys.keys.signers) + line(0, larger), 3, "no block of this log"),
        (text, 2, "no witness of the policy"),
    ):
        file.write_text(given)
        assert reason in log.auditctl("checkpoint", "--cosigned", file, "--policy", tmp_path / "policy", check=code).err
    assert newest(log) == text
    assert "belong together" in log.auditctl("checkpoint", "--cosigned", file, check=2).err
    for change in (
        "note = note || 'x'",
        "note = note || note",
        "is_kept = true",
        "made_at = now(), note = note || '—'",
    ):
        with pytest.raises(psycopg.Error, match="write-once"):
            log.conn.execute(f"update auditctl.checkpoint set {change}".encode())

"""A proof of an event is checked without a database, by this tool and by one that is not ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditctl.evidence import note
from tests.support import foreign, sealing
from tests.support.verifying import Log, fill

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("foreign.go")


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl) -> Log:
    fill(db)
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item select n, 'v' from generate_series(1, 300) as n")
    sealing.seal(db, keys)
    conn.execute("update item set v = 'w' where id <= 40")
    sealing.seal(db, keys)
    return Log(db, keys, conn, auditctl)


def test_events_are_proven_without_a_database_and_no_flipped_bit_is(log: Log, tmp_path: Path) -> None:
    public = f"{log.keys.keys.path}.pub"
    offline = {"AUDITCTL_DSN": None}
    for place in (0, 255, 339):
        number = log.event(place)
        file = tmp_path / f"{place}.tlog-proof"
        log.auditctl("prove", str(number), "--output", file, check=0)
        shown = log.auditctl("verify-proof", file, "--public-key", public, env=offline, check=0)
        assert f"event_id: {number}\n" in shown.out
        assert f"signed by: {log.keys.keys.verifiers[0].label}\n" in shown.out
    assert "exists" in log.auditctl("prove", str(number), "--output", file, check=2).err
    data = file.read_bytes()
    for place in range(0, len(data), len(data) // 12):
        flipped = bytearray(data)
        flipped[place] ^= 1
        file.write_bytes(flipped)
        log.auditctl("verify-proof", file, "--public-key", public, env=offline, check=3)
    log.conn.execute("update item set v = 'x' where id = 1")
    assert "not sealed yet" in log.auditctl("prove", str(log.event(340)), "--output", "x", check=2).err
    log.conn.execute("alter table auditctl.event disable trigger user")
    log.conn.execute("update auditctl.event set actor = 'x' where event_id = %s", [log.event(3)])
    assert "not as it was sealed" in log.auditctl("prove", str(log.event(3)), "--output", "x", check=3).err


@pytest.mark.slow
@pytest.mark.timeout(600)  # Go compiles its own library first.
def test_go_verifies_a_checkpoint_and_a_proof_and_no_flipped_bit(log: Log, tmp_path: Path) -> None:
    program = foreign.build(PROGRAM, tmp_path)
    file = tmp_path / "p.tlog-proof"
    log.auditctl("prove", str(log.event(300)), "--output", file, check=0)
    leaf = log.auditctl("verify-proof", file, "--key", f"{log.keys.keys.path}.pub", check=0).out
    leaf_hash = leaf.partition("leaf: ")[2].partition(",")[0]
    key = str(log.keys.keys.verifiers[0])
    assert isinstance(log.keys.keys.signers[0], note.Signer)

    def accepts(data: bytes, leaf: str) -> bool:
        given = tmp_path / "given"
        given.write_bytes(data)
        return foreign.accepts(program, key, given, leaf)

    data = file.read_bytes()
    head = data.index(b"index ")
    assert accepts(data, leaf_hash)
    assert not accepts(data, leaf_hash[:-1] + ("0" if leaf_hash[-1] != "0" else "1"))
    survivors = []
    for place in range(head + 6, len(data), 7):
        flipped = bytearray(data)
        flipped[place] ^= 1
        survivors += [place] if accepts(bytes(flipped), leaf_hash) else []
    assert survivors == []

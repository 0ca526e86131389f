"""A proof of an archived event is the one that the database gave before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import foreign, sealing
from tests.support.archived_months import write_month
from tests.support.retaining import fill, months

if TYPE_CHECKING:
    import psycopg

    from auditctl.evidence.sealing_keys import SealingKeys
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent.parent / "evidence" / "foreign.go"


@pytest.fixture
def keys(db: str, conn: psycopg.Connection, tmp_path: Path) -> SealingKeys:
    """A month whose events are in two of three blocks, one of them erased, in an archive."""
    keys = sealing.make_keys(tmp_path)
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-01", "a", 300)
    sealing.seal(db, keys)
    fill(conn, "2020-01-20", "a", 20)
    fill(conn, "2020-02-01", "a", 20)
    sealing.seal(db, keys)
    conn.execute("select auditctl.erase_events(array[%s]::bigint[], '{}', 'request 7')", [numbers(conn)[7]])
    sealing.seal(db, keys)
    write_month(db, tmp_path / "archive", "2020-01")
    return keys


def numbers(conn: psycopg.Connection) -> list[int]:
    query = "select event_id from auditctl.event where target = 'a' and occurred_at < '2020-02-01 00:00+00' order by 1"
    return [number for (number,) in conn.execute(query).fetchall()]


def test_a_proof_is_the_same_before_and_after(
    conn: psycopg.Connection, keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    events = numbers(conn)
    for place in (0, 7, 255, 256, 310):
        number = str(events[place])
        before, after = tmp_path / f"{number}.before", tmp_path / f"{number}.after"
        auditctl("prove", number, "--output", before, check=0)
        offline = {"AUDITCTL_DSN": "host=/nowhere"}
        auditctl("prove", number, "--output", after, "--archive", tmp_path / "archive", env=offline, check=0)
        assert after.read_text() == before.read_text()
        shown = auditctl("verify-proof", after, "--public-key", f"{keys.keys.path}.pub", check=0)
        assert f"event_id: {number}\n" in shown.out
    done = auditctl("verify", "--archive", tmp_path / "archive", "--public-key", f"{keys.keys.path}.pub", check=0)
    assert "320 events compared in 2 blocks; 1 month, 1 file; " in done.out
    assert f"note: of event {events[7]}, event.new_values was erased by" in done.out
    done = auditctl("prove", "999999", "--output", tmp_path / "x", "--archive", tmp_path / "archive", check=2)
    assert "999999" in done.err


@pytest.mark.slow
@pytest.mark.timeout(600)  # Go compiles its own library first.
def test_go_accepts_a_proof_of_an_archived_event(
    conn: psycopg.Connection, keys: SealingKeys, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    number, file = str(numbers(conn)[100]), tmp_path / "p.tlog-proof"
    auditctl("prove", number, "--output", file, "--archive", tmp_path / "archive", check=0)
    out = auditctl("verify-proof", file, "--key", f"{keys.keys.path}.pub", check=0).out
    leaf = out.partition("leaf: ")[2].partition(",")[0]
    assert foreign.accepts(foreign.build(PROGRAM, tmp_path), str(keys.keys.verifiers[0]), file, leaf)

"""`auditctl archive` of a sealed log: nothing leaves the database without what proves it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import sealing
from tests.support.archiving import cold, fill, fill_own, hot, names, own
from tests.support.leaves import read_blocks
from tests.support.retaining import hold, keep, months
from tests.support.verifying import DISABLE

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.evidence.sealing_keys import SealingKeys
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cold"


@pytest.fixture
def keys(tmp_path: Path) -> SealingKeys:
    return sealing.make_keys(tmp_path)


def test_months_go_with_what_proves_them_and_the_rest_still_verifies(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    fill(conn, "2020-01", "2020-02")
    before = hot(conn)
    sealing.seal(db, keys)
    auditctl("archive", "--to", folder, check=0)
    assert [name.rpartition("/")[2] for name in names(folder)] == [
        "_evidence.parquet", "_manifest.json", "part-0001.parquet",
    ] * 2  # fmt: skip
    assert auditctl("maintain", check=0).out.count("20 events dropped") == 2
    assert (hot(conn), cold(folder)) == ([], before)
    sealing.seal(db, keys)
    auditctl("verify", "--key", tmp_path / "seal.key.pub", check=0)
    auditctl("verify", "--everywhere", "--key", tmp_path / "seal.key.pub", check=0)
    for month in ("2020-01", "2020-02"):
        auditctl("restore-archive", month, check=0)
        auditctl("verify", "--key", tmp_path / "seal.key.pub", check=0)
    assert hot(conn) == before
    sealing.seal(db, keys)
    auditctl("archive", "--include-restored", check=0)
    assert auditctl("maintain", check=0).out.count("20 events dropped") == 2
    auditctl("verify", "--everywhere", "--key", tmp_path / "seal.key.pub", check=0)


def test_a_month_that_was_dropped_before_the_log_was_sealed_stays_in_its_files(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    sealing.seal(db, keys)
    assert (
        "the log was sealed after the month 2020-01 was dropped" in auditctl("restore-archive", "2020-01", check=3).err
    )
    auditctl("verify", "--key", tmp_path / "seal.key.pub", check=0)


def test_a_month_with_events_that_are_not_sealed_is_left(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    sealing.seal(db, keys)
    fill(conn, "2020-02")
    left = auditctl("archive", "--to", folder, check=2)
    assert left.out.startswith("2020-01: 20 events")
    assert left.err == (
        "error: 20 events of 2020-02 are not sealed yet\nhint: Seal them first: auditctl seal --key FILE\n"
    )
    assert not [name for name in names(folder) if "2020-02" in name]


def test_a_month_that_was_archived_before_the_log_was_sealed_is_archived_again_with_its_evidence(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    sealing.seal(db, keys)
    assert "changed since it was archived" in auditctl("maintain", check=0).out
    assert len(hot(conn)) == 20
    assert json.loads(auditctl("archive", "--format", "json", check=0).out)[0]["rows"] == 20
    assert any(name.endswith("_evidence.parquet") for name in names(folder))
    assert "20 events dropped" in auditctl("maintain", check=0).out


def test_what_auditctl_recorded_of_itself_stays_in_a_sealed_log_and_is_proved_there(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    # A block of one month, one of two months, and one that has nothing else than what stays.
    key = ("--key", tmp_path / "seal.key.pub")
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01")
    first, look, last = fill_own(conn, "2020-01", "auditctl.retention", "auditctl.lookup", "auditctl.hold")
    sealing.seal(db, keys)
    fill(conn, "2020-01", "2020-02")
    fill_own(conn, "2020-02", "auditctl.retention")
    sealing.seal(db, keys)
    (alone,) = set(fill_own(conn, "2020-01", "auditctl.hold")) - {first, look, last}
    sealing.seal(db, keys)
    before, blocks = hot(conn), read_blocks(conn)
    auditctl("archive", "--to", folder, check=0)
    assert auditctl("maintain", check=0).out.count("of auditctl itself kept") == 2
    assert own(conn, "2020-01") == [first, last, alone]
    sealing.seal(db, keys)
    verified = auditctl("verify", *key, check=0)
    assert "deleted by retention" not in verified.out
    archived = f"61 events of 2020-01 to 2020-02 are in the archive {folder}"
    assert f"{archived}, not read here: verify --everywhere\n" in verified.out
    assert f"{archived}\n" in auditctl("verify", "--everywhere", *key, check=0).out
    for where in ((str(first),), (str(alone),), (str(look), "--archive", folder), (str(first), "--archive", folder)):
        (tmp_path / "proof").unlink(missing_ok=True)
        auditctl("prove", *where, "--output", tmp_path / "proof", check=0)
        auditctl("verify-proof", tmp_path / "proof", *key, check=0)
    with pytest.raises(psycopg.errors.Error), conn.transaction():
        conn.execute("delete from auditctl.event where event_id = %s", [first])
    for month in ("2020-02", "2020-01"):
        auditctl("restore-archive", month, check=0)
        auditctl("verify", *key, check=0)
    assert (hot(conn), own(conn, "2020-01")) == (before, [first, look, last, alone])
    assert [block[7:] for block in read_blocks(conn)[:3]] == [block[7:] for block in blocks]
    sealing.seal(db, keys)
    auditctl("archive", "--include-restored", check=0)
    auditctl("maintain", check=0)
    auditctl("verify", "--everywhere", *key, check=0)
    # What was altered or deleted of what stayed is found.
    conn.execute(DISABLE)
    conn.execute("update auditctl.event set new_values = '{}' where event_id = %s", [first])
    conn.execute("delete from auditctl.event where event_id in (%s, %s)", [last, alone])
    found = auditctl("verify", *key, check=3).out
    assert f"event {first} was altered in block 1: new_values" in found
    assert f"event {alone} is missing from block 3" in found
    assert "missing 2" in found


def test_what_stayed_in_a_sealed_log_expires_later_and_the_rest_comes_back_without_it(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    fill(conn, "2020-01")
    fill_own(conn, "2020-01", "auditctl.retention", "auditctl.hold")
    sealing.seal(db, keys)
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    hold(conn, "shop.item")  # which keeps the files
    keep(conn, "*", "400 days")
    sealing.seal(db, keys)
    assert "2 events deleted" in auditctl("maintain", check=0).out
    sealing.seal(db, keys)

    def verify() -> str:
        done = auditctl("verify", "--key", tmp_path / "seal.key.pub")
        # keep switches guards off to set times in the past.
        assert [line for line in done.out.splitlines() if "event" in line and "was altered" in line] == []
        assert "missing: event" not in done.out
        assert "added:" not in done.out
        return done.out

    found = verify()
    assert "deleted by retention: 2" in found
    assert "20 events of 2020-01 are in the archive" in found
    keep(conn, "*", None)
    assert "20 events restored" in auditctl("restore-archive", "2020-01", check=0).out
    found = verify()
    assert "deleted by retention: 2" in found
    assert "are in the archive" not in found
    sealing.seal(db, keys)
    auditctl("archive", "--include-restored", check=0)
    assert "20 events dropped" in auditctl("maintain", check=0).out
    assert "20 events of 2020-01 are in the archive" in verify()
    assert "20 events restored" in auditctl("restore-archive", "2020-01", check=0).out
    assert "deleted by retention: 2" in verify()

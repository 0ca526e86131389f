"""`auditctl archive` of a sealed log: nothing leaves the database without what proves it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import sealing
from tests.support.archiving import cold, fill, hot, names

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.evidence.sealing_keys import SealingKeys
    from tests.fixtures.command import RunAuditctl


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


def test_a_month_with_events_that_verify_needs_stays_in_the_database(
    db: str, conn: psycopg.Connection, folder: Path, keys: SealingKeys, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01", "2020-02", "2020-03")
    for time, target in (("2020-01-05", "auditctl.rule"), ("2020-02-05", "auditctl.lookup")):
        conn.execute(
            "insert into auditctl.event (occurred_at, actor_kind, target, action) values (%s, 'database', %s, 'EVENT')",
            [f"{time} 00:00+00", target],
        )
    sealing.seal(db, keys)
    left = auditctl("archive", "--to", folder, check=5)
    assert "error: the month 2020-01 has events by which verify knows what was announced in this sealed log" in left.err
    assert [line[:7] for line in left.out.splitlines()] == ["2020-02", "2020-03"]
    auditctl("maintain", check=0)
    assert {
        row[1]
        for row in conn.execute(
            "select occurred_at, to_char(occurred_at, 'YYYY-MM') from auditctl.event where target = 'shop.item'"
        )
    } == {"2020-01"}

"""An archive and the database that it comes from are verified together."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.evidence import key_files
from auditctl.evidence.sealing_keys import SealingKeys
from tests.support import archiving, sealing, verified_archive
from tests.support.archived_months import write_month
from tests.support.retaining import fill, months

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(db: str, conn: psycopg.Connection, tmp_path: Path) -> Path:
    """The archive of a sealed log, of whose three months the first two were recorded."""
    verified_archive.fill_log(db, conn, tmp_path)
    archive = tmp_path / "archive"
    second = verified_archive.read_manifest(archive, str(conn.info.dbname), "2020-02")
    conn.execute(verified_archive.ANNOUNCE, {"month": "2020-02", "digest": second.digest})
    shutil.rmtree(archive / second.key.folder.replace("2020-02", "2020-03"))
    return archive


def test_the_log_records_what_its_archive_has(folder: Path, tmp_path: Path, auditctl: RunAuditctl) -> None:
    def verify(check: int) -> dict[str, Any]:
        key = ("--public-key", tmp_path / "seal.key.pub")
        done = auditctl("verify", "--archive", folder, "--everywhere", *key, "--format", "json", check=check)
        document: dict[str, Any] = json.loads(done.out)
        return document

    report = verify(0)
    assert (report["archive"]["months"], report["archive"]["findings"], report["findings"]) == (2, [], [])
    assert report["archive"]["notes"] == []
    (database,) = folder.iterdir()
    shutil.copytree(database / "month=2020-02", tmp_path / "month=2020-02")
    shutil.rmtree(database / "month=2020-02")
    (finding,) = verify(3)["archive"]["findings"]
    assert "month=2020-02 is missing: event" in finding["sentence"]


def test_a_month_that_no_event_records_and_another_tree_are_found(
    db: str, conn: psycopg.Connection, folder: Path, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-04-01", "2020-04-01")
    fill(conn, "2020-04-01", "a", 3)
    sealing.seal(db, SealingKeys(key_files.read(tmp_path / "seal.key")))
    write_month(db, folder, "2020-04")
    done = auditctl("verify", "--archive", folder, "--everywhere", check=3)
    assert "month=2020-04 was added: no event records it" in done.out
    conn.execute("alter table auditctl.block disable trigger user")
    conn.execute("update auditctl.block set hashes = set_byte(hashes, 7, 0) where number = 1")
    done = auditctl("verify", "--archive", folder, "--everywhere", check=3)
    assert "month=2020-01 has another tree of" in done.out


def test_a_mistyped_path_is_not_taken_for_lost_files(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    archiving.fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", tmp_path / "cold", check=0)
    auditctl("maintain", check=0)
    found = auditctl("verify", "--archive", tmp_path / "cold", check=0).out
    assert f"were compared: database={conn.info.dbname}/month=2020-01 to 2020-02\n" in found
    for command, code in (("log", 3), ("verify", 2)):
        error = auditctl(command, "--everywhere", "--archive", tmp_path / "cool", check=code).err
        assert f"{tmp_path}/cool has no archived month" in error
        assert "hint: Name the folder in which database=NAME is." in error
        assert f"was written to {tmp_path}/cold" in error
        assert "Restore it" not in error

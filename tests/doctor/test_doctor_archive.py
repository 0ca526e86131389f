"""What `doctor` finds about the files of archived months."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from auditctl.archive import inspection
from auditctl.archive.inspection import RecordedMonth
from auditctl.doctor.model import Finding, Severity
from tests.support.archiving import fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl


def broken(auditctl: RunAuditctl) -> list[Finding]:
    found = json.loads(auditctl("doctor", "--format", "json").out)
    return [
        Finding(Severity(one["severity"]), one["check"], one["object"], one["meaning"], one["remedy"])
        for one in found
        if one["check"] == "archive_broken"
    ]


def test_missing_and_altered_files_are_found_and_sound_ones_are_not(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder = tmp_path / "cold"
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", folder, check=0)
    assert broken(auditctl) == []
    remedy = "Restore the files of 2020-01 from a copy of the archive."

    def found(severity: Severity, change: Callable[[Path], object], problem: str) -> None:
        saved = shutil.copytree(folder, tmp_path / "copy")
        (part,) = folder.glob("*/month=2020-01/part-0001.parquet")
        change(part)
        meaning = f"Events of 2020-01 may be lost or changed: {problem.format(part.parent)}."
        assert broken(auditctl) == [Finding(severity, "archive_broken", "month 2020-01", meaning, remedy)]
        shutil.rmtree(folder)
        saved.rename(folder)

    found(Severity.WARNING, lambda part: part.unlink(), "{}/part-0001.parquet is missing")
    auditctl("maintain", check=0)
    assert broken(auditctl) == []
    found(Severity.CRITICAL, lambda part: part.unlink(), "{}/part-0001.parquet is missing")
    found(
        Severity.CRITICAL, lambda part: part.write_bytes(part.read_bytes()[:-1] + b"x"),
        "{}/part-0001.parquet is not as it was written",
    )  # fmt: skip
    found(
        Severity.CRITICAL, lambda part: part.with_name("_manifest.json").unlink(),
        "{}/_manifest.json is missing, as seen from this machine",
    )  # fmt: skip
    found(
        Severity.CRITICAL, lambda part: _replace_manifest(part.with_name("_manifest.json")),
        "{}/_manifest.json is not the manifest that the log recorded",
    )  # fmt: skip


def _replace_manifest(path: Path) -> None:
    """Give it another manifest that fits itself."""
    from auditctl.archive.manifest import digest

    document = {**json.loads(path.read_bytes()), "archived_at": "2020-01-01T00:00:00+00:00"}
    path.write_text(json.dumps({**document, "sha256": digest(document)}))


@pytest.mark.parametrize("location", ["/nonexistent", "ftp://host/x"])
def test_a_place_that_cannot_be_read_is_a_problem_of_each_month(location: str) -> None:
    months = [RecordedMonth(f"2020-0{number}", location, "shop", "0" * 64) for number in (1, 2)]
    assert sorted(inspection.inspect(months, date(2026, 11, 27))) == ["2020-01", "2020-02"]


def test_bytes_of_other_months_are_compared_each_day(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder = tmp_path / "cold"
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", folder, check=0)
    for part in folder.rglob("part-0001.parquet"):
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    rows = conn.execute("select month, location, database, manifest from auditctl.archived_month").fetchall()
    months = [RecordedMonth(*row) for row in rows]
    found = [tuple(inspection.inspect(months, date(2026, 11, day), most=1)) for day in range(1, 20)]
    assert set(found) == {("2020-01",), ("2020-02",)}

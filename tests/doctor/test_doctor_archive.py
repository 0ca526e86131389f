"""What `doctor` finds about the files of archived months."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest
from psycopg import DatabaseError

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


def test_an_archive_that_is_not_there_is_one_finding(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder = tmp_path / "cold"
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    folder.rename(tmp_path / "moved")
    (found,) = broken(auditctl)
    assert (found.severity, found.object) == (Severity.CRITICAL, f"archive {folder}")
    assert found.meaning.startswith(f"Events of 2020-01 to 2020-02 may be lost or changed: {folder}/database=")
    assert found.remedy.startswith("If the archive was moved, state where it is now, as `to` of [archive]")
    conn.execute("select auditctl.set_archiving(%s, null)", [str(tmp_path / "moved")])
    assert broken(auditctl) == []


def _replace_manifest(path: Path) -> None:
    """Give it another manifest that fits itself."""
    from auditctl.archive.manifest import digest

    document = {**json.loads(path.read_bytes()), "archived_at": "2020-01-01T00:00:00+00:00"}
    path.write_text(json.dumps({**document, "sha256": digest(document)}))


@pytest.mark.parametrize("location", ["/nonexistent", "ftp://host/x"])
def test_a_place_that_cannot_be_read_is_a_problem_of_each_month(location: str) -> None:
    months = [RecordedMonth(f"2020-0{number}", location, "shop", "0" * 64) for number in (1, 2)]
    assert sorted(inspection.inspect(months, date(2026, 11, 27))) == ["2020-01", "2020-02"]
    assert [one.months for one in inspection.find_absent(months)] == [("2020-01", "2020-02")]


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


def test_maintain_drops_no_month_whose_files_are_not_there(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", tmp_path / "cold", check=0)
    (part,) = (tmp_path / "cold").glob("*/month=2020-01/part-0001.parquet")
    part.rename(tmp_path / "part")
    warning = f"warning: 2020-01 was archived, and stays in the database: {part} is missing\n"
    due = auditctl("maintain", "--dry-run", "--format", "json", check=0)
    assert [one["partition"] for one in json.loads(due.out)] == ["auditctl.event_2020_02"]
    assert due.err == warning
    done = auditctl("maintain", check=0)
    assert "event_2020_02" in done.out
    assert "event_2020_01" not in done.out
    assert done.err == warning
    (tmp_path / "part").rename(part)
    done = auditctl("maintain", check=0)
    assert "event_2020_01" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"month": "2019-01"}, "the log has no partition for 2019-01"),
        ({"rows": 21}, "were added or changed"),
        ({"rows": None, "fingerprint": None}, "were added or changed"),
        ({"location": ""}, "archived_month_has_a_location"),
        ({"location": "/" * 4097}, "limited to 4 kB"),
        ({"manifest": "m"}, "archived_month_has_digests"),
        ({"content": None}, "null value in column"),
    ],
)
def test_no_archive_is_recorded_that_cannot_be_one(
    conn: psycopg.Connection, changed: dict[str, object], problem: str
) -> None:
    fill(conn, "2020-01")
    found = conn.execute("select * from auditctl.month_fingerprint('2020-01')").fetchone()
    assert found is not None
    values = {"month": "2020-01", "location": "/srv", "database": "shop", "rows": found[0], "fingerprint": found[1]}
    values |= {"content": "0" * 64, "manifest": "0" * 64, "proved": False, **changed}
    with pytest.raises(DatabaseError, match=problem):
        conn.execute(
            "select auditctl.record_archive(%(month)s, %(location)s, %(database)s, %(rows)s, %(fingerprint)s,"
            " %(content)s, %(manifest)s, %(proved)s)",
            values,
        )

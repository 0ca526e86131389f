"""`[archive]` in the file: where months are archived, and which ones stay in the database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.archive.settings import Settings
from auditctl.capture.config import document
from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect, fetch_value
from tests.support.archiving import fill, month_folder
from tests.support.doctoring import found

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


def section(folder: Path, keep_hot: str = "") -> str:
    """A file with nothing but [archive]."""
    return f'table = []\n[archive]\nto = "{folder}"\n' + (f'keep_hot = "{keep_hot}"\n' if keep_hot else "")


def test_the_section_is_planned_applied_recorded_and_printed(db: str, tmp_path: Path, auditctl: RunAuditctl) -> None:
    file = section(tmp_path, "6 Months")
    assert document.load(file, "x").archive == Settings(str(tmp_path), "6 months")
    sentence = f"Months that ended more than 6 months ago are archived to {tmp_path}."
    assert auditctl("plan", "-", input=file, check=0).out == f"CREATE  [archive]  {sentence}\n"
    assert auditctl("check", "-", input=file).code == 3
    auditctl("apply", "-", input=file, check=0)
    printed = auditctl("config", check=0).out
    assert f'[archive]\nto = "{tmp_path}"\nkeep_hot = "6 months"\n' in printed
    assert auditctl("plan", "-", input=printed, check=0).out == ""
    assert auditctl("plan", "-", input="table = []", check=0).out == ""
    ended = "table = []\n[archive]\n"
    assert auditctl("plan", "-", input=ended).out == "DROP    [archive]  The file states nothing about archives.\n"
    auditctl("apply", "-", input=ended, check=0)
    assert "[archive]" not in auditctl("config", check=0).out
    with connect(db) as conn:
        assert conn.execute(
            "select target_id, action::text, coalesce(new_values, old_values) - '{set_at,set_by}'::text[] "
            "from auditctl.event where target = 'auditctl.archiving' order by event_id"
        ).fetchall() == [
            ("archive", action, {"name": "archive", "location": str(tmp_path), "keep_hot": "6 months"})
            for action in ("CREATE", "DELETE")
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("to = 7", "archive.to: must be a string that is not empty"),
        ('to = "cold"', "archive.to: 'cold' is not an absolute path. Name a folder"),
        ('to = "s3://key:secret@bucket/x"', "archive.to: this is not the s3:// path of an archive. It is s3://BUCKET"),
        ('to = "ftp://host/x"', "archive.to: no archive can be kept at ftp://"),
        ('keep_hot = "forever"', "archive.keep_hot: forever would archive nothing"),
        ('keep_hot = "6"', "archive.keep_hot: '6' is not a time to keep events"),
        ('hot = "6 months"', "archive.hot: unknown key"),
    ],
)
def test_mistakes_in_the_section_are_reported(text: str, message: str) -> None:
    read = document.load(f"table = []\n[archive]\n{text}\n", "audit.toml")
    assert [problem.replace('"', "'") for problem in read.problems if message in problem.replace('"', "'")]
    assert read.archive is None


@pytest.mark.parametrize(
    "values",
    [
        "'s3://key:secret@bucket/x', null", "'s3://bucket/x?key=secret', null", "'cold', null", "'', null",
        "e'/a\\nb', null", "'/a', 'forever'", "'/a', '6'",
    ],
)  # fmt: skip
def test_the_database_takes_neither_credentials_nor_what_is_no_place_or_time(
    conn: psycopg.Connection, values: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        conn.execute(f"select auditctl.set_archiving({values})")


def test_archive_takes_place_and_time_from_the_file_and_options_override_them(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    fill(conn, "2020-01", "2020-02")
    stated, other = tmp_path / "stated", tmp_path / "other"
    auditctl("apply", "-", input=section(stated, "999 years"), dsn=admin.dsn, check=0)
    assert fetch_value(admin.dsn, "select set_by from auditctl.archiving") == admin.name
    assert auditctl("archive", dsn=admin.dsn, check=0).err == "Nothing to archive.\n"
    auditctl("archive", "--before", "2020-02-01", dsn=admin.dsn, check=0)
    assert month_folder(conn, stated).is_dir()
    auditctl("archive", "--to", other, "--keep-hot", "1 year", dsn=admin.dsn, check=0)
    assert month_folder(conn, other, "2020-02").is_dir()
    assert not month_folder(conn, stated, "2020-02").exists()
    assert auditctl("archive", "--to", "", dsn=admin.dsn, check=2).err.startswith(
        "error: the path of the archive is empty"
    )


def test_an_archive_that_was_moved_is_found_where_the_file_says_that_it_is(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    was, moved = tmp_path / "was", tmp_path / "moved"
    auditctl("archive", "--to", was, check=0)
    auditctl("maintain", check=0)
    shutil.move(was, moved)
    assert auditctl("log", "--everywhere", "--target", "shop.item").code == 3
    auditctl("apply", "-", input=section(moved), check=0)
    read = auditctl("log", "--everywhere", "--target", "shop.item", "--format", "csv", check=0)
    assert read.out.count("shop.item") == 20
    assert "archive_broken" not in auditctl("doctor", "--format", "json").out
    assert "1 month, 1 file" in auditctl("verify", "--everywhere", check=0).out
    auditctl("restore-archive", "2020-01", check=0)


def test_a_month_that_is_not_archived_in_time_is_found(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    def late() -> list[Finding]:
        return [finding for finding in found(db) if finding.check == "archive_late"]

    fill(conn, "2020-01", "2020-02", "2020-03")
    auditctl("apply", "-", input=section(tmp_path), check=0)
    assert late() == []
    conn.execute("update auditctl.archiving set set_at = now() - interval '3 days'")
    assert late() == [
        Finding(
            Severity.NOTICE, "archive_late", "auditctl.archiving",
            f"The file has months archived to {tmp_path}, but 3 months from 2020-01 to 2020-03 are not: "
            "archive does not run.",
            "auditctl archive",
        )
    ]  # fmt: skip
    auditctl("archive", "--before", "2020-03", check=0)
    assert [one.meaning.split(", ")[1] for one in late()] == ["but events of 2020-03 are not: archive does not run."]
    auditctl("archive", check=0)
    assert late() == []

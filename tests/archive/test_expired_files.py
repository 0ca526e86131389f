"""Retention deletes the files of archived months, and holds keep them."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.archive import expiry
from auditctl.archive.month_deletion import MonthDeletion
from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect, fetch_value
from tests.support import sealing
from tests.support.archiving import FILL, fill, month_folder, names
from tests.support.doctoring import found
from tests.support.retaining import hold, keep, months

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

DELETED = "select month, deleted_at is not null from auditctl.archived_month where expired_at is not null order by 1"


@pytest.fixture
def cold(conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl) -> Path:
    """An archive of two months, which maintain has dropped."""
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", tmp_path / "cold", check=0)
    auditctl("maintain", check=0)
    return tmp_path / "cold"


def test_the_files_of_a_month_are_deleted_when_its_time_is_over(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    keep(conn, "*", "1 year")
    digest = json.loads((month_folder(conn, cold) / "_manifest.json").read_bytes())["sha256"]
    due = json.loads(auditctl("maintain", "--dry-run", "--format", "json", check=0).out)
    assert [one for one in due if one["step"] == "delete"] == [
        {
            "step": "delete", "partition": f"month 2020-0{month}", "dropped": 20, "kept": 0,
            "reason": f"All its events have expired; its files are in {cold}.",
        }
        for month in (1, 2)
    ]  # fmt: skip
    done = auditctl("maintain", dsn=admin.dsn, check=0)
    assert [line for line in done.out.splitlines() if "2020" in line] == [
        f"2020-0{month}: 20 events deleted from {cold}; their time is over." for month in (1, 2)
    ]
    assert names(cold) == []
    assert conn.execute(DELETED).fetchall() == [("2020-01", True), ("2020-02", True)]
    assert conn.execute(
        "select db_user, target_id, new_values, context ->> 'summary' from auditctl.event "
        "where target = 'auditctl.archive' and new_values ? 'deleted_manifest' order by event_id limit 1"
    ).fetchone() == (
        admin.name, "2020-01",
        {
            "month": "2020-01", "rows": 20, "location": str(cold), "database": conn.info.dbname,
            "deleted_manifest": digest, "kept_files": [],
        },
        "expired month deleted from the archive",
    )  # fmt: skip
    assert "shop.item" not in auditctl("log", "--everywhere", check=0).out
    assert "2020-01" not in auditctl("maintain", "--dry-run", check=0).out


def test_what_is_kept_longer_by_one_target_keeps_the_month_whole(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    conn.execute(FILL, ["2020-01-03 00:00+00", 3])
    conn.execute(FILL.replace("shop.item", "shop.contract"), ["2020-01-04 00:00+00", 3])
    auditctl("archive", "--to", tmp_path, check=0)
    auditctl("maintain", check=0)
    keep(conn, "*", "1 year")
    keep(conn, "shop.contract", "90 years")
    before = names(tmp_path)
    auditctl("maintain", check=0)
    assert names(tmp_path) == before


def test_a_shorter_time_counts_for_files_only_after_others_could_notice_it(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl
) -> None:
    before = names(cold)
    keep(conn, "*", "1 year", noticed=False)
    auditctl("maintain", check=0)
    assert names(cold) == before


@pytest.mark.parametrize("key", [None, "7"])
def test_a_hold_keeps_the_files_of_every_month_with_events_of_its_target(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, key: str | None
) -> None:
    keep(conn, "*", "1 year")
    before = names(cold)
    placed = auditctl("hold", "add", "shop.item", *(["--id", key] if key else []), "--reason", "case 7", check=0)
    assert placed.err == (
        "Placed hold 1: it keeps 0 events now, and the files of 2 archived months with events of shop.item.\n"
    )
    auditctl("maintain", check=0)
    assert names(cold) == before
    assert [one.check for one in found(conn.info.dsn) if one.check == "hold_empty"] == []


def test_a_hold_that_is_being_placed_is_waited_for(db: str, conn: psycopg.Connection, cold: Path) -> None:
    keep(conn, "*", "1 year")
    before = names(cold)
    with connect(db) as other, other.transaction():
        hold(other, "shop.item")
        done = list(expiry.run(conn))
    assert ["a hold, a retention time" in one.problem for one in done] == [True, True]
    assert list(expiry.run(conn)) == []
    assert names(cold) == before


@pytest.mark.parametrize("step", ["begin", "remove", "end", "announce"])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    keep(conn, "*", "1 year")
    with monkeypatch.context() as patched, suppress(Killed):
        if step == "announce":
            patched.setattr(expiry, "_announce", kill)
        else:
            patched.setattr(MonthDeletion, step, kill)
        list(expiry.run(conn))
    announced = fetch_value(conn.info.dsn, "select count(*) from auditctl.archived_month where expired_at is not null")
    assert announced == (0 if step == "announce" else 1)
    assert auditctl("verify", "--archive", cold).code == 0
    auditctl("maintain", check=0)
    assert [name for name in names(cold) if step != "end"] == []
    assert conn.execute(DELETED).fetchall() == [("2020-01", True), ("2020-02", True)]
    assert conn.execute(
        "select count(*) from auditctl.event where target = 'auditctl.archive' and new_values ? 'deleted_manifest'"
    ).fetchone() == (2,)
    fill(conn, "2020-01")
    auditctl("archive", "--to", cold, check=0)
    assert [name.rpartition("/")[2] for name in names(cold)] == ["_manifest.json", "part-0001.parquet"]


def _alter(folder: Path) -> None:
    with (folder / "part-0001.parquet").open("ab") as part:
        part.write(b"x")


@pytest.mark.parametrize(
    ("change", "left"),
    [(_alter, "part-0001.parquet"), (lambda folder: (folder / "notes.txt").write_text("x"), "notes.txt")],
    ids=["altered", "foreign"],
)
def test_altered_and_foreign_files_stay_and_are_named(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, change: Callable[[Path], object], left: str
) -> None:
    folder = month_folder(conn, cold)
    change(folder)
    keep(conn, "*", "1 year")
    done = auditctl("maintain", check=0)
    assert f"warning: these files stay, as they are not what auditctl wrote: {folder / left}\n" in done.err
    assert names(cold) == [str((folder / left).relative_to(cold))]


def _gone(folder: Path) -> None:
    shutil.rmtree(folder.parent.parent)


def _other(folder: Path) -> None:
    manifest = folder / "_manifest.json"
    manifest.write_text(manifest.read_text().replace("2020-01", "2020-02"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_gone, "{} is missing, as seen from this machine"),
        (_other, "_manifest.json is the manifest of"),
        (lambda folder: (folder / "_manifest.json").unlink(), "{}/_manifest.json is missing"),
    ],
    ids=["out of reach", "altered manifest", "no manifest"],
)
def test_a_month_whose_manifest_is_not_there_stays_and_the_others_go(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, change: Callable[[Path], object], problem: str
) -> None:
    folder = month_folder(conn, cold)
    change(folder)
    keep(conn, "*", "1 year")
    left = [name for name in names(cold) if "2020-01" in name]
    done = auditctl("maintain", check=0)
    assert f"warning: 2020-01 has expired, but its files in {cold} stay: " in done.err
    assert problem.format(folder) in done.err
    assert names(cold) == left
    assert conn.execute(
        "select count(*) from auditctl.archived_month where month = '2020-01' and expired_at is null"
    ).fetchone() == (1,)
    meaning = (
        f"The files of 2020-01 in {cold} should have been deleted: maintain does not run where they can be reached, or"
        " they are not what was written."
    )
    finding = Finding(Severity.WARNING, "archive_expired", "month 2020-01", meaning, "auditctl maintain")
    assert finding in found(conn.info.dsn)


def test_files_that_another_database_wrote_stay(
    conn: psycopg.Connection, cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(conn, "*", "1 year")
    before = names(cold)
    monkeypatch.setattr("auditctl.archive.origin.read", lambda _conn: {"system_identifier": "1", "database_oid": 1})
    assert {"is of another database" in one.problem for one in expiry.run(conn)} == {True}
    assert names(cold) == before


def test_the_database_announces_no_month_that_has_not_expired(
    conn: psycopg.Connection, cold: Path, login: MakeLogin
) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        assert session.execute("select auditctl.announce_expiry(1, '{}'), auditctl.end_expiry(1)").fetchone() == (
            None,
            None,
        )
        assert session.execute(DELETED).fetchall() == []
        with pytest.raises(psycopg.Error):
            session.execute("update auditctl.archived_month set expired_at = now()")
    with pytest.raises(psycopg.Error, match="what was archived stays on record"):
        conn.execute("update auditctl.archived_month set archived_at = now()")


def test_archive_deletes_expired_files_too(conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl) -> None:
    keep(conn, "*", "1 year")
    done = auditctl("archive", check=0)
    assert f"2020-01: 20 events deleted from {cold}; their time is over.\n" in done.err
    assert names(cold) == []


def test_a_sealed_log_verifies_after_the_files_of_a_month_are_deleted(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    keys = sealing.make_keys(tmp_path)
    fill(conn, "2020-01")
    months(conn, "2020-02-01", "2020-02-01")
    conn.execute(FILL.replace("shop.item", "shop.contract"), ["2020-02-04 00:00+00", 3])
    sealing.seal(db, keys)
    auditctl("archive", "--to", tmp_path / "cold", check=0)
    auditctl("maintain", check=0)
    key = ("--key", tmp_path / "seal.key.pub")
    assert "23 events of 2020-01 to 2020-02 are in the archive" in str(auditctl("verify", *key, check=0))
    keep(conn, "*", "1 year")
    keep(conn, "shop.contract", "90 years")
    auditctl("maintain", check=0)
    assert {name.split("/")[1] for name in names(tmp_path / "cold")} == {"month=2020-02"}
    sealing.seal(db, keys)
    for place in ((), ("--everywhere",)):
        report = json.loads(auditctl("verify", *place, *key, "--format", "json").out)
        # The test let time pass by switching guards off and on, which is found.
        assert {one["kind"] for one in report["findings"]} == {"capture"}
        assert report.get("archive", {"findings": []})["findings"] == []
    said = str(auditctl("verify", *key))
    assert "deleted by retention: 20" in said
    assert "3 events of 2020-02 are in the archive" in said

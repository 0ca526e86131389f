"""Commands that read an archive alone: without a server they print what the log printed before."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import archive_month
from tests.support.drawn_events import draw_event, fill
from tests.support.recorded import START, Recorded, ids, label, record, switch_lookups_off

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import Result, RunAuditctl

MONTHS = ("2026-03", "2026-04", "2026-05")
UNTIL = ("--until", "2026-06-01")

ODD = """
    update drawn set db_user = 'app' where db_user is null;
    update drawn set occurred_at = timestamptz '2026-04-01 00:00+00' + event_id %% 1000 * interval '7 minutes',
           event_id = 1000000 + event_id, target = case when target = '' then '=x' else target end;
    update drawn set action = 'EVENT'
     where 'object' <> any (array[jsonb_typeof(old_values), jsonb_typeof(new_values), jsonb_typeof(context)]);
    insert into auditctl.event overriding system value select * from drawn
"""


def prepare(dsn: str) -> None:
    """Three months of events, the middle one with odd values."""
    draw = random.Random(3)
    with connect(dsn) as conn:
        switch_lookups_off(conn)
        label(conn, "billing.customer", "Customer")
        times = [START.replace(month=month) + timedelta(hours=hour) for month in (3, 4, 5) for hour in (0, 1, 1, 2)]
        record(conn, *(Recorded(at=time, target_id=str(number % 3)) for number, time in enumerate(times)))
        fill(conn, [draw_event(draw, number) for number in range(1, 120)])
        conn.execute(ODD.replace("%%", "%").encode())


db_template = begin_with(prepare)


@pytest.fixture
def folder(db: str, tmp_path: Path) -> Path:
    """The archive of all three months."""
    with connect(db) as conn:
        for month in MONTHS:
            archive_month(conn, tmp_path / "archive", month)
    return tmp_path / "archive"


@pytest.fixture
def alone(auditctl: RunAuditctl, folder: Path) -> RunAuditctl:
    """Runs a command with the archive, and without any server."""

    def run(*args: str | Path, check: int | None = 0, **_: object) -> Result:
        return auditctl(*args, "--archive", folder, env={"AUDITCTL_DSN": "host=/nonexistent"}, check=check)

    return run


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "csv"), ("--format", "csv", "--raw", "--order", "desc"), ("--format", "jsonl"),
        ("--format", "jsonl", "--order", "desc", "--columns", "user,details,created_on"), ("--format", "csv-excel"),
        ("--format", "ocsf"), ("--format", "csv", "--target", "Customer", "--action", "update"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_export_is_that_of_the_log_byte_for_byte(
    auditctl: RunAuditctl, alone: RunAuditctl, tmp_path: Path, options: tuple[str, ...]
) -> None:
    auditctl("export", *options, *UNTIL, "--output", "before", check=0)
    done = alone("export", *options, *UNTIL, "--output", "after")
    before, after = ((tmp_path / name).read_bytes() for name in ("before", "after"))
    assert after == before
    assert len(before) > 1000
    assert done.err.startswith("Exported ")


@pytest.mark.parametrize("options", [(), ("--wide",), ("--format", "json"), ("--format", "csv")], ids=" ".join)
def test_the_log_is_printed_as_from_the_server(
    auditctl: RunAuditctl, alone: RunAuditctl, options: tuple[str, ...]
) -> None:
    before = auditctl("log", *options, *UNTIL, "--limit", "200", check=0)
    after = alone("log", *options, *UNTIL, "--limit", "200")
    assert after.out == before.out
    assert after.err == ""


def test_pages_follow_their_cursors(alone: RunAuditctl) -> None:
    whole = ids(alone("log", "--format", "jsonl", "--limit", "1000").out)
    read: list[int] = []
    after: list[str] = []
    while True:
        page = alone("log", "--format", "jsonl", "--limit", "50", *after)
        read += ids(page.out)
        if not page.err:
            break
        after = ["--after", page.err.split("--after ")[1].strip()]
    assert read == whole
    assert len(read) == 131


def test_one_event_is_shown(auditctl: RunAuditctl, alone: RunAuditctl) -> None:
    for options in ((), ("--format", "json")):
        assert alone("show", "5", *options).out == auditctl("show", "5", *options, check=0).out
    missing = alone("show", "99999", check=2)
    assert "event 99999 is not in the archive" in missing.err


def test_a_history_is_that_of_the_log(auditctl: RunAuditctl, alone: RunAuditctl) -> None:
    for options in ((), ("--order", "desc"), ("--format", "csv")):
        before = auditctl("history", "Customer", "1", *options, check=0)
        assert alone("history", "Customer", "1", *options).out == before.out
        assert before.out.count("\n") > 3
    assert alone("history", "Customer", "77").err.startswith("No events of Customer 77.")


def test_several_databases_have_a_column_of_their_own(
    db: str, auditctl: RunAuditctl, alone: RunAuditctl, folder: Path
) -> None:
    with connect(db) as conn:
        archive_month(conn, folder, "2026-05", database="other")
    found = alone("log", "--format", "jsonl", "--limit", "3")
    events = [json.loads(line) for line in found.out.splitlines()]
    assert [event["database"] for event in events] == ["shop", "other", "shop"]
    assert list(events[0])[-1] == "database"
    more = alone("log", "--format", "jsonl", "--limit", "1", "--after", found.err.split("--after ")[1].strip())
    assert json.loads(more.out)["database"] == "other"
    assert alone("log", "--wide").out.startswith("database ")
    assert alone("log", "--format", "csv").out.splitlines()[0].endswith(",context,database")
    assert "database" not in alone("log", "--format", "jsonl", "--database", "other").out
    assert "several databases" in alone("history", "Customer", "1", check=2).err
    assert "does not say of which database" in alone("log", "--format", "ocsf", check=2).err
    assert "has no database" in alone("log", "--database", "none", check=2).err
    assert alone("log", "--columns", "database,event_id", "--format", "csv", "--limit", "1").out.endswith("shop,14\n")


def test_a_name_that_no_event_has_is_asked_about(alone: RunAuditctl) -> None:
    assert alone("log", "--user", "alcie").err == "No events.\nhint: Did you mean alice?\n"
    assert "knows no table" in alone("log", "--target", "Custmer", check=2).err
    assert alone("log", "--not-user", "nobody", "--limit", "1").err.count("Nobody is called nobody") == 1


def test_an_altered_file_ends_with_3_and_its_name(alone: RunAuditctl, folder: Path) -> None:
    path = folder / "database=shop/month=2026-04/part-0001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    failed = alone("export", "--output", "none.csv", check=3)
    assert "month=2026-04/part-0001.parquet was altered" in failed.err
    assert not (folder.parent / "none.csv").exists()
    path.unlink()
    assert "month=2026-04/part-0001.parquet is missing" in alone("log", "--limit", "1000", check=3).err


def test_a_month_that_was_copied_without_its_manifest_is_named(alone: RunAuditctl, folder: Path) -> None:
    assert "not read" not in alone("log", "--limit", "1", check=0).err
    (manifest,) = folder.glob("*/month=2026-04/_manifest.json")
    manifest.unlink()
    done = alone("log", "--since", "2026-04-01", "--until", "2026-05-01", check=0)
    assert done.out == ""
    assert "2026-04 of " in done.err
    assert "is not read without a manifest: a month is being archived, or was not copied whole" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("log", "--engine", "duckdb"), "--engine needs --archive PATH"),
        (("log", "--database", "x"), "--database needs --archive PATH"),
        (("log", "--everywhere", "--database", "x"), "--database does not go with --everywhere"),
        (("log", "--archive", "a", "--view", "x"), "--view does not go with --archive"),
        (("log", "--archive", "a", "--transactions"), "--transactions does not go with --archive"),
        (("log", "--columns", "database"), "the column database is of archives alone"),
        (("export", "--archive", "a", "--manifest", "-o", "x"), "--manifest does not go with --archive"),
        (("export", "--archive", "a", "--committed-since", "start"), "--committed-since does not go with --archive"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_have_no_meaning_are_refused(
    auditctl: RunAuditctl, options: tuple[str, ...], message: str
) -> None:
    assert message in auditctl(*options, env={"AUDITCTL_DSN": None}, check=2).err


def test_a_folder_without_months_is_an_empty_archive_and_each_command_says_so(
    auditctl: RunAuditctl, tmp_path: Path
) -> None:
    place = ("--archive", tmp_path / "none")
    nowhere = {"AUDITCTL_DSN": "host=/nonexistent"}
    for words in (("log",), ("export",), ("stats",)):
        done = auditctl(*words, *place, env=nowhere, check=0)
        assert f"warning: {tmp_path / 'none'} has no archived month" in done.err
    done = auditctl("history", "Customer", "7", *place, env=nowhere, check=2)
    assert f"the archive {tmp_path / 'none'} knows no table 'Customer'" in done.err
    assert "It is empty." in done.err
    done = auditctl("prove", "7", *place, "--output", tmp_path / "p", env=nowhere, check=2)
    assert f"event 7 is not in the archive {tmp_path / 'none'}" in done.err


@pytest.mark.parametrize("words", [("log", "--everywhere"), ("stats", "--archive", "cold")], ids=" ".join)
def test_without_the_libraries_of_the_extra_a_command_says_what_to_install(
    auditctl: RunAuditctl, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(name='pyarrow')")
    done = auditctl(*words, env={"PYTHONPATH": str(tmp_path)}, check=2)
    assert done.err.endswith("needs pyarrow, which is not installed\nhint: Run: pip install 'auditctl[archive]'\n")

"""Values of an event that is in files alone are erased by writing its month anew, in place of the old files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from auditctl.archive import erasure, everywhere, month_rewriter
from auditctl.archive.folder import Folder
from auditctl.archive.month_files import MonthFiles
from auditctl.archive.parts import PartWriter
from auditctl.database import connect
from auditctl.errors import OutputError
from tests.support import sealing
from tests.support.archiving import fill, hot, month_folder, names, recorded
from tests.support.retaining import hold

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.archive.archive import Month
    from auditctl.archive.manifest import Manifest
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def values(folder: Path, column: str = "new_values") -> dict[int, str]:
    found: dict[int, str] = {}
    for path in folder.glob("*/*/part-*.parquet"):
        table = pq.read_table(path, columns=["event_id", column], partitioning=None)
        assert not found.keys() & set(table["event_id"].to_pylist())
        found |= dict(zip(table["event_id"].to_pylist(), table[column].to_pylist(), strict=True))
    return found


def content(folder: Path) -> str:
    """All that files of Parquet have, as text."""
    return str([pq.read_table(path, partitioning=None).to_pylist() for path in sorted(folder.rglob("*.parquet"))])


@pytest.fixture
def cold(conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl) -> Path:
    fill(conn, "2020-01")
    auditctl("archive", "--to", tmp_path / "cold", check=0)
    auditctl("maintain", check=0)
    return tmp_path / "cold"


ERASE = ("--reason", "request 7", "--yes")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_values_of_an_archived_event_are_erased_from_its_file(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl, *, is_sealed: bool
) -> None:
    folder, keys = tmp_path / "archive", sealing.make_keys(tmp_path)
    fill(conn, "2020-01")
    if is_sealed:
        sealing.seal(db, keys)
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    assert hot(conn) == []
    before = values(folder)
    number = sorted(before)[6]
    dry = auditctl("erase", "--event", str(number), "--reason", "request 7", "--dry-run", check=0)
    assert '{"n": 7, "price": 1.50}' in dry.out
    assert values(folder) == before
    done = auditctl("erase", "--event", str(number), *ERASE, check=0)
    assert f"Written anew without them: {month_folder(conn, folder)}." in done.err
    assert values(folder) == {**before, number: '{"$erased": true}'}
    assert [name.rsplit("/", 1)[1] for name in names(folder)] == [
        *(["_evidence-0002.parquet"] if is_sealed else []), "_manifest.json", "part-0002.parquet",
    ]  # fmt: skip
    assert '"n": 7,' not in content(folder)
    if is_sealed:
        sealing.seal(db, keys)
    key = ("--public-key", tmp_path / "seal.key.pub") if is_sealed else ()
    checked = auditctl("verify", "--everywhere", *key, check=0)
    assert f"note: of event {number}, " in checked.out or not is_sealed
    auditctl("verify", "--archive", folder, check=0)
    shown = auditctl("log", "--everywhere", "--target", "shop.item", "--format", "jsonl", "--limit", "100", check=0)
    events = {one["event_id"]: one for one in map(json.loads, shown.out.splitlines())}
    assert len(events) == 20
    assert events[number]["new_values"] == {"$erased": True}
    again = auditctl("erase", "--event", str(number), *ERASE, check=0)
    assert "Nothing to erase" in again.err
    second = auditctl("erase", "--event", str(number), "--column", "target_id", "--column", "ip", *ERASE, check=0)
    tables = ["auditctl.key_change", *(["auditctl.block", "auditctl.erasure"] if is_sealed else [])]
    assert f"vacuum (full, analyze) {', '.join(tables)};" in second.err
    if is_sealed:
        sealing.seal(db, keys)
        auditctl("verify", "--everywhere", *key, check=0)
    auditctl("restore-archive", "2020-01", check=0)
    assert len(hot(conn)) == 20
    if is_sealed:
        sealing.seal(db, keys)
        auditctl("verify", *key, check=0)


def test_only_the_part_with_the_event_is_written_anew(
    conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cold"
    monkeypatch.setattr("auditctl.archive.parts.GROUP_ROWS", 8)
    original = PartWriter.__init__

    def small(self: PartWriter, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        self.part_bytes = 1

    monkeypatch.setattr(PartWriter, "__init__", small)
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    month = month_folder(conn, folder)
    kept = {path.name: path.read_bytes() for path in month.glob("part-*")}
    assert sorted(kept) == ["part-0001.parquet", "part-0002.parquet", "part-0003.parquet"]
    numbers = sorted(values(folder))
    auditctl("erase", "--event", str(numbers[9]), "--event", str(numbers[11]), "--column", "price", *ERASE, check=0)
    del kept["part-0002.parquet"]
    found = {path.name: path.read_bytes() for path in month.glob("part-*")}
    assert found.pop("part-0004.parquet")
    assert found == kept
    assert json.loads(values(folder)[numbers[9]]) == {"n": 10, "price": {"$erased": True}}
    auditctl("verify", "--archive", folder, check=0)


def test_a_hold_keeps_archived_events(conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl) -> None:
    before = names(cold), values(cold)
    number = str(min(before[1]))
    hold(conn, "shop.item")
    refused = auditctl("erase", "--event", number, *ERASE, check=5)
    assert f"event {number} is under hold 1" in refused.err
    assert (names(cold), values(cold)) == before
    assert [row[3] for row in recorded(conn)] == [False]


@pytest.mark.parametrize("step", ["mark", "_write_part", "_write_evidence", "_compare", "settle", "finish"])
def test_an_erasure_that_is_killed_is_finished_or_undone_by_the_next_run(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = values(cold)
    number = min(before)
    kind = MonthFiles if hasattr(MonthFiles, step) else month_rewriter.MonthRewriter
    original = getattr(kind, step)

    def killed(self: object, *args: object) -> object:
        if step == "mark":
            original(self, *args)
        raise SystemExit(99)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_undo", lambda *_: None)
        patch.setattr(kind, step, killed)
        if step == "settle":
            patch.setattr("auditctl.archive.dropped_months.settle", lambda *_: [])
        auditctl("erase", "--event", str(number), *ERASE, check=99)
    is_recorded = step in ("settle", "finish")
    shown = auditctl("log", "--everywhere", "--target", "shop.item", "--format", "jsonl", "--limit", "100", check=0)
    events = {one["event_id"]: one["new_values"] for one in map(json.loads, shown.out.splitlines())}
    assert len(shown.out.splitlines()) == 20
    assert (events[number] == {"$erased": True}) is is_recorded
    assert "is being written anew" in auditctl("verify", "--archive", cold).out
    if is_recorded:
        auditctl("maintain", check=0)
    else:
        auditctl("erase", "--event", str(number), *ERASE, check=0)
    assert values(cold) == {**before, number: '{"$erased": true}'}
    assert [name.rsplit("/", 1)[1][:4] for name in names(cold)] == ["_man", "part"]
    auditctl("verify", "--archive", cold, check=0)


def test_new_files_that_another_run_removes_end_the_erasure_before_it_is_recorded(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = values(cold)
    write = month_rewriter.MonthRewriter.write

    def undone(self: month_rewriter.MonthRewriter) -> Manifest:
        manifest = write(self)
        self.folder.settle(self.month.record.manifest)
        return manifest

    with monkeypatch.context() as patch:
        patch.setattr(month_rewriter.MonthRewriter, "write", undone)
        failed = auditctl("erase", "--event", str(min(before)), *ERASE, check=3)
    assert "was removed meanwhile" in failed.err
    assert values(cold) == before
    assert conn.execute("select count(*) from auditctl.erasure").fetchone() == (0,)
    auditctl("erase", "--event", str(min(before)), *ERASE, check=0)


def test_nothing_in_the_log_tells_a_guess_of_an_erased_value_by_its_part_of_a_sum(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl
) -> None:
    done = auditctl("erase", "--event", str(min(values(cold))), *ERASE, check=0)
    assert "other archived events may have the values, too" in done.err
    query = "select ended_at is null, fingerprint = 0 from auditctl.archived_month order by archive_id"
    assert conn.execute(query).fetchall() == [(False, True), (True, False)]


def test_a_reader_whose_snapshot_is_older_than_an_erasure_reads_the_new_files(
    db: str, cold: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = min(values(cold))
    opened, waiting = everywhere._opened, [number]

    def late(*args: Any) -> Month:
        while waiting:
            with connect(db) as conn:
                erasure.erase(conn, [waiting.pop()], [], "request 7")
        return opened(*args)

    monkeypatch.setattr(everywhere, "_opened", late)
    shown = auditctl("log", "--everywhere", "--target", "shop.item", "--format", "jsonl", "--limit", "100", check=0)
    events = {one["event_id"]: one["new_values"] for one in map(json.loads, shown.out.splitlines())}
    assert (len(events), events[number], waiting) == (20, {"$erased": True}, [])


@pytest.mark.parametrize("name", ["part-0001.parquet", "_manifest.json"])
def test_nothing_is_erased_from_files_that_were_altered(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, name: str
) -> None:
    number = str(min(values(cold)))
    path = month_folder(conn, cold) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    before = {path.name: path.read_bytes() for path in path.parent.iterdir()}
    auditctl("erase", "--event", number, *ERASE, check=3)
    assert {path.name: path.read_bytes() for path in path.parent.iterdir()} == before
    assert [row[3] for row in recorded(conn)] == [False]
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.erasure'").fetchone() == (0,)


def test_an_erasure_whose_old_files_cannot_be_replaced_says_that_it_is_recorded(
    conn: psycopg.Connection, cold: Path, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object) -> None:
        raise OutputError("cannot write _manifest.json: Permission denied")

    number = min(values(cold))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "replace", refused)
        failed = auditctl("erase", "--event", str(number), *ERASE, check=1)
    assert "the erasure is recorded, but the old files are still there" in failed.err
    assert "auditctl maintain" in failed.err
    auditctl("maintain", check=0)
    assert values(cold)[number] == '{"$erased": true}'
    auditctl("verify", "--archive", cold, check=0)


def test_events_of_several_months_and_of_the_table_are_erased_at_once_and_stay_proved(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    folder, keys = tmp_path / "archive", sealing.make_keys(tmp_path)
    for month in ("2020-01", "2020-02", "2020-03"):
        fill(conn, month)
    sealing.seal(db, keys)
    auditctl("archive", "--to", folder, "--before", "2020-03-01", check=0)
    auditctl("maintain", check=0)
    before = values(folder)
    (own,) = conn.execute("select min(event_id) from auditctl.event where target = 'shop.item'").fetchone() or (0,)
    chosen = [min(before), max(before), own]
    numbers = [part for number in chosen for part in ("--event", str(number))]
    evidence = min(folder.rglob("_evidence*"))
    data = evidence.read_bytes()
    evidence.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    auditctl("erase", *numbers, "--column", "price", *ERASE, check=3)
    assert values(folder) == before
    evidence.write_bytes(data)
    auditctl("erase", *numbers, "--column", "price", *ERASE, check=0)
    after = values(folder)
    assert [number for number in before if after[number] != before[number]] == chosen[:2]
    sealing.seal(db, keys)
    auditctl("verify", "--everywhere", "--public-key", tmp_path / "seal.key.pub", check=0)
    for number in chosen[:2]:
        proof = tmp_path / f"{number}.tlog-proof"
        auditctl("prove", str(number), "--archive", folder, "--output", proof, check=0)
        checked = auditctl("verify-proof", proof, "--public-key", tmp_path / "seal.key.pub", check=0)
        assert "new_values: (erased)" in checked.out

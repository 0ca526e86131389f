"""An archive of a sealed log that somebody altered: each alteration is named, without a database."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditctl.archive import files, layout, parts
from auditctl.archive.columns import COLUMNS
from auditctl.archive.packed import pack
from auditctl.evidence import note
from auditctl.evidence.canonical import UNITS
from auditctl.evidence.checkpoint import Checkpoint
from tests.support import sealing, verified_archive
from tests.support.verified_archive import MONTHS, Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


made, archive = verified_archive.made, verified_archive.archive


def test_an_archive_that_nobody_altered_is_as_it_was_sealed(archive: Archive) -> None:
    report = archive.verify(check=0)
    assert (report["findings"], report["months"], report["events"], report["blocks"]) == ([], 3, 141, 4)
    assert report == archive.verify(check=0)
    assert len(report["signed_by"]) == 1
    assert report["notes"] == [
        "no archived event records the manifests of these months, which alone vouch for labels and details;"
        f" the database does: database={archive.database}/month={MONTHS[1]} to {MONTHS[2]}"
    ]


OTHERS: dict[str, Any] = {
    "event_id": 4711, "xact_id": 4711, "occurred_at": 1577840400000001, "actor_kind": "system", "action": "EVENT",
    "ip_sort": b"\4\1\2\3\4\x20", "exact": b"?",
}  # fmt: skip


def altered(name: str, value: Any, place: int = 5) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        column = table.column(name)
        values = column.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(column.type) else column.to_pylist()
        values[place] = value
        return table.set_column(
            table.schema.get_field_index(name), table.schema.field(name), pa.array(values).cast(column.type)
        )

    return change


@pytest.mark.parametrize("name", [column.name for column in COLUMNS])
def test_a_value_that_was_rewritten_with_a_fitting_manifest_is_named(archive: Archive, name: str) -> None:
    number = archive.event(5)
    archive.rewrite(altered(name, OTHERS.get(name, "x")))
    found = archive.found()
    # An event of the third month records another digest.
    assert ("manifest", layout.MANIFEST, None, None) in found
    named = {one for one in found if one[0] != "manifest"}
    part = layout.part(1)
    if name in ("event_id", "occurred_at"):
        assert {one[:3] for one in named} >= {("missing", "month=2020-01", number)}
        assert ("added", part) in {one[:2] for one in named}
    elif name in ("exact", "ip", "ip_sort"):
        assert ("file", part, None, None) in named
    elif name == "details":
        assert named == set()
    else:
        # One byte tells a column that has a salt: in one event of 256 it is the same by chance.
        names = {name, None} if name in UNITS else {name}
        assert named in [{("altered", part, number, one)} for one in names]


def test_columns_that_were_rewritten_beside_their_exact_bytes_are_named(archive: Archive) -> None:
    (fields, *_) = parts.read(files.at(str(archive.path)), archive.manifest("2020-02").key.path(layout.part(1)))
    exact = [pack(fields), *([None] * 19)]

    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("exact")
        return table.set_column(place, table.schema.field("exact"), pa.array(exact, pa.binary()))

    archive.rewrite(change, "2020-02")
    assert archive.verify(check=0)["findings"] == []
    archive.rewrite(lambda table: altered("target", "x", 0)(change(table)), "2020-02")
    assert ("file", layout.part(1), None, None) in archive.found()


def test_files_that_were_swapped_or_added_or_removed_are_named(archive: Archive) -> None:
    first, second, third = (archive.folder() / layout.part(number) for number in (1, 2, 3))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    third.rename(archive.folder() / layout.part(9))
    found = archive.found()
    assert {(kind, file) for kind, file, _, _ in found} == {
        ("file", layout.part(1)), ("file", layout.part(2)), ("file", layout.part(3)), ("file", layout.part(9)),
        ("missing", "month=2020-01"),
    }  # fmt: skip


def test_a_byte_that_was_flipped_is_found_wherever_it_is(archive: Archive) -> None:
    path = archive.folder("2020-02") / layout.part(1)
    data = path.read_bytes()
    for place in range(10, len(data), len(data) // 12):
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        assert ("file", layout.part(1), None, None) in archive.found()


def test_a_group_of_rows_that_cannot_be_read_is_named(archive: Archive) -> None:
    archive.rewrite(lambda table: table)
    path = archive.folder() / layout.part(1)
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start] ^= 0xFF
    path.write_bytes(data)
    findings = archive.verify()["findings"]
    assert ("file", 1) in {(one["kind"], one["row_group"]) for one in findings}
    assert [one["sentence"] for one in findings if one["kind"] == "missing"]


def test_events_that_were_removed_or_doubled_are_named(archive: Archive) -> None:
    last, before = archive.event(19), archive.event(5)
    archive.rewrite(lambda table: pa.concat_tables([table.slice(0, 5), table.slice(5, 1), table.slice(5, 14)]))
    found = {one for one in archive.found() if one[0] != "manifest"}
    assert found == {
        ("missing", "month=2020-01", last, None), ("added", layout.part(1), before, None),
        ("file", layout.part(1), before, None),
    }  # fmt: skip


def test_a_month_that_was_taken_away_or_put_in_another_place_is_named(archive: Archive) -> None:
    archive.folder("2020-02").rename(archive.folder("2020-04"))
    assert archive.found() == [("manifest", layout.MANIFEST, None, None)]
    archive.folder("2020-04").rename(archive.folder("2020-02"))
    shutil.rmtree(archive.folder())
    (finding,) = archive.verify()["findings"]
    assert finding["kind"] == "month"
    assert "month=2020-01 is missing: event" in finding["sentence"]


def test_a_manifest_that_was_replaced_or_removed_is_named(archive: Archive) -> None:
    path = archive.folder() / layout.MANIFEST
    data = path.read_bytes()
    for other in (b"", b"{}", data.replace(b'"rows": 80', b'"rows": 81'), data[:-40]):
        path.write_bytes(other)
        assert archive.found()[0] == ("manifest", layout.MANIFEST, None, None)
    path.unlink()
    assert archive.found() == [("manifest", layout.MANIFEST, None, None)]
    path.write_bytes(data)
    archive.write_manifest(replace(archive.manifest(), archived_at="2020-02-02"))
    (finding,) = archive.verify()["findings"]
    assert "is not the one that event" in finding["sentence"]


def test_evidence_that_was_altered_taken_away_or_is_that_of_another_month_is_named(archive: Archive) -> None:
    path = archive.folder("2020-02") / layout.EVIDENCE
    data = path.read_bytes()
    path.write_bytes((archive.folder("2020-03") / layout.EVIDENCE).read_bytes())
    kinds = {(kind, file) for kind, file, _, _ in archive.found()}
    assert kinds >= {("file", layout.EVIDENCE), ("added", layout.part(1)), ("missing", "month=2020-02")}
    path.unlink()
    assert archive.found() == [("file", layout.EVIDENCE, None, None)]
    archive.write_manifest(replace(archive.manifest("2020-02"), evidence=None))
    (finding,) = archive.verify()["findings"]
    assert "the log was sealed before" in finding["sentence"]
    path.write_bytes(data)
    assert ("file", layout.EVIDENCE, None, None) in archive.found()


def test_a_log_that_was_sealed_by_another_key_is_found(archive: Archive, tmp_path: Path) -> None:
    other = sealing.make_keys(tmp_path)
    archive.public_key = type(tmp_path)(f"{other.keys.path}.pub")
    assert {kind for kind, _, _, _ in archive.found()} == {"signature"}


def test_checkpoints_that_are_kept_elsewhere_are_compared(archive: Archive, tmp_path: Path) -> None:
    facts = archive.manifest().evidence or {}
    anchor = tmp_path / "one.checkpoint"
    anchor.write_text(facts["note"])
    assert archive.verify("--checkpoint", anchor, check=0)["findings"] == []
    other = sealing.make_keys(tmp_path)
    text = str(Checkpoint(sealing.ORIGIN, facts["tree_size"], bytes(32)))
    anchor.write_text(note.sign(text, other.keys.signers))
    assert {one["kind"] for one in archive.verify("--checkpoint", anchor)["findings"]} == {"forked", "signature"}


def test_of_an_archive_without_evidence_files_and_manifests_are_compared(archive: Archive) -> None:
    for month in MONTHS:
        archive.write_manifest(replace(archive.manifest(month), evidence=None))
        (archive.folder(month) / layout.EVIDENCE).unlink()
    # An event of the third month records another manifest of the first one.
    assert {one["kind"] for one in archive.verify()["findings"]} == {"signature", "manifest"}
    shutil.rmtree(archive.folder("2020-03"))
    assert {one["kind"] for one in archive.verify()["findings"]} == {"signature"}
    archive.public_key = None
    report = archive.verify(check=0)
    assert (report["findings"], report["unproven"]) == ([], report["events"])
    assert [one.partition(":")[0] for one in report["notes"]] == [
        "the log was not sealed when these months were archived"
    ]
    path = archive.folder() / layout.part(1)
    path.write_bytes(path.read_bytes()[:-9])
    assert ("file", layout.part(1), None, None) in archive.found()


def test_what_is_not_an_archive_is_not_verified(archive: Archive, tmp_path: Path) -> None:
    for args in ((tmp_path / "nowhere",), (archive.path, "--database", "other"), (archive.path, "--block", "1")):
        archive.auditctl("verify", "--archive", *args, check=2)

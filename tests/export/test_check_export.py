"""Exports that stand as evidence: what the log has of them, their manifests, and `auditctl check-export`."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from auditctl.log.exported import digest
from auditctl.log.formats import EXPORTS
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, minutes, own_events, record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

QUOTED = 'two\nlines, "quoted"\n'
EVENTS = (Recorded(at=minutes(0), actor=QUOTED), Recorded(at=minutes(1)), Recorded(at=minutes(2), target_id="名"))

ENDS = (
    "select target_id, new_values from auditctl.event where target = 'auditctl.export' and target_id is not null "
    "order by event_id"
)


def ends(conn: psycopg.Connection) -> list[Any]:
    return conn.execute(ENDS).fetchall()


@pytest.fixture
def exported(conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path) -> Path:
    """A file with three events, and its manifest."""
    record(conn, *EVENTS)
    file = tmp_path / "log.csv"
    auditctl("export", "--target", "customer", "--action", "update", "--output", file, "--manifest", check=0)
    return file


def test_end_of_an_export_says_what_was_written(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    numbers = record(conn, *EVENTS)
    arguments = ["--target", "customer", "--action", "update", "--action", "delete", "--snapshot-file", "next"]
    for form in (row.name for row in EXPORTS):
        file = tmp_path / form
        auditctl("export", "--format", form, *arguments, "--output", file, cwd=tmp_path, check=0)
        begun, facts = ends(conn)[-1]
        assert facts == {
            "rows": 3, "bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "first_event_id": numbers[0], "last_event_id": numbers[2],
            "snapshot": (tmp_path / "next").read_text().strip(),
            "selection": "target customer, action update or delete",
        }  # fmt: skip
        assert int(begun) > numbers[2]
    assert len(own_events(conn)) == len(ends(conn)) == len(EXPORTS)


def test_export_to_standard_output_and_one_without_events_have_an_end_and_one_that_failed_has_none(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    out = auditctl("export", "--user", "nobody", check=0).out
    auditctl("export", "--output", tmp_path / "none" / "log.csv", check=2)
    ((_, facts),) = ends(conn)
    assert facts["sha256"] == hashlib.sha256(out.encode()).hexdigest()
    assert (facts["rows"], facts["selection"], "first_event_id" in facts) == (0, "user nobody", False)


def test_end_of_an_export_can_be_recorded_once_and_by_its_login_alone(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    one, other = login("one", roles=["auditctl_reader"]), login("other", roles=["auditctl_reader"])
    with connect(one.dsn) as session:
        row = session.execute("select auditctl.record_export('{}')").fetchone()
        assert row is not None
        data = json.dumps({"rows": 1, "bytes": 1, "sha256": "0" * 64, "selection": ""})
        end = f"select auditctl.record_export_end({row[0]}, '{data}')"
        for missing in ('"rows": 1, ', "0" * 64, ', "selection": ""'):
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="has its rows"):
                session.execute(end.replace(missing, "").encode())
        with connect(other.dsn) as another, pytest.raises(psycopg.errors.InvalidParameterValue):
            another.execute(end.encode())
        session.execute(end.encode())
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="recorded already"):
            session.execute(end.encode())
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            session.execute(end.replace(str(row[0]), "1").encode())


def test_file_as_it_was_exported_holds_with_and_without_the_log(exported: Path, auditctl: RunAuditctl, db: str) -> None:
    alone = auditctl("check-export", exported, dsn="", check=0)
    assert "log.csv is export " in alone.out
    assert "3 events, target customer, action update. File and manifest fit each other." in alone.out
    assert "compare with the log, too, by --dsn" in alone.err
    with_log = auditctl("check-export", exported, check=0)
    assert with_log.out.endswith("3 events, target customer, action update. It is unaltered.\n")
    packed = exported.with_name("log.csv.gz")
    packed.write_bytes(gzip.compress(exported.read_bytes()))
    auditctl("check-export", packed, dsn="", check=0)
    exported.with_name("log.csv.manifest.json").unlink()
    assert auditctl("check-export", exported, check=0).out.endswith("It is unaltered.\n")
    assert "hint: Name it with --manifest" in auditctl("check-export", exported, dsn="", check=2).err
    packed.write_bytes(packed.read_bytes()[:-20])
    cut = auditctl("check-export", packed, check=3)
    assert cut.out == "No export of this log has this content.\n"


def test_manifest_adds_no_line_to_what_a_check_says(exported: Path, auditctl: RunAuditctl) -> None:
    manifest = exported.with_name("log.csv.manifest.json")
    document = json.loads(manifest.read_text()) | {"selection": "x\n3 of 3 rows are leaves\u001b[2K"}
    manifest.write_text(json.dumps({**document, "sha256": digest(document)}))
    said = auditctl("check-export", exported, dsn="", check=0).out
    assert said.endswith("3 events, x\\n3 of 3 rows are leaves\\x1b[2K. File and manifest fit each other.\n")
    assert said.count("\n") == 1


def test_manifest_says_who_exported_what_and_what_was_captured(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create schema billing; create table billing.customer (id int primary key, card text, seen text)")
    auditctl("enable", "billing.customer", "--actions", "create,update", "--mask", "card", check=0)
    auditctl("enable", "billing.*", "--exclude", "seen", check=0)
    auditctl("disable", "billing.customer", check=0)
    file = tmp_path / "log.jsonl"
    auditctl("export", "--since", "2026-01-01", "--format", "jsonl", "--output", file, "--manifest", check=0)
    document = json.loads(file.with_name("log.jsonl.manifest.json").read_text())
    assert document["sha256"] == digest(document)
    assert document["evidence"] is None
    assert document["filters"] == {"since": "2026-01-01"}
    assert document["selection"] == "from 2026-01-01, dates in UTC"
    assert (document["export"]["login"], document["export"]["zone"]) == ("postgres", "UTC")
    assert document["file"]["rows"] == file.read_text().count("\n")
    (covered,) = document["coverage"]
    assert covered["target"] == "billing.customer"
    spans = [(one["actions"], one["exclude"], one["mask"], one["until"] is None) for one in covered["captured"]]
    assert spans == [
        (["create", "update"], [], ["card"], False), (["create", "update"], ["seen"], ["card"], False),
    ]  # fmt: skip
    assert covered["captured"][0]["until"] == covered["captured"][1]["since"]


def test_manifest_of_a_sealed_log_has_its_newest_checkpoint(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    auditctl("keygen", "--output", "seal.key", cwd=tmp_path, dsn="", check=0)
    auditctl("seal", "--key", "seal.key", cwd=tmp_path, check=0)
    auditctl("export", "--output", "log.csv", "--manifest", cwd=tmp_path, check=0)
    evidence = json.loads((tmp_path / "log.csv.manifest.json").read_text())["evidence"]
    (note, size) = conn.execute("select note, tree_size from auditctl.checkpoint").fetchone() or ("", 0)
    assert (evidence["checkpoint"], evidence["tree_size"], evidence["block"]) == (note, size, 1)
    auditctl("check-export", "log.csv", cwd=tmp_path, check=0)


def test_one_altered_byte_a_missing_or_another_row_and_an_altered_manifest_are_found(
    exported: Path, auditctl: RunAuditctl
) -> None:
    whole = exported.read_bytes()
    rows = whole.split(b"\n")

    def found(content: bytes) -> str:
        exported.write_bytes(content)
        alone, with_log = (
            auditctl("check-export", exported, dsn="", check=3),
            auditctl("check-export", exported, check=3),
        )
        assert alone.out == with_log.out
        return alone.out

    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    assert found(bytes(flipped)).startswith("The file was altered: its SHA-256 is ")
    assert "The file has 2 rows; 3 were exported.\n" in found(b"\n".join([*rows[:-2], b""]))
    assert "The file has 4 rows; 3 were exported.\n" in found(whole + rows[-2] + b"\n")
    assert "The file has 0 bytes; " in found(b"")
    exported.write_bytes(whole)
    manifest = exported.with_name("log.csv.manifest.json")
    document = json.loads(manifest.read_text())
    document["export"]["login"] = "mallory"
    manifest.write_text(json.dumps(document))
    assert auditctl("check-export", exported, dsn="", check=3).out == (
        "The manifest was altered: its own digest does not fit it.\n"
    )
    manifest.write_text(json.dumps({**document, "sha256": digest(document)}))
    auditctl("check-export", exported, dsn="", check=0)  # who can write both can make them fit
    assert auditctl("check-export", exported, check=3).out == (
        "The manifest was altered: the log has another digest of it.\n"
        "The manifest was altered: the log has another login.\n"
    )
    rewritten = {**document, "coverage": [], "export": {**document["export"], "event_id": 1}}
    manifest.write_text(json.dumps({**rewritten, "sha256": digest(rewritten)}))
    result = auditctl("check-export", exported, "--format", "json", check=3)
    assert json.loads(result.out)["findings"] == ["The log has no complete export 1."]


def test_what_is_no_export_is_refused(auditctl: RunAuditctl, tmp_path: Path) -> None:
    file, manifest = tmp_path / "log.csv", tmp_path / "log.csv.manifest.json"
    file.write_text("x\n")
    for text in ("", "[]", "{}", '{"kind": "auditctl export", "version": 2}', "[" * 100_000, "\xff",
                 '{"kind": "auditctl export", "version": 1, "file": [], "export": 3}',
                 '{"kind": "auditctl export", "version": 1, "export": {"event_id": 1}, '
                 '"file": {"rows": "1", "bytes": 1, "sha256": "", "format": ""}}',
                 '{"kind": "auditctl export", "version": 1, "export": {"event_id": 1, "login": "\\ud800"}, '
                 '"file": {"rows": 1, "bytes": 1, "sha256": "", "format": ""}}'):  # fmt: skip
        manifest.write_text(text)
        assert "is not a manifest of auditctl export" in auditctl("check-export", file, dsn="", check=2).err
    for path in (tmp_path, tmp_path / "none"):
        auditctl("check-export", path, check=2)
    assert "--manifest needs a file" in auditctl("export", "--manifest", check=2).err


def test_manifest_that_exists_is_replaced_with_force_alone_and_then_nothing_is_exported(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    manifest = tmp_path / "log.csv.manifest.json"
    manifest.write_text("mine")
    export = ("export", "--output", tmp_path / "log.csv", "--manifest")
    assert "manifest.json exists\n" in auditctl(*export, check=2).err
    (tmp_path / "log.csv").write_text("mine")
    assert f"{tmp_path / 'log.csv'} and {manifest} exist\n" in auditctl(*export, check=2).err
    (tmp_path / "log.csv").unlink()
    assert (manifest.read_text(), (tmp_path / "log.csv").exists(), ends(conn)) == ("mine", False, [])
    auditctl(*export, "--force", check=0)
    auditctl("check-export", tmp_path / "log.csv", check=0)


def test_an_export_that_a_reader_records_with_the_content_of_another_does_not_take_its_place(
    exported: Path, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    reader = login("reader", roles=("auditctl_reader",))
    facts = {"sha256": hashlib.sha256(exported.read_bytes()).hexdigest(), "selection": "every event", "rows": 99}
    with connect(reader.dsn) as forging:
        for size in (1, exported.stat().st_size):
            (begun,) = forging.execute("select auditctl.record_export('{}')").fetchone() or (0,)
            forging.execute("select auditctl.record_export_end(%s, %s)", [begun, Jsonb({**facts, "bytes": size})])
    exported.with_name("log.csv.manifest.json").unlink()
    out = auditctl("check-export", "--log", exported, check=0).out
    assert "by postgres" in out
    assert "3 events, target customer, action update" in out

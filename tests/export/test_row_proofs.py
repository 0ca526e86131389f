"""Each row of an exported file is compared with the sealed log, without a database."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl.log.exported import digest
from tests.fixtures.databases import connect
from tests.support import foreign
from tests.support.recorded import Recorded, label, minutes, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

EVENTS = (
    Recorded(at=minutes(0), actor='=two\nlines, "quoted"\r\n', target_id="@1", ip="10.1.0.0/16"),
    Recorded(at=minutes(1), actor=None, kind="system", ip="2001:db8::1", context='{"reason": "-because"}'),
    Recorded(at=minutes(1), action="EVENT", target="shop.paid", old=None, new="null", context='{"reason": null}'),
    Recorded(at=minutes(2), actor="System", target_id="", target="名", new='{"n": "\'=1", "b": 1e30, "z": 1.50}'),
    Recorded(at=minutes(3), actor="'=x", context='{"reason": {"a": [1]}, "y": 1}', ip=None, old=None),
    Recorded(at=minutes(4), target="=formula", db_user="\uff1d", new='{"deep": ' + "[" * 2000 + "]" * 2000 + "}"),
)
UNSEALED = Recorded(at=minutes(9), xact=10**12)

PROGRAM = Path(__file__).with_name("rows.go")


class Exported:
    """A sealed log, and an export of it with proofs."""

    def __init__(self, conn: psycopg.Connection[Any], auditctl: RunAuditctl, folder: Path) -> None:
        self.conn, self.auditctl, self.folder = conn, auditctl, folder
        self.file = folder / "log"
        self.proofs, self.manifest = folder / "log.proofs", folder / "log.manifest.json"

    def seal(self) -> None:
        if not (self.folder / "seal.key").exists():
            self.auditctl("keygen", "--output", "seal.key", cwd=self.folder, dsn="", check=0)
        self.auditctl("seal", "--key", "seal.key", cwd=self.folder, check=0)

    def export(self, *options: str) -> None:
        self.auditctl("export", *options, "--output", self.file, "--manifest", "--force", check=0)

    def check(self, *options: str, check: int = 0) -> str:
        """What a check says, without a database and by the key."""
        key = ("--public-key", self.folder / "seal.key.pub")
        return self.auditctl("check-export", self.file, *key, *options, dsn="", check=check).out

    def found(self) -> str:
        """What a check finds once the manifest was made to fit the file and the proofs."""
        document = json.loads(self.manifest.read_text())
        content = self.file.read_bytes()
        document["file"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        document["evidence"]["proofs"]["sha256"] = hashlib.sha256(self.proofs.read_bytes()).hexdigest()
        self.manifest.write_text(json.dumps({**document, "sha256": digest(document)}))
        return self.check(check=3)


@pytest.fixture
def log(conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path) -> Exported:
    record(conn, *EVENTS)
    for target in ("billing.customer", "名"):
        label(conn, target, "Customer")
    one = Exported(conn, auditctl, tmp_path)
    one.seal()
    return one


def test_rows_of_a_sealed_log_are_proved_and_those_that_are_not_sealed_yet_are_counted(log: Exported) -> None:
    record(log.conn, UNSEALED)
    done = 0  # earlier exports are rows that are not sealed yet, too: each has two events
    for options in (("--format", "jsonl"), ("--format", "csv-excel"), ("--raw", "--order", "desc")):
        log.export(*options)
        shown = log.check()
        rows = json.loads(log.manifest.read_text())["file"]["rows"]
        assert f"{rows - 1 - done} of {rows} rows are leaves of the log " in shown
        assert f"Not proved: {1 + done} of rows that were not sealed yet.\n" in shown
        assert "The label 'Customer' stands for 'billing.customer' and '名'.\n" in shown
        done += 2
    assert json.loads(log.check("--format", "json"))["rows"]["unsealed"] == 5


def test_row_that_was_altered_added_moved_or_taken_out_is_named(log: Exported) -> None:
    log.export("--format", "jsonl")
    rows, proofs = log.file.read_text().splitlines(True), log.proofs.read_text().splitlines(True)
    lines = [number for number, line in enumerate(proofs) if number and not line.startswith("label ")]

    def found(new_rows: list[str], new_proofs: list[str]) -> str:
        log.file.write_text("".join(new_rows))
        log.proofs.write_text("".join(new_proofs))
        return log.found()

    def changed(place: int, **values: object) -> list[str]:
        document = {**json.loads(rows[place]), **values}
        return [*rows[:place], json.dumps(document, ensure_ascii=False) + "\n", *rows[place + 1 :]]

    last = len(rows) - 1
    for place, values in (
        (0, {"user": "mallory"}), (1, {"target": "billing.invoice"}), (2, {"old_values": {"n": 1}}),
        (3, {"event_id": 1}), (2, {"ip_address": "10.0.0.9"}), (2, {"reason": "none"}), (last, {"xact_id": 3}),
        (2, {"db_user": "x"}), (2, {"actor_kind": "system"}), (2, {"context": {}}), (last, {"action": "DELETE"}),
    ):  # fmt: skip
        said = found(changed(place, **values), proofs)
        assert said.startswith(f"Row {place + 1} does not belong to the log: event "), (place, values, said)
    one = proofs[lines[2]]
    assert "Row 4 is not in the order of the export" in found([*rows[:3], rows[2], *rows[3:]], [*proofs, one])
    assert "Row 3 does not belong" in found([*rows[:2], rows[3], rows[2], *rows[4:]], proofs)
    assert f"Row {len(rows)} has no line in the proofs" in found(rows, proofs[:-1])
    assert "The proofs have more rows" in found(rows[:-1], proofs)
    assert "Row 2 is not as auditctl export writes it" in found([rows[0], rows[1][:-2] + ',"user":"b"}\n'], proofs[:3])
    # A row that is added can only say that it was not sealed yet, and must have a transaction that was not.
    added = rows[0].replace('"event_id":', '"event_id":99').replace('"created_on":"2', '"created_on":"3')
    assert f"Row {len(rows) + 1} does not belong to the log" in found([*rows, added], [*proofs, "- unsealed\n"])
    assert "was not as it was sealed" in found([*rows, added], [*proofs, "- different\n"])


def test_erased_values_are_counted_and_the_other_columns_of_their_events_proved(log: Exported) -> None:
    number = log.conn.execute("select min(event_id) from auditctl.event where target = 'billing.customer'").fetchone()
    erase = ("erase", "--event", str((number or [0])[0]), "--column")
    log.auditctl(*erase, "old_values", "--column", "actor", "--reason", "law", "--yes", check=0)
    log.export("--format", "jsonl", "--target", "billing.customer")
    assert "\nWith erased values: 1; what is left in these columns is not proved.\n" in log.check()
    whole = log.file.read_text()
    log.file.write_text(whole.replace('"db_user":"web"', '"db_user":"w"', 1))
    assert log.found().startswith("Row 1 does not belong to the log")
    log.file.write_text(whole.replace('{"$erased": true}', '{"balance": 1}', 1))
    assert log.found().startswith("Row 1 does not belong to the log")


def test_proofs_hold_by_the_key_alone_and_no_flipped_bit_of_them_is_accepted(log: Exported, db: str) -> None:
    with connect(db) as late:
        late.autocommit = False
        late.execute("select auditctl.record_event('shop.late', '1')")
        log.conn.execute("select auditctl.record_event('shop.early', '1')")
        log.seal()
        late.commit()
    log.seal()
    log.export()
    assert "Not proved" not in log.check()
    shown = log.auditctl("check-export", log.file, dsn="", check=0)
    assert "Nobody's signature was checked" in shown.err
    log.auditctl("keygen", "--output", "other", "--name", "other", cwd=log.folder, dsn="", check=0)
    other = ("check-export", log.file, "--public-key", log.folder / "other.pub")
    assert "no trusted key signed the checkpoint" in log.auditctl(*other, dsn="", check=3).err
    whole = log.proofs.read_bytes()
    assert not log.conn.execute("select position(secret in %s) from auditctl.block", [whole]).fetchone()[0]  # type: ignore[index]
    for place in range(0, len(whole), len(whole) // 12):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        log.proofs.write_bytes(flipped)
        log.found()
    log.export()
    log.folder.joinpath("log.proofs.gz").write_bytes(gzip.compress(log.proofs.read_bytes()))
    log.proofs.unlink()
    log.check()
    log.export("--format", "ocsf")
    assert json.loads(log.manifest.read_text())["evidence"]["proofs"] is None
    key = ("--public-key", log.folder / "seal.key.pub")
    assert "has no proofs" in log.auditctl("check-export", log.file, *key, dsn="", check=2).err


def test_event_that_is_not_as_it_was_sealed_is_said_at_the_export_and_found_in_the_file(log: Exported) -> None:
    record(log.conn, Recorded(at=minutes(8)))  # of a transaction that was sealed
    done = log.auditctl("export", "--output", log.file, "--manifest", check=0)
    assert "1 event cannot be proved: not as sealed" in done.err
    assert "Row 7 was not as it was sealed when it was exported" in log.check(check=3)
    record(log.conn, Recorded(at=minutes(9), action="EVENT", target="auditctl.store", new='{"found": {}}', xact=10**12))
    done = log.auditctl("export", "--output", log.file, "--manifest", "--force", check=0)
    assert "no row is proved: nothing was sealed since the store was adopted" in done.err


@pytest.mark.slow
@pytest.mark.timeout(600)  # Go compiles its own library first.
def test_go_proves_the_rows_of_an_export_and_refuses_each_flipped_bit(log: Exported, tmp_path: Path) -> None:
    """By a program that was written from the specification, and shares nothing with auditctl."""
    program = foreign.build(PROGRAM, tmp_path)
    log.export("--format", "jsonl")
    key = (tmp_path / "seal.key.pub").read_text().split("\n")[0]

    def accepted() -> bool:
        return foreign.accepts(program, key, log.file, log.proofs)

    assert accepted()
    whole = log.proofs.read_bytes()
    for place in range(0, len(whole), 1 + len(whole) // 150):
        log.proofs.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert not accepted(), (place, whole[place : place + 1])
    log.proofs.write_bytes(whole)
    rows = log.file.read_bytes()
    for value in (b'"user":"', b'"event_id":', b'"created_on":"', b'"old_values":{"', b'"xact_id":', b'"target_id":"'):
        place = rows.index(value) + len(value)
        log.file.write_bytes(rows[:place] + bytes([rows[place] ^ 1]) + rows[place + 1 :])
        assert not accepted(), value

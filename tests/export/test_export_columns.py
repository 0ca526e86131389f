"""Exports of chosen columns: what the log, the manifest and a check say of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.log.exported import digest
from auditctl.log.formats import EXPORTS
from tests.export.test_check_export import EVENTS, ends
from tests.export.test_row_proofs import EVENTS as ODD
from tests.support.recorded import HEADER, own_events, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

ENOUGH = ",".join(name for name in reversed(HEADER.split(",")) if name != "details")
"""All that a leaf is made of, in another order."""


@pytest.mark.parametrize("form", [row.name for row in EXPORTS if row.has_columns])
def test_export_writes_the_columns_that_log_prints_and_knows_its_first_and_last_event(
    conn: psycopg.Connection, auditctl: RunAuditctl, form: str
) -> None:
    numbers = record(conn, *EVENTS)
    for chosen in ("target_id,user", "user,event_id", "details"):
        options = ("--target", "customer", "--action", "update", "--columns", chosen, "--format", form)
        out = auditctl("export", *options, "--order", "desc", check=0).out
        assert out == auditctl("log", *options, check=0).out
        facts = ends(conn)[-1][1]
        assert (facts["rows"], facts["first_event_id"], facts["last_event_id"]) == (3, numbers[2], numbers[0])
        assert own_events(conn)[-1]["columns"] == chosen.split(",")


@pytest.fixture
def exported(conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A sealed log, of which a call exports columns; it returns the manifest."""
    record(conn, *ODD)
    auditctl("keygen", "--output", "seal.key", cwd=tmp_path, dsn="", check=0)
    auditctl("seal", "--key", "seal.key", cwd=tmp_path, check=0)

    def export(*options: str, said: str = "") -> dict[str, Any]:
        done = auditctl("export", *options, "--output", "log", "--manifest", "--force", cwd=tmp_path, check=0)
        assert said in done.err
        document: dict[str, Any] = json.loads((tmp_path / "log.manifest.json").read_text())
        return document

    return export


def test_rows_with_all_that_a_leaf_is_made_of_are_proved_in_any_order(
    exported: Callable[..., dict[str, Any]], auditctl: RunAuditctl, tmp_path: Path
) -> None:
    check = ("check-export", "log", "--public-key", "seal.key.pub")
    for form in ("csv", "jsonl"):
        manifest = exported("--columns", ENOUGH, "--format", form)
        assert manifest["file"]["columns"] == ENOUGH.split(",")
        assert manifest["evidence"]["proofs"]["sealed"] >= len(ODD)
        assert "rows are leaves of the log" in auditctl(*check, cwd=tmp_path, dsn="", check=0).out
    file = tmp_path / "log"
    file.write_text(file.read_text().replace('"db_user":"web"', '"db_user":"bew"', 1))
    assert "does not belong to the log" in auditctl(*check, cwd=tmp_path, dsn="", check=3).out


def test_rows_that_lack_a_column_of_the_leaf_are_said_not_to_be_proved_singly(
    exported: Callable[..., dict[str, Any]], auditctl: RunAuditctl, tmp_path: Path
) -> None:
    said = "No row of the file is proved by itself, as it lacks the columns event_id, reason, old_values, "
    chosen = "created_on,ip_address,user,target,target_id,action,new_values"
    manifest = exported("--columns", chosen, said=said)
    assert manifest["evidence"]["proofs"] is None
    assert manifest["evidence"]["not_proved"].startswith(said)
    assert not (tmp_path / "log.proofs").exists()
    for options in ((), ("--log",)):
        lines = auditctl("check-export", "log", *options, cwd=tmp_path, check=0).out.splitlines()
        assert (len(lines), lines[1]) == (2, manifest["evidence"]["not_proved"])
    result = auditctl("check-export", "log", "--format", "json", cwd=tmp_path, dsn="", check=0)
    assert json.loads(result.out)["not_proved"] == lines[1]
    key = auditctl("check-export", "log", "--public-key", "seal.key.pub", cwd=tmp_path, dsn="", check=2)
    assert said in " ".join(key.err.split())
    assert "columns" not in exported("--format", "ocsf")["evidence"]["not_proved"].partition(", as ")[0]


def test_manifest_that_names_other_columns_is_found_altered(
    exported: Callable[..., dict[str, Any]], auditctl: RunAuditctl, tmp_path: Path
) -> None:
    manifest = exported("--columns", "user,details")
    path = tmp_path / "log.manifest.json"
    for names, code, said in (
        (["details", "user"], 3, "The manifest was altered: the log has another choice of columns."),
        (["user", "user"], 2, "is not a manifest of auditctl export"),
        (["name"], 2, "is not a manifest of auditctl export"),
        ("user", 2, "is not a manifest of auditctl export"),
        ([], 2, "is not a manifest of auditctl export"),
        ([["user"]], 2, "is not a manifest of auditctl export"),
    ):
        other = {**manifest, "file": {**manifest["file"], "columns": names}}
        path.write_text(json.dumps({**other, "sha256": digest(other)}))
        result = auditctl("check-export", "log", "--log", cwd=tmp_path, check=code)
        assert said in " ".join((result.out + result.err).split())

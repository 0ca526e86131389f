"""Months that are archived into S3: the commands do there what they do in a folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from auditctl.archive.layout import ATTEMPT, MANIFEST
from auditctl.archive.upload import Upload
from tests.support import sealing
from tests.support.archiving import COLD, Row, fill, hot
from tests.support.retaining import keep

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def cold(s3: Any, bucket: str) -> list[Row]:
    """The events in the files, as DuckDB reads them."""
    with duckdb.connect() as engine:
        engine.register_filesystem(s3)
        return list(engine.sql(COLD.format(f"s3://{bucket}/logs")).fetchall())


def test_a_month_goes_to_s3_and_comes_back(
    conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01", "2020-02")
    before, place = hot(conn), f"s3://{bucket}/logs"
    archived = auditctl("archive", "--to", place, check=0)
    assert archived.out.count("20 events in 1 file") == 2
    assert cold(s3, bucket) == before
    dropped = auditctl("maintain", check=0)
    assert f"auditctl.event_2020_01: 20 events dropped, which are in {place}." in dropped.out
    assert hot(conn) == []
    restored = auditctl("restore-archive", "2020-01", check=0)
    assert restored.out == f"2020-01: 20 events restored from {place}.\n"
    assert hot(conn) == before[:20]


def test_ctrl_c_leaves_nothing_and_the_next_run_goes_on(
    conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(conn, "2020-01")
    finish = Upload.finish

    def interrupted(self: Upload) -> None:
        if self._key.endswith(MANIFEST):
            raise KeyboardInterrupt
        finish(self)

    with monkeypatch.context() as patched:
        patched.setattr(Upload, "finish", interrupted)
        assert auditctl("archive", "--to", f"s3://{bucket}/logs").code == 130
    assert s3.find(f"{bucket}/logs") == []
    auditctl("archive", "--to", f"s3://{bucket}/logs", check=0)
    assert cold(s3, bucket) == hot(conn)


def test_files_of_somebody_else_stay(conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01")
    key = f"{bucket}/logs/database={conn.info.dbname}/month=2020-01/part-0001.parquet"
    s3.pipe_file(key, b"not ours")
    refused = auditctl("archive", "--to", f"s3://{bucket}/logs")
    assert (refused.code != 0, "part-0001.parquet" in refused.err) == (True, True)
    assert s3.find(f"{bucket}/logs") == [key]
    assert (s3.cat_file(key), ATTEMPT in refused.err) == (b"not ours", False)


def test_what_is_in_s3_is_read_exported_counted_and_verified_there(
    db: str, conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    fill(conn, "2020-01", "2020-02")
    keys = sealing.make_keys(tmp_path)
    sealing.seal(db, keys)
    period = ("--until", "2020-02-20")
    printed = {
        name: auditctl(*command, *period, check=0).out
        for name, command in {
            "log": ("log", "--limit", "50"),
            "export": ("export", "--format", "jsonl"),
            "stats": ("stats", "--by", "target"),
        }.items()
    }
    place = f"s3://{bucket}/logs"
    auditctl("archive", "--to", place, check=0)
    auditctl("maintain", check=0)
    for options in (("--archive", place), ("--everywhere",)):
        assert auditctl("log", "--limit", "50", *period, *options, check=0).out == printed["log"]
        assert auditctl("export", "--format", "jsonl", *period, *options, check=0).out == printed["export"]
        assert "events:     40, " in auditctl("stats", *period, *options, check=0).out
    for options in (("--archive", place), ("--everywhere",)):
        auditctl("verify", *options, check=0)
    event_id = json.loads(printed["export"].splitlines()[0])["event_id"]
    proof = tmp_path / "event.tlog-proof"
    auditctl("prove", str(event_id), "--archive", place, "--output", proof, check=0)
    auditctl("verify-proof", proof, "--public-key", tmp_path / "seal.key.pub", check=0)
    part = f"{bucket}/logs/database={conn.info.dbname}/month=2020-02/part-0001.parquet"
    data = s3.cat_file(part)
    s3.pipe_file(part, data[:50] + bytes([data[50] ^ 1]) + data[51:])
    assert "month=2020-02/part-0001.parquet" in auditctl("verify", "--archive", place, check=3).out


def test_expired_months_are_deleted_from_s3(
    conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--to", f"s3://{bucket}/logs", check=0)
    auditctl("maintain", check=0)
    other = f"{bucket}/logs/database={conn.info.dbname}/month=2020-02/note.txt"
    s3.pipe_file(other, b"not ours")
    keep(conn, "*", "1 year")
    done = auditctl("maintain", check=0)
    assert done.out.count("their time is over") == 2
    assert f"these files stay, as they are not what auditctl wrote: s3://{other}" in done.err
    assert s3.find(f"{bucket}/logs") == [other]


def test_values_are_erased_from_an_object_which_another_one_replaces(
    db: str, conn: psycopg.Connection, s3: Any, bucket: str, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    keys, place = sealing.make_keys(tmp_path), f"s3://{bucket}/logs"
    fill(conn, "2020-01")
    sealing.seal(db, keys)
    auditctl("archive", "--to", place, check=0)
    auditctl("maintain", check=0)
    before = cold(s3, bucket)
    number = before[6][0]
    auditctl("erase", "--event", str(number), "--reason", "request 7", "--yes", check=0)
    after = cold(s3, bucket)
    assert [one == other for one, other in zip(before, after, strict=True)] == [row[0] != number for row in before]
    left = sorted(key.rsplit("/", 1)[1] for key in s3.find(f"{bucket}/logs"))
    assert left == ["_evidence-0002.parquet", MANIFEST, "part-0002.parquet"]
    sealing.seal(db, keys)
    auditctl("verify", "--everywhere", "--public-key", tmp_path / "seal.key.pub", check=0)

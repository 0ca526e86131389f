"""An archive of a sealed log, for tests that alter it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditctl.archive import evidence_file, files, layout, manifest, parts
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Manifest
from auditctl.archive.packed import ContentDigest
from tests.support import sealing
from tests.support.archived_months import write_month
from tests.support.retaining import fill, months

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

MONTHS = ("2020-01", "2020-02", "2020-03")

ANNOUNCE = """
    insert into auditctl.event (occurred_at, actor_kind, target, target_id, action, new_values)
    values ('2020-03-15 00:00+00', 'system', 'auditctl.archive', %(month)s::text, 'EVENT',
           jsonb_build_object('month', %(month)s::text, 'database', current_database(), 'manifest', %(digest)s::text))
"""


@dataclass(slots=True)
class Archive:
    """An archive of three months, and the key of the log. The first month has several files and groups of rows."""

    path: Path
    public_key: Path | None
    database: str
    auditctl: RunAuditctl

    def folder(self, month: str = "2020-01") -> Path:
        return self.path / f"database={self.database}" / f"month={month}"

    def verify(self, *args: str | Path, check: int = 3) -> dict[str, Any]:
        key = ("--public-key", self.public_key) if self.public_key else ()
        done = self.auditctl(
            "verify", "--archive", self.path, *key, "--format", "json", *args,
            check=check, env={"AUDITCTL_DSN": "host=/nowhere"},
        )  # fmt: skip
        document: dict[str, Any] = json.loads(done.out)
        return document

    def found(self) -> list[tuple[str, str | None, int | None, str | None]]:
        """Kind, name of the file, number of the event and columns of each finding."""
        return [
            (one["kind"], one["file"] and one["file"].rpartition("/")[2], one["event_id"], one["column"])
            for one in self.verify()["findings"]
        ]

    def event(self, place: int) -> int:
        """The number of the n-th event of the first month."""
        table = pq.read_table(self.folder(), columns=["event_id", "occurred_at"], partitioning=None)
        return int(table.sort_by("occurred_at")["event_id"][place].as_py())

    def manifest(self, month: str = "2020-01") -> Manifest:
        return read_manifest(self.path, self.database, month)

    def write_manifest(self, one: Manifest) -> None:
        (self.folder(one.key.month) / layout.MANIFEST).write_bytes(one.to_bytes())

    def rewrite(self, change: Callable[[pa.Table], pa.Table], month: str = "2020-01", number: int = 1) -> None:
        """Change a part, and the manifest with it, as somebody does who wants it not to be found."""
        path = self.folder(month) / layout.part(number)
        table = change(pq.read_table(path, partitioning=None))
        pq.write_table(table, path, row_group_size=10)
        before = self.manifest(month)
        archive, key = files.at(str(self.path)), before.key
        content, found = ContentDigest(), []
        for part in before.parts:
            whole = evidence_file.digest(archive, key.path(part.name))
            try:
                events = list(parts.read(archive, key.path(part.name)))
            except manifest.ArchiveError:
                events = []
            for fields in events:
                content.add(fields)
            found.append(replace(part, rows=len(events) or part.rows, bytes=whole.bytes, sha256=whole.sha256))
        rows = sum(part.rows for part in found)
        self.write_manifest(replace(before, parts=tuple(found), content=content.hexdigest(), rows=rows))


def read_manifest(archive: Path, database: str, month: str) -> Manifest:
    key = MonthKey(database, month)
    return manifest.parse((archive / key.path(layout.MANIFEST)).read_bytes(), key)


def fill_log(dsn: str, conn: psycopg.Connection, folder: Path) -> None:
    keys = sealing.make_keys(folder)
    months(conn, "2020-01-01", "2020-03-01")
    fill(conn, "2020-01-01", "a", 60)
    sealing.seal(dsn, keys)
    fill(conn, "2020-01-20", "a", 20)
    fill(conn, "2020-02-01", "a", 20)
    sealing.seal(dsn, keys)
    first = write_month(dsn, folder / "archive", "2020-01", part_bytes=1)
    conn.execute(ANNOUNCE, {"month": "2020-01", "digest": first.digest})
    fill(conn, "2020-03-05", "b", 40)
    sealing.seal(dsn, keys)
    for month in MONTHS[1:]:
        write_month(dsn, folder / "archive", month)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder in which the archive is made once."""
    return {"folder": tmp_path_factory.mktemp("made")}


@pytest.fixture
def archive(
    made: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
    auditctl: RunAuditctl,
) -> Archive:  # fmt: skip
    folder = made["folder"]
    if "database" not in made:
        with monkeypatch.context() as patch:
            patch.setattr(parts, "GROUP_ROWS", 20)
            patch.setattr(parts, "PART_BYTES", 1)
            conn = request.getfixturevalue("conn")
            fill_log(request.getfixturevalue("db"), conn, folder)
            made["database"] = conn.info.dbname
    shutil.copytree(folder / "archive", tmp_path / "archive")
    return Archive(tmp_path / "archive", folder / "seal.key.pub", made["database"], auditctl)

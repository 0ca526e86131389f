"""Statistics of an archive, alone and together with the log, are those of the log before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import archive_month, move_month
from tests.support.recorded import START, Recorded, label, record, switch_lookups_off

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

BASELINE = '{"baseline": true, "note": {"baseline": 1}}'
DEEPER = '{"note": {"baseline": 1}}'


def prepare(dsn: str) -> None:
    """Events at the edges of months, rows of a baseline, and some that look like these."""
    with connect(dsn) as conn:
        switch_lookups_off(conn)
        label(conn, "billing.customer", "Customer")
        edges = (START.replace(month=3, day=31, hour=23), START.replace(month=4, day=1, hour=0, minute=30))
        record(conn, *(Recorded(at=time, target=target) for time in edges for target in ("billing.customer", "other")))
        for context in (None, BASELINE, DEEPER, '{"baseline": true}', '{"a": "\\"baseline\\": "}'):
            record(conn, Recorded(at=START, action="CREATE", old=None, context=context))


db_template = begin_with(prepare)

OPTIONS = (
    (), ("--tz", "Europe/Berlin"), ("--tz", "America/New_York", "--hour", "18-24"), ("--action", "baseline"),
    ("--action", "create"), ("--target", "Customer"), ("--since", "2026-03-31T23:30:00Z"),
)  # fmt: skip


def counted(found: str) -> list[dict[str, Any]]:
    """The groups, without sizes, which are of other things."""
    document = json.loads(found)
    return [{name: value for name, value in group.items() if name != "bytes"} for group in document["groups"]]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_statistics_are_those_of_the_log(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path, options: tuple[str, ...]
) -> None:
    command = ("stats", "--until", "2026-05-01", "--format", "json", *options)
    before = counted(auditctl(*command, check=0).out)
    assert before
    for month in ("2026-03", "2026-04"):
        archive_month(conn, tmp_path / "archive", month)
    alone = auditctl(*command, "--archive", tmp_path / "archive", env={"AUDITCTL_DSN": None}, check=0).out
    assert counted(alone) == before
    files = list((tmp_path / "archive").rglob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    assert json.loads(alone)["archive"] == {"bytes": size, "files": 2, "months": 2}
    if not options:
        assert sum(group["bytes"] for group in json.loads(alone)["groups"]) == size
    (tmp_path / "archive/database=shop/month=2026-04/_manifest.json").unlink()
    for file in (tmp_path / "archive/database=shop/month=2026-04").iterdir():
        file.unlink()
    move_month(conn, tmp_path / "archive", "2026-04")
    assert counted(auditctl(*command, "--everywhere", check=0).out) == before


def test_a_summary_says_what_is_archived(auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path) -> None:
    archive_month(conn, tmp_path / "archive", "2026-03")
    found = auditctl("stats", "--archive", tmp_path / "archive", "--by", "month", env={"AUDITCTL_DSN": None}, check=0)
    lines = found.out.splitlines()
    assert lines[0].startswith("events:     7, ")
    assert lines[1].endswith("1 file of 1 month")
    refused = auditctl("stats", "--archive", "x", "--estimate", env={"AUDITCTL_DSN": None}, check=2)
    assert "--estimate does not go with --archive" in refused.err

"""An answer says which months it does not have, because they are in an archive alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from auditctl.log import archived_months
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import move_month
from tests.support.recorded import START, Recorded, record, switch_lookups_off

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        switch_lookups_off(conn)
        targets = {3: "shop.item", 4: "shop.item", 5: "shop.other"}
        record(conn, *(Recorded(at=START.replace(month=month), target=name) for month, name in targets.items()))


db_template = begin_with(prepare)


@pytest.fixture
def folder(db: str, tmp_path: Path) -> Path:
    """The archive that alone has March and April."""
    with connect(db) as conn:
        for month in ("2026-03", "2026-04"):
            move_month(conn, tmp_path / "archive", month)
    return tmp_path / "archive"


@pytest.mark.parametrize(
    "command",
    [("log",), ("log", "--transactions"), ("history", "shop.item", "7"), ("export", "--format", "jsonl"), ("stats",)],
    ids=" ".join,
)
def test_answers_name_the_months_they_lack_and_none_with_everywhere(
    auditctl: RunAuditctl, folder: Path, command: tuple[str, ...]
) -> None:
    said = auditctl(*command, check=0).err
    assert f"Not searched: 2026-03 to 2026-04, which are in the archive {folder}." in said
    assert "--everywhere" in said
    if "--transactions" not in command:
        assert "Not searched" not in auditctl(*command, "--everywhere", check=0).err


@pytest.mark.parametrize(
    ("options", "months"),
    [
        (("--since", "2026-04-01"), "2026-04"),
        (("--until", "2026-04-01"), "2026-03"),
        (("--until", "2026-04-01T00:00:00.000001Z"), "2026-03 to 2026-04"),
        (("--since", "2026-05-01"), None),
        (("--until", "2026-03-01"), None),
        (("--target", "shop.other"), None),
        (("--target", "shop.item"), "2026-03 to 2026-04"),
    ],
)
def test_only_months_that_may_have_answers_are_named(
    auditctl: RunAuditctl, folder: Path, options: tuple[str, ...], months: str | None
) -> None:
    said = auditctl("log", *options, check=0).err
    assert ("Not searched" in said) == (months is not None)
    assert months is None or f"Not searched: {months}, which" in said


def test_an_event_that_is_archived_may_be_there(auditctl: RunAuditctl, conn: psycopg.Connection, folder: Path) -> None:
    said = auditctl("show", "999999", check=2).err
    assert "event 999999 doesn't exist in the database" in said
    assert "hint: It may be in the archive: auditctl show 999999 --everywhere" in said


def test_months_that_do_not_follow_each_other_are_listed(conn: psycopg.Connection, tmp_path: Path) -> None:
    for month in ("2026-03", "2026-05"):
        move_month(conn, tmp_path, month)
    found = archived_months.find(conn)
    assert archived_months.sentence(found).startswith(
        f"Not searched: 2026-03, 2026-05, which are in the archive {tmp_path}"
    )
    assert not found.has_some(START.replace(month=4, day=1), datetime(2026, 5, 1, tzinfo=UTC))
    assert found.has_some(START.replace(month=4), datetime(2026, 5, 1, 0, 0, 1, tzinfo=UTC))
    assert "2026-05, which is" in archived_months.sentence(archived_months.find(conn, since=START.replace(month=4)))
    lord_howe = timezone(timedelta(hours=11))
    assert archived_months.find(conn, until=datetime(2026, 3, 1, 11, tzinfo=lord_howe)).months == ()
    assert archived_months.find(conn, until=datetime.max.replace(tzinfo=UTC)).months == found.months

"""A follower says which months it cannot write, because upkeep left them to an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import move_month
from tests.support.recorded import START, Recorded, ids, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

WARNING = "warning: events of {} may not have been written: they are in the archive {} alone"


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        targets = {3: "shop.item", 4: "shop.item", 5: "shop.other", 6: "shop.other"}
        record(conn, *(Recorded(at=START.replace(month=month), target=name) for month, name in targets.items()))


db_template = begin_with(prepare)


def test_a_new_follower_says_which_months_it_does_not_begin_with(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    for month in ("2026-03", "2026-04"):
        move_month(conn, tmp_path, month)
    whole = auditctl("follow", "--once", check=0)
    assert WARNING.format("2026-03 to 2026-04", tmp_path) in whole.err
    export = "export --everywhere --since 2026-03-01 --until 2026-05-01"
    assert f"hint: To read them, with the same filters and format: auditctl {export}\n" in whole.err
    read = auditctl(*export.split(), "--format", "jsonl", check=0).out
    assert len(ids(read)) == 2
    assert not set(ids(read)) & set(ids(whole.out))
    for options in (
        ("--target", "shop.other"),
        ("--since", "2026-05-01"),
        ("--from", "now"),
        ("--until", "2026-03-01"),
    ):
        assert "archive" not in auditctl("follow", "--once", *options, check=0).err
    assert WARNING.format("2026-04", tmp_path) in auditctl("follow", "--once", "--since", "2026-04-01", check=0).err


def test_a_consumer_that_is_up_to_date_hears_nothing_and_one_that_lags_hears_what_it_lacks(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    for name in ("fresh", "behind"):
        auditctl("follow", "--once", "--consumer", name, check=0)
    place = "update auditctl.consumer set taken_at = '2026-04-20 00:00+00' where name = 'behind'"
    conn.execute(place)
    for month in ("2026-03", "2026-04"):
        move_month(conn, tmp_path, month)
    assert "archive" not in auditctl("follow", "--once", "--consumer", "fresh", check=0).err
    assert WARNING.format("2026-04", tmp_path) in auditctl("follow", "--once", "--consumer", "behind", check=0).err
    assert "archive" not in auditctl("follow", "--once", "--consumer", "behind", check=0).err

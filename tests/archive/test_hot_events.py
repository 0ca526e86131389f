"""What auditctl recorded of itself stays in the database when its month is dropped, and is read once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.archiving import cold, fill, fill_own, hot, names, own, recorded
from tests.support.capturing import audit
from tests.support.recorded import ids, switch_lookups_off
from tests.support.retaining import hold, keep, partitions
from tests.support.verifying import DISABLE

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

UNTIL = ("--until", "2021-01-01")
READ: list[tuple[str, ...]] = [
    ("log", *UNTIL, "--format", "jsonl"), ("export", *UNTIL, "--format", "csv"),
    ("log", *UNTIL, "--target", "auditctl.partition", "--format", "jsonl"),
    ("log", *UNTIL, "--target", "auditctl.lookup", "--format", "jsonl"),
    ("history", "auditctl.partition", "1", "--format", "jsonl"),
]  # fmt: skip
PAST = """
    update auditctl.event set occurred_at = timestamptz '2020-01-05 00:00+00' + event_id * interval '1 minute'
     where target in ('auditctl.rule', 'auditctl.capture', 'auditctl.ddl')
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cold"


@pytest.fixture
def month(conn: psycopg.Connection) -> list[int]:
    """A month with 20 events of a table, two that stay and one that does not; the numbers of these three."""
    switch_lookups_off(conn)
    fill(conn, "2020-01")
    return fill_own(conn, "2020-01", "auditctl.partition", "auditctl.lookup", "auditctl.retention")


def archive(auditctl: RunAuditctl, folder: Path) -> str:
    """Archive what is over, and drop it; return what maintain prints."""
    auditctl("archive", "--to", folder, check=0)
    return auditctl("maintain", check=0).out


def test_they_stay_while_the_rest_of_their_month_is_dropped_and_each_event_is_read_once(
    conn: psycopg.Connection, folder: Path, month: list[int], auditctl: RunAuditctl
) -> None:
    before = [auditctl(*command, check=0).out for command in READ]
    totals = json.loads(auditctl("stats", *UNTIL, "--format", "json", check=0).out)["groups"]
    auditctl("archive", "--to", folder, check=0)
    due = json.loads(auditctl("maintain", "--dry-run", "--format", "json", check=0).out)
    assert [(one["dropped"], one["kept"]) for one in due if one["step"] == "archive"] == [(21, 2)]
    assert (
        auditctl("maintain", check=0).out
        == f"auditctl.event_2020_01: 21 events dropped, which are in {folder}; 2 of auditctl itself kept.\n"
    )
    assert (hot(conn), own(conn, "2020-01"), len(cold(folder))) == ([], [month[0], month[2]], 20)
    assert [auditctl(*command, "--everywhere", check=0).out for command in READ] == before
    page = auditctl("log", *UNTIL, "--everywhere", "--limit", "10", "--format", "jsonl", check=0)
    after = page.err.split("--after ")[1].split()[0]
    rest = auditctl("log", *UNTIL, "--everywhere", "--after", after, "--format", "jsonl", check=0)
    assert ids(page.out) + ids(rest.out) == ids(before[0])
    found = json.loads(auditctl("stats", *UNTIL, "--everywhere", "--format", "json", check=0).out)["groups"]
    assert counts(found) == counts(totals)
    for number in month:
        auditctl("show", str(number), "--everywhere", check=0)
    # The files have the whole month, for who has nothing else.
    alone = auditctl("log", "--archive", folder, *UNTIL, "--format", "jsonl", "--limit", "30", check=0)
    assert ids(alone.out) == ids(before[0])
    # What is searched in the table alone is searched wholly.
    assert "Not searched" not in auditctl("log", "--target", "auditctl.partition", check=0).err
    assert "Not searched: 2020-01" in auditctl("log", "--target", "auditctl.lookup", check=0).err


def counts(groups: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return sorted((one["target"], one["action"], one["events"]) for one in groups)


def test_a_month_of_which_only_they_are_left_has_nothing_to_archive(
    conn: psycopg.Connection, folder: Path, month: list[int], auditctl: RunAuditctl
) -> None:
    fill(conn, "2019-12", count=0)
    fill_own(conn, "2019-12", "auditctl.hold")
    archive(auditctl, folder)
    assert auditctl("archive", "--dry-run", "--format", "json", check=0).out == "[]\n"
    unarchived = "select value from auditctl.metrics() where name = 'unarchived_months'"
    assert conn.execute(unarchived).fetchone() == (0,)
    auditctl("archive", check=0)
    assert conn.execute("select auditctl.begin_month('2020-01')").fetchone() == (False,)
    assert auditctl("maintain", check=0).err == "Nothing to do.\n"
    assert recorded(conn) == [("2020-01", 23, True, False)]
    assert "2020" not in auditctl("doctor").out
    fill(conn, "2020-01", count=2)
    late = auditctl("archive", check=5)
    assert "the log has events of 2020-01 that came after the month was archived and dropped" in late.err
    auditctl("restore-archive", "2020-01", check=0)
    auditctl("archive", "--include-restored", check=0)
    auditctl("maintain", check=0)
    assert (hot(conn), len(own(conn, "2020-01")), len(cold(folder))) == ([], 2, 22)


def test_a_month_comes_back_beside_them_and_goes_again(
    conn: psycopg.Connection, folder: Path, month: list[int], auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01", count=120)
    auditctl("maintain", check=0)
    before = hot(conn)
    assert large(conn) == [120]
    archive(auditctl, folder)
    assert large(conn) == []
    files = names(folder)
    restored = auditctl("restore-archive", "2020-01", check=0)
    assert (restored.out, restored.err) == (f"2020-01: 141 events restored from {folder}.\n", "")
    assert (hot(conn), own(conn, "2020-01")) == (before, month)
    auditctl("maintain", check=0)
    assert large(conn) == [120]
    query = "select new_values ->> 'rows' from auditctl.event where context ->> 'summary' = 'month restored'"
    assert conn.execute(query).fetchone() == ("141",)
    assert auditctl("archive", "--include-restored", check=0).out == "2020-01: recorded; its files were complete.\n"
    assert "141 events dropped" in auditctl("maintain", check=0).out
    assert (hot(conn), own(conn, "2020-01"), names(folder)) == ([], [month[0], month[2]], files)
    assert "2020" not in auditctl("doctor").out


def large(conn: psycopg.Connection) -> list[int]:
    """How many events each large transaction has."""
    return [events for (events,) in conn.execute("select events from auditctl.large_transaction").fetchall()]


def test_they_expire_later_and_do_not_come_back(
    conn: psycopg.Connection, folder: Path, month: list[int], auditctl: RunAuditctl
) -> None:
    archive(auditctl, folder)
    hold(conn, "shop.item")  # which keeps the files
    keep(conn, "*", "400 days")
    assert "2 events deleted; the partition is gone" in auditctl("maintain", check=0).out
    assert "auditctl.event_2020_01" not in partitions(conn)
    assert conn.execute(
        "select events, missing, ended_at is null from auditctl.month where month = '2020-01'"
    ).fetchone() == (0, 0, False)
    keep(conn, "*", None)
    restored = auditctl("restore-archive", "2020-01", check=0)
    assert "21 events restored" in restored.out
    assert restored.err.startswith("Of auditctl itself, the database does not have the same events")
    assert own(conn, "2020-01") == month[1:2]
    # The next archive of the month is one of what the log has.
    auditctl("archive", "--include-restored", check=0)
    assert "21 events dropped" in auditctl("maintain", check=0).out
    assert [row[:3] for row in recorded(conn)] == [("2020-01", 23, True), ("2020-01", 21, True)]


def test_files_with_other_events_are_refused_beside_them(
    conn: psycopg.Connection, folder: Path, month: list[int], auditctl: RunAuditctl
) -> None:
    archive(auditctl, folder)
    conn.execute("alter table auditctl.archived_month disable trigger user")
    conn.execute("update auditctl.archived_month set fingerprint = fingerprint + 1")
    assert "are not those that were archived" in auditctl("restore-archive", "2020-01", check=5).err
    assert hot(conn) == []


def test_what_a_rule_left_out_is_said_of_dropped_months(
    db: str, conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    conn.execute("create schema shop; create table shop.item (id int primary key)")
    audit(db, "shop.item")
    auditctl("disable", "shop.item", "--actions", "delete", check=0)
    auditctl("enable", "shop.item", check=0)
    conn.execute(DISABLE)
    conn.execute(PAST)
    conn.execute("update auditctl.target set registered_at = '2020-01-05'")
    asked = ("log", "--target", "shop.item", "--since", "2020-01-01", "--until", "2020-02-01", "-v")
    said = auditctl(*asked, check=0).err
    assert "DELETE of shop.item was not recorded from 5 Jan 2020" in said
    assert archive(auditctl, folder).startswith("auditctl.event_2020_01: 20 events dropped")
    assert auditctl(*asked, "--everywhere", check=0).err == said
    alone = auditctl(*asked, check=0).err
    assert "DELETE of shop.item was not recorded from 5 Jan 2020" in alone
    assert "Not searched: 2020-01" in alone

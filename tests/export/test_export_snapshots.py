"""Consecutive exports by snapshots: each event is in exactly one of them, whenever its transaction commits."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.errors import UsageError
from auditctl.log.snapshot import Snapshot
from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.retaining import fill, months, upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

LINE = re.compile(r"To go on from here: --committed-since (\S+)\n\Z")


class Exports:
    """Consecutive exports.

    Attributes:
        following: The snapshot from which the next one goes on.
        numbers: The events of all so far, by number.
    """

    def __init__(self, auditctl: RunAuditctl, *options: str) -> None:
        self.auditctl, self.options, self.following = auditctl, options, "start"
        self.numbers: list[int] = []

    def go_on(self) -> list[int]:
        """Export what was committed since; return the events' numbers."""
        done = self.auditctl("export", "--committed-since", self.following, *self.options, check=0)
        found = LINE.search(done.err)
        assert found is not None
        self.following = found[1]
        new = [int(row["event_id"]) for row in csv.DictReader(io.StringIO(done.out))]
        self.numbers += new
        return new


TABLES = "create table note (id int primary key)"

db_template = begin_with(audited(TABLES, "note"))


@pytest.fixture
def note(db: str) -> str:
    """A database with an audited table."""
    return db


def test_what_commits_late_is_in_the_export_after_its_commit_and_in_no_other(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    exports = Exports(auditctl)
    with connect(note) as late, connect(note) as prepared:
        late.execute("begin; insert into note values (1); savepoint s; insert into note values (2)")
        late.execute("rollback to s; savepoint t; insert into note values (3); release t")
        prepared.execute("begin; insert into note values (4); prepare transaction 'late'")
        conn.execute("insert into note values (5)")
        first = exports.go_on()
        conn.execute("insert into note values (6)")
        second = exports.go_on()
        late.execute("commit")
        third = exports.go_on()
        conn.execute("commit prepared 'late'")
        exports.go_on()
    last = exports.go_on()
    keys: dict[str, int] = dict(
        conn.execute("select target_id, event_id from auditctl.event where target = 'public.note'").fetchall()
    )
    assert keys["5"] in first
    assert keys["6"] in second
    assert {keys["1"], keys["3"]} <= set(third)
    # The events that record an export are in the next one.
    own = {
        number for (number,) in conn.execute("select event_id from auditctl.event order by 1 desc limit 2").fetchall()
    }
    assert len(last) == 2
    everything = {number for (number,) in conn.execute("select event_id from auditctl.event").fetchall()}
    assert len(exports.numbers) == len(set(exports.numbers))
    assert everything - set(exports.numbers) == own


def test_filters_apply_and_a_move_between_partitions_changes_nothing(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    fill(conn, "2001-02-03", "shop.order", 3)
    exports = Exports(auditctl, "--target", "shop.order", "--order", "desc", "--since", "2001-01-01")
    assert len(exports.go_on()) == 3
    upkeep(note)
    months(conn, "2002-02-01", "2002-02-01")
    fill(conn, "2002-02-03", "shop.order", 2)
    new = exports.go_on()
    assert new == sorted(new, reverse=True)
    assert len(new) == 2
    assert exports.go_on() == []


def test_the_snapshot_is_written_to_a_file_once_the_export_is_complete(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    last = tmp_path / "last"
    done = auditctl("--quiet", "export", "--snapshot-file", last, "--output", tmp_path / "1.csv", check=0)
    assert (done.out, done.err) == ("", "")
    snapshot = last.read_text()
    assert str(Snapshot.parse(snapshot)) + "\n" == snapshot
    conn.execute("insert into note values (1)")
    again = ("export", "--committed-since", snapshot.strip(), "--snapshot-file", last, "--output")
    assert auditctl(*again, tmp_path / "1.csv").code == 2
    assert last.read_text() == snapshot
    auditctl(*again, tmp_path / "2.csv", check=0)
    assert last.read_text() != snapshot
    assert ",public.note,1,CREATE," in (tmp_path / "2.csv").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: f"1{s}", "of another database"),
        (lambda s: s.replace("/", "/1", 1), "of another database"),
        (lambda s: re.sub(r":\d+:", ":9999999:", s), "newer than the database"),
    ],
)
def test_a_snapshot_of_another_place_or_time_is_refused(
    note: str, auditctl: RunAuditctl, change: object, message: str
) -> None:
    exports = Exports(auditctl)
    exports.go_on()
    assert callable(change)
    refused = auditctl("export", "--committed-since", change(exports.following), check=2)
    assert refused.out == ""
    assert message in refused.err
    assert "hint:" in refused.err


ADOPTED: LiteralString = """
    insert into auditctl.event (actor_kind, action, target, new_values, xact_id)
    values ('system', 'CREATE', 'shop.order', '{}', '900000000'), ('system', 'CREATE', 'shop.order', '{}', '3');
    select auditctl_internal.insert_event('auditctl.store', '0001', 'EVENT', null, '{"found": "restored"}', 'adopted')
"""
"""Events that another cluster wrote, whose transactions here are still to come or long past; then an adoption."""


def test_a_snapshot_from_before_an_adoption_is_refused_and_restored_events_are_in_one_export(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    exports = Exports(auditctl)
    exports.go_on()
    conn.execute(ADOPTED)
    refused = auditctl("export", "--committed-since", exports.following, check=2)
    assert refused.out == ""
    assert "was taken before the store was restored here and adopted" in refused.err
    assert refused.err.endswith("Begin again with --committed-since start.\n")
    exports = Exports(auditctl, "--target", "shop.order", "--target", "public.note")
    assert len(exports.go_on()) == 2
    conn.execute("insert into note values (1)")
    assert len(exports.go_on()) == 1
    assert exports.go_on() == []


def test_a_store_that_is_not_adopted_yet_makes_no_export_by_snapshots(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("update auditctl.place set database = 1")
    refused = auditctl("export", "--committed-since", "start", check=3)
    assert (refused.out, "hint: Make it sound here with: auditctl adopt" in refused.err) == ("", True)


def test_lines_of_json_go_on_from_a_snapshot_too(note: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    keys = []
    following = "start"
    for number in (1, 2):
        conn.execute("insert into note values (%s)", [number])
        done = auditctl(
            "export", "--format", "jsonl", "--committed-since", following, "--target", "public.note", check=0
        )
        keys.append([json.loads(line)["target_id"] for line in done.out.splitlines()])
        found = LINE.search(done.err)
        assert found is not None
        following = found[1]
    assert keys == [["1"], ["2"]]


@pytest.mark.parametrize(
    "text",
    ["", "now", "745:750:", "1/2/5:3:", "1/2/3:5:5", "1/2/3:5:2", "1/2/3:9:5,4", "1/2/3:9:4,4", "1/2/0:5:", "1/2/3:5",
     "1/2/3:99999999999999999999:", "1/2/3:5:4,"],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Snapshot.parse(text)
    assert refused.value.hint


def test_an_export_by_times_warns_of_transactions_that_may_commit_events_of_these_times(
    note: str, auditctl: RunAuditctl
) -> None:
    assert "warning" not in auditctl("export", "--since", "1h", check=0).err
    with connect(note) as late:
        late.execute("begin; insert into note values (1)")
        assert "warning: 1 transaction may still commit events of these times." in (
            auditctl("export", "--since", "1h", check=0).err
        )
        assert "warning" not in auditctl("export", check=0).err


def test_the_summary_leads_to_what_was_committed_since(note: str, conn: psycopg.Connection) -> None:
    from auditctl.log import predicates
    from auditctl.log.selection import Selection, cells

    fill(conn, "2026-11-02", "shop.order", 20000)
    conn.execute("vacuum analyze auditctl.event")
    conn.execute("insert into note values (1)")
    row = conn.execute("select max(xact_id::text::numeric) from auditctl.event").fetchone()
    assert row is not None
    selection = Selection((predicates.committed_since(Snapshot(1, 1, int(row[0]), int(row[0]))),))
    plan = conn.execute("explain " + selection.query(cells(safe=False)).as_string(conn)).fetchall()
    assert any("_summary_idx" in line for (line,) in plan)

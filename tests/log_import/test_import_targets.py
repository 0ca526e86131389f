"""Which audited table a line means, by the name the table had when the line was written."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from auditctl import database
from auditctl.log_import import audited_tables
from auditctl.log_import.audited_tables import AuditedTable, AuditedTables, Member, Rename
from tests.capture.test_images import audit


def at(hour: int) -> datetime:
    return datetime(2026, 11, 24, hour, tzinfo=UTC)


RENAMED = AuditedTables(
    registered={"shop.old": at(1), "shop.new": at(10), "shop.newest": at(15)},
    renames=(Rename(at(10), "shop.old", "shop.new"), Rename(at(15), "shop.new", "shop.newest")),
    members={"shop.newest": Member("shop.newest", is_itself=True), "shop.part": Member("shop.newest", is_itself=False)},
)


@pytest.mark.parametrize(
    ("table", "hour", "expected"),
    [
        ("old", 2, AuditedTable("shop.old")),
        ("old", 0, AuditedTable("shop.old")),
        ("old", 11, None),  # another table has the name by now
        ("new", 12, AuditedTable("shop.new")),
        ("new", 9, AuditedTable("shop.old")),  # renamed, but not known under the new name yet
        ("newest", 9, AuditedTable("shop.old")),
        ("newest", 12, AuditedTable("shop.new")),
        ("newest", 16, AuditedTable("shop.newest")),
        ("part", 16, AuditedTable("shop.newest", "shop.part")),
        ("part", 12, AuditedTable("shop.new", "shop.part")),
        ("other", 12, None),
    ],
)
def test_name_means_the_table_that_had_it_then(table: str, hour: int, expected: AuditedTable | None) -> None:
    assert RENAMED.find(("shop", table), at(hour)) == expected


def test_table_that_is_not_audited_may_be_taken_under_its_own_name() -> None:
    assert RENAMED.find(("a.b", "c"), at(1), any_table=True) == AuditedTable('"a.b".c')


def test_names_that_go_round_in_a_circle_end() -> None:
    circle = AuditedTables(
        registered={"s.a": at(5), "s.b": at(5)},
        renames=(Rename(at(6), "s.a", "s.b"), Rename(at(7), "s.b", "s.a")),
        members={},
    )
    assert circle.find(("s", "a"), at(1)) == AuditedTable("s.b")


def test_what_the_database_knows_is_loaded(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create schema shop; create table shop.visit (day integer) partition by range (day)")
    conn.execute("create table shop.visit_1 partition of shop.visit for values from (0) to (1)")
    conn.execute("create table shop.base (id integer); create table shop.child () inherits (shop.base)")
    for name in ("shop.visit", "shop.base"):
        audit(db, name)
    conn.execute("alter table shop.base rename to foundation")
    with database.connect_store(db) as session:
        known = audited_tables.load(session)
    assert known.members == {
        "shop.visit": Member("shop.visit", is_itself=True),
        "shop.visit_1": Member("shop.visit", is_itself=False),
        "shop.foundation": Member("shop.foundation", is_itself=True),
        "shop.child": Member("shop.foundation", is_itself=False),
    }
    assert [(rename.old, rename.new) for rename in known.renames] == [("shop.base", "shop.foundation")]
    assert sorted(known.registered) == ["shop.base", "shop.foundation", "shop.visit"]
    assert known.by_policy == frozenset()
    moment = known.renames[0].at
    before = datetime.fromtimestamp(moment.timestamp() - 1, UTC)
    assert known.find(("shop", "base"), before) == AuditedTable("shop.base")
    assert known.find(("shop", "base"), moment) is None
    assert known.find(("shop", "child"), moment) == AuditedTable("shop.foundation", "shop.child")

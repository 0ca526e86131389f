"""What `doctor` says of months of the log that are gone, were gone, or were emptied, without upkeep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.support.doctoring import carry_out, examine_and_repair, found
from tests.support.retaining import fill, hold, keep, months, upkeep

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

GUARDS: LiteralString = "alter table auditctl.event_2020_01 disable trigger all;"


@pytest.fixture
def month(db: str, conn: psycopg.Connection) -> str:
    """A month with events, which upkeep has seen."""
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer", 5)
    upkeep(db)
    return "auditctl.event_2020_01"


def missing(state: str) -> Finding:
    return Finding(
        Severity.CRITICAL, "log_month_gone", "auditctl.event_2020_01",
        f"Events of 2020-01 are missing, unless a backup has them: auditctl.event_2020_01 {state}, and no upkeep "
        "announced it.",
        "set role auditctl_owner; select auditctl_internal.accept_month('2020-01', 'the loss is known'); reset role;",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "state"),
    [
        ("drop table auditctl.event_2020_01", "is gone"),
        ("alter table auditctl.event_2020_01 rename to event_old", "is gone"),
        (
            "alter table auditctl.event detach partition auditctl.event_2020_01; "
            "alter table auditctl.event_2020_01 set schema public",
            "is gone",
        ),
        (GUARDS + " truncate auditctl.event_2020_01", "had events and is empty"),
        (GUARDS + " delete from auditctl.event_2020_01", "had events and is empty"),
        (
            GUARDS + " delete from auditctl.event_2020_01 where target_id in ('2', '4')",
            "lacks 2 of the events that maintain counted in it",
        ),
        (
            "drop table auditctl.event_2020_01; set role auditctl_owner; "
            "create table auditctl.event_2020_01 partition of auditctl.event "
            "for values from ('2020-01-01 00:00+00') to ('2020-02-01 00:00+00'); "
            "select auditctl_internal.guard_partition('auditctl.event_2020_01'); reset role",
            "had events and is empty",
        ),
    ],
)
def test_a_month_that_upkeep_did_not_end_is_found(
    db: str, month: str, auditctl: RunAuditctl, broken: str, state: str
) -> None:
    tail = " ; alter table auditctl.event_2020_01 enable always trigger event_write_once_row, " \
        "enable always trigger event_write_once_statement" if GUARDS in broken else ""  # fmt: skip
    examine_and_repair(db, broken + tail, [missing(state)], auditctl)
    with connect(db) as conn:
        assert conn.execute(
            "select context ->> 'summary' from auditctl.event where target = 'auditctl.partition' "
            "order by event_id desc limit 1"
        ).fetchall() == [("loss of events accepted: the loss is known",)]


ONE_GONE: LiteralString = (
    GUARDS + " delete from auditctl.event_2020_01 where target_id = '{}'; "
    "alter table auditctl.event_2020_01 enable always trigger event_write_once_row, "
    "enable always trigger event_write_once_statement"
)


def test_events_that_went_without_upkeep_are_not_forgotten_by_it(db: str, month: str, auditctl: RunAuditctl) -> None:
    before = found(db)
    with connect(db) as conn:
        conn.execute(ONE_GONE.format(3))
        upkeep(db)
        conn.execute(ONE_GONE.format(4))
        assert conn.execute(
            "select context ->> 'summary', new_values ->> 'missing' from auditctl.event "
            "where target = 'auditctl.partition' order by event_id desc limit 1"
        ).fetchone() == ("events are missing: 1", "1")
    expected = missing("lacks 2 of the events that maintain counted in it")
    assert [finding for finding in found(db) if finding not in before] == [expected]
    carry_out(expected.remedy, db, auditctl)
    assert found(db) == before
    upkeep(db)
    with connect(db) as conn:
        conn.execute(ONE_GONE.format(5))
    assert [f.meaning for f in found(db) if f not in before] == [
        missing("lacks 1 of the events that maintain counted in it").meaning
    ]


def test_later_events_do_not_make_up_for_missing_ones(db: str, conn: psycopg.Connection, month: str) -> None:
    conn.execute(ONE_GONE.format(3))
    fill(conn, "2020-01-12", "billing.customer", 3)
    lacking = missing("lacks 1 of the events that maintain counted in it").meaning
    assert [f.meaning for f in found(db) if f.check == "log_month_gone"] == [lacking]
    upkeep(db)
    assert [f.meaning for f in found(db) if f.check == "log_month_gone"] == [lacking]


def test_events_that_upkeep_deletes_or_adds_are_not_missing(db: str, conn: psycopg.Connection, month: str) -> None:
    before = found(db)
    hold(conn, "billing.customer", "2")
    keep(conn, "*", "400 days")
    assert [(step["step"], step["kept"]) for step in upkeep(db) if step["step"] == "expire"] == [("expire", 1)]
    fill(conn, "2020-01-12", "billing.customer", 2)
    upkeep(db)
    assert [f for f in found(db) if f.check == "log_month_gone"] == []
    assert conn.execute("select events, missing from auditctl.month where month = '2020-01'").fetchone() == (2, 0)
    assert not any(f.check == "log_month_gone" for f in before)


def test_a_month_that_maintain_creates_again_is_not_forgotten(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    before = found(db)
    conn.execute(
        "do $$ begin execute 'drop table auditctl.' || auditctl_internal.month_table(now()::timestamp); end $$"
    )
    upkeep(db)
    new = [finding for finding in found(db) if finding not in before]
    assert [(f.check, "was gone until" in f.meaning) for f in new] == [("log_month_gone", True)]
    assert conn.execute(
        "select context ->> 'summary' from auditctl.event where target = 'auditctl.partition' order by event_id limit 1"
    ).fetchone() == ("partition was gone, and is created again, empty",)
    carry_out(new[0].remedy, db, auditctl)
    assert found(db) == before


def test_months_that_expired_and_months_that_the_log_alone_knows(db: str, conn: psycopg.Connection, month: str) -> None:
    keep(conn, "*", "400 days")
    assert [step["partition"] for step in upkeep(db)] == [month]
    before = found(db)
    assert not any(finding.check == "log_month_gone" for finding in before)
    with pytest.raises(psycopg.DatabaseError) as error:
        conn.execute("delete from auditctl.month")
    assert error.value.sqlstate == "UA001"
    conn.execute("drop table auditctl.event_default; alter table auditctl.month disable trigger all")
    assert [f.check for f in found(db) if f not in before] == ["log_default_gone"]


def test_a_missing_default_partition_is_found(db: str, auditctl: RunAuditctl) -> None:
    expected = Finding(
        Severity.CRITICAL, "log_default_gone", "auditctl.event_default",
        "Events may be missing, and writes to audited tables fail once no partition fits: auditctl.event_default is "
        "not part of the log.",
        "set role auditctl_owner; create table auditctl.event_default partition of auditctl.event default; "
        "select auditctl_internal.guard_partition('auditctl.event_default'); reset role;",
    )  # fmt: skip
    examine_and_repair(db, "drop table auditctl.event_default", [expected], auditctl)


def test_code_that_is_not_of_this_version_is_found(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    expected = Finding(
        Severity.CRITICAL, "store_code", "function auditctl_internal.utc",
        "function auditctl_internal.utc is not what this version creates: somebody may have changed what is recorded, "
        "or run code in the sessions of others, which is why auditctl runs nothing as a superuser until it is "
        "repaired.",
        "auditctl install",
    )  # fmt: skip
    reader = login("reader", roles=["auditctl_reader"])
    before = found(reader.dsn)
    conn.execute("alter function auditctl_internal.utc(timestamp) security definer")
    by_superuser = replace(expected, remedy="as a superuser: auditctl install")
    assert [finding for finding in found(reader.dsn) if finding not in before] == [by_superuser]
    assert found(db) == [expected]
    carry_out(expected.remedy, db, auditctl)
    assert found(reader.dsn) == before

"""`auditctl doctor` on upkeep: what is not done, and what will be deleted unless somebody objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.doctor.model import Finding, Severity
from tests.support.doctoring import carry_out, examine_and_repair, found
from tests.support.retaining import LONG_AGO, fill, hold, keep, months

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

WARNING, NOTICE = Severity.WARNING, Severity.NOTICE


OF_UPKEEP = ("move_unfinished", "maintain_late", "retention_overdue", "retention_shortened", "hold_old")


def of_upkeep(dsn: str) -> list[Finding]:
    """What is found about upkeep."""
    return [finding for finding in found(dsn) if finding.check in OF_UPKEEP]


def test_upkeep_that_does_not_run_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    def broken() -> None:
        months(conn, "2020-01-01", "2020-01-01")
        fill(conn, "2020-01-10", "billing.customer")
        keep(conn, "*", "400 days")
        conn.execute(LONG_AGO)

    late = Finding(
        WARNING, "maintain_late", "auditctl.maintenance",
        "Nothing was deleted yet, although retention is configured: maintain does not run.",
        "auditctl maintain",
    )  # fmt: skip
    overdue = Finding(
        WARNING, "retention_overdue", "auditctl.event_2020_01",
        "auditctl.event_2020_01 holds events that should have been deleted.", "auditctl maintain",
    )  # fmt: skip
    examine_and_repair(db, broken, [late, overdue], auditctl)


def test_upkeep_that_stopped_running_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    keep(conn, "*", "400 days")
    conn.execute(LONG_AGO)
    auditctl("maintain", check=0)
    assert [finding for finding in found(db) if finding.check == "maintain_late"] == []
    conn.execute("update auditctl.maintenance set ran_at = timestamptz '2026-01-02 12:00+00'")
    (late,) = (finding for finding in found(db) if finding.check == "maintain_late")
    assert late.meaning.startswith("Nothing was deleted since 2026-01-02, although")


def test_a_move_that_was_stopped_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    fill(conn, "2001-02-03", "billing.customer")
    conn.execute("select auditctl.maintain_step()")
    conn.execute("update auditctl.maintenance set moving_since = '2026-01-02 12:00+00'")
    stopped = Finding(
        WARNING, "move_unfinished", "auditctl.event_moving",
        "Each event of the DEFAULT partition is written twice since 2026-01-02 12:00 UTC: maintain was stopped while "
        "it moved them.", "auditctl maintain",
    )  # fmt: skip
    assert of_upkeep(db) == [stopped]
    carry_out(stopped.remedy, db, auditctl)
    assert of_upkeep(db) == []


def test_a_shorter_time_is_found_before_it_counts(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    day = conn.execute("select to_char((now() + interval '7 days') at time zone 'UTC', 'YYYY-MM-DD')").fetchone()
    assert day is not None
    unseen, seen = (
        Finding(
            NOTICE, "retention_shortened", "auditctl.retention *",
            f"Events of every target may be deleted {when}: postgres stated a shorter time than forever.",
            "select auditctl.set_retention('*', 'forever');",
        )
        for when in ("7 days after the next run of maintain", f"from {day[0]} on")
    )  # fmt: skip
    examine_and_repair(db, lambda: keep(conn, "*", "400 days", noticed=False), [unseen], auditctl)
    keep(conn, "*", "400 days", noticed=False)
    auditctl("maintain", check=0)
    assert of_upkeep(db) == [seen]


def test_a_released_hold_is_found_before_it_counts(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    number = hold(conn, "billing.*")
    conn.execute("select auditctl.release_hold(%s, 'closed')", [number])
    (released,) = of_upkeep(db)
    assert (released.object, released.remedy) == (
        f"auditctl.hold {number}",
        "select auditctl.place_hold('billing.*', NULL, 'case 7');",
    )
    carry_out(released.remedy, db, auditctl)
    assert of_upkeep(db) == []


def test_an_old_hold_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    number = hold(conn, "billing.customer", "7")
    conn.execute("alter table auditctl.hold disable trigger hold_guarded")
    conn.execute("update auditctl.hold set placed_at = '2024-05-06 12:00+00'")
    conn.execute("alter table auditctl.hold enable always trigger hold_guarded")
    assert of_upkeep(db) == [
        Finding(
            NOTICE, "hold_old", f"auditctl.hold {number}",
            "The events of billing.customer 7 are held since 2024-05-06, for case 7.",
            f"auditctl hold release {number} --reason 'no longer needed'",
        )
    ]  # fmt: skip


def test_a_hold_that_keeps_no_event_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01-10", "billing.customer", 3)
    conn.execute("insert into auditctl.hold (target, target_id, reason) values ('billing.*', '2', 'case 8')")
    hold(conn, "billing.customer")

    def broken() -> None:
        hold(conn, "billing.customer", "4")
        conn.execute("select auditctl.place_hold('billing.cust', null, 'case 9')")

    def empty(number: int, target: str, reason: str) -> Finding:
        return Finding(
            WARNING, "hold_empty", f"auditctl.hold {number}",
            f"The log has no event of {target}, which is held for {reason}: what was to be held may be under another "
            "name or key, and be deleted.",
            f"auditctl hold release {number} --reason 'keeps no event'",
        )  # fmt: skip

    before = found(db)
    broken()
    assert [finding for finding in found(db) if finding not in before] == [
        empty(3, "billing.customer 4", "case 7"), empty(4, "billing.cust", "case 9")
    ]  # fmt: skip
    for number in (3, 4):
        carry_out(f"auditctl hold release {number} --reason 'keeps no event'", db, auditctl)
    assert [f for f in found(db) if f.check == "hold_empty"] == []


def test_statements_that_can_be_rewritten_or_go_unrecorded_are_found(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    def broken() -> None:
        conn.execute("drop trigger hold_guarded on auditctl.hold; drop trigger hold_recorded on auditctl.hold")
        conn.execute("alter table auditctl.retention disable trigger user")
        conn.execute("drop trigger key_change_write_once_row on auditctl.key_change")

    def unrecorded(table: str, creates: str = "") -> Finding:
        return Finding(
            WARNING, "rule_unrecorded", f"auditctl.{table}",
            f"What auditctl.{table} says can be changed without an event: the trigger that records it is missing "
            "or off.",
            f"set role auditctl_owner; {creates}alter table auditctl.{table} enable always trigger {table}_recorded; "
            "reset role;",
        )  # fmt: skip

    def unguarded(table: str, repairs: str) -> Finding:
        return Finding(
            WARNING, "statement_unguarded", f"auditctl.{table}",
            f"What auditctl.{table} says can be rewritten and back-dated, and may have been: its guard is missing "
            "or off.",
            f"set role auditctl_owner; {repairs} reset role;",
        )  # fmt: skip

    expected = [
        unrecorded(
            "hold",
            "create or replace trigger hold_recorded after insert or update on auditctl.hold for each row "
            "execute function auditctl_internal.record_statement('hold_id'); ",
        ),
        unrecorded("retention"),
        unguarded(
            "hold",
            "create or replace trigger hold_guarded before insert or update or delete on auditctl.hold for each "
            "row "
            "execute function auditctl_internal.guard_hold(); alter table auditctl.hold enable always trigger "
            "hold_guarded; ",
        ),
        unguarded(
            "key_change",
            "create or replace trigger key_change_write_once_row before update or delete on auditctl.key_change "
            "for each row execute function auditctl_internal.guard_key_change(); "
            "alter table auditctl.key_change enable always trigger key_change_write_once_row; ",
        ),
        unguarded(
            "retention",
            "alter table auditctl.retention enable always trigger retention_guarded; "
            "alter table auditctl.retention enable always trigger retention_guarded_statement; ",
        ),
    ]
    examine_and_repair(db, broken, expected, auditctl)

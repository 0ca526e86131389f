"""`auditctl doctor` on reads: whose reads leave no event is found, and the remedy repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.doctoring import examine_and_repair, found
from tests.support.reading import SALARY, audit_reads

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

CRITICAL, WARNING, NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE


def prepare(dsn: str) -> None:
    """Make a table whose reads are audited."""
    with connect(dsn) as conn:
        conn.execute(SALARY)
    audit_reads(dsn, "salary")


db_template = begin_with(prepare)


def reading(dsn: str) -> list[Finding]:
    return [finding for finding in found(dsn) if finding.check.startswith("read_")]


def test_recorded_reads_alone_are_no_finding(db: str) -> None:
    assert reading(db) == []


def test_row_security_that_was_switched_off_is_found(db: str, auditctl: RunAuditctl) -> None:
    expected = Finding(
        CRITICAL, "read_silent", "public.salary",
        "Reads of public.salary leave no event, or those by its owner: Row security is off.", "auditctl apply --yes",
    )  # fmt: skip
    examine_and_repair(db, "alter table salary disable row level security", [expected], auditctl)


def test_a_policy_that_is_gone_is_found(db: str, auditctl: RunAuditctl) -> None:
    expected = Finding(
        CRITICAL, "capture_changed", "public.salary read",
        "Events of read on public.salary may be missing or wrong: Policy auditctl_read is gone.",
        "auditctl apply --yes",
    )  # fmt: skip
    examine_and_repair(db, "drop policy auditctl_read on salary", [expected], auditctl)


def test_a_partition_without_the_policies_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table whole (id integer) partition by range (id)")
    audit_reads(db, "whole")
    expected = Finding(
        CRITICAL, "member_uncaptured", "public.part",
        "No read of public.part itself leaves an event, although it belongs to public.whole, which is audited.",
        "auditctl apply --yes",
    )  # fmt: skip
    examine_and_repair(db, "create table part partition of whole for values from (0) to (9)", [expected], auditctl)


def test_a_login_that_row_security_does_not_hold_is_found(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    eve = login("eve", attributes="bypassrls")
    expected = Finding(
        NOTICE, "read_bypass", eve.name,
        f"{eve.name} reads public.salary without leaving an event: row security does not hold logins with BYPASSRLS.",
        f"alter role {eve.name} nobypassrls;",
    )  # fmt: skip
    assert reading(db) == [expected]
    conn.execute(expected.remedy.encode())
    assert reading(db) == []


def test_an_owner_whose_reads_are_not_recorded_is_found(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    owner = login("owner")
    conn.execute(sql.SQL("alter table salary owner to {}").format(sql.Identifier(owner.name)))
    assert reading(db) == [
        Finding(
            NOTICE, "read_owner", "public.salary",
            f"{owner.name}, who owns public.salary, reads it without leaving an event.",
            "Enable the table again with --read-force, or give it to another role: "
            "alter table public.salary owner to ROLE",
        )
    ]  # fmt: skip
    audit_reads(db, "salary", read_force=True)
    assert reading(db) == []


def test_policies_without_effect_are_found(db: str, auditctl: RunAuditctl) -> None:
    expected = Finding(
        WARNING, "read_open", "public.salary",
        "The policies few of public.salary hide nothing: the policy auditctl_open lets every row through.",
        "drop policy auditctl_open on public.salary;",
    )  # fmt: skip
    examine_and_repair(db, "create policy few on salary using (id = 1)", [expected], auditctl)


def test_a_policy_that_shows_the_secrets_is_found(db: str, auditctl: RunAuditctl) -> None:
    expected = Finding(
        CRITICAL, "log_key_open", "p on auditctl.log_key",
        "A login that may select from auditctl.log_key can forge reads and hide its own: the policy p shows it.",
        "set role auditctl_owner; drop policy p on auditctl.log_key; reset role;",
    )  # fmt: skip
    examine_and_repair(db, "create policy p on auditctl.log_key for select using (true)", [expected], auditctl)

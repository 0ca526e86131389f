"""`auditctl doctor` on dumps: who can make a whole one, and what a dump or a reader would miss without an error."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.doctor.model import Finding, Severity
from tests.support.doctoring import examine_and_repair, found
from tests.support.reading import SALARY, audit_reads

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow

CRITICAL, NOTICE = Severity.CRITICAL, Severity.NOTICE

OWNER = "set role auditctl_owner; {} reset role;"


@pytest.fixture
def eve(login: MakeLogin) -> Login:
    """A login with a name that must be quoted, and no rights."""
    return login("Eve 'n")


def quoted(login: Login) -> str:
    return f'"{login.name}"'


def test_a_role_that_can_dump_everything_is_found_until_it_is_named(
    db: str, conn: psycopg.Connection, eve: Login, auditctl: RunAuditctl
) -> None:
    conn.execute(SALARY)
    audit_reads(db, "salary")
    examine_and_repair(
        db,
        f"alter role {quoted(eve)} bypassrls; grant pg_read_all_data to {quoted(eve)}",
        [
            Finding(
                NOTICE, "role_backup", eve.name,
                f"{eve.name} can read every table without leaving an event, the secrets of the log included: if it "
                "makes backups, name it as a backup role; otherwise it should not have BYPASSRLS.",
                f"auditctl backup-role {shlex.quote(eve.name)}",
            )
        ],
        auditctl,
    )  # fmt: skip
    assert f"A whole pg_dump can be made by: superusers, {eve.name}\n" in auditctl("doctor").err
    auditctl("revoke", "backup", eve.name, check=0)
    assert "A whole pg_dump can be made by: superusers\n" in auditctl("doctor").err


@pytest.mark.parametrize("more", ["grant pg_write_all_data to {}", "grant auditctl_owner to {}"])
def test_a_backup_role_that_can_write_is_found_as_any_other(
    db: str, conn: psycopg.Connection, eve: Login, auditctl: RunAuditctl, more: str
) -> None:
    auditctl("backup-role", eve.name, check=0)
    assert [finding for finding in found(db) if finding.object == eve.name] == []
    conn.execute(more.format(quoted(eve)).encode())
    assert "role_bypass_rls" in [finding.check for finding in found(db) if finding.object == eve.name]


def hidden(relation: str, reason: str, remedy: str) -> Finding:
    return Finding(
        CRITICAL, "log_hidden", relation,
        f"Readers of {relation}, and dumps by logins that row security holds, may miss rows without an error: "
        f"{reason}.",
        OWNER.format(remedy),
    )  # fmt: skip


REOPEN = "select auditctl_internal.open_store_to_dumps();"


@pytest.mark.parametrize(
    ("relation", "broken"),
    [
        ("auditctl.event_default", "drop policy is_readable on auditctl.event_default"),
        ("auditctl.rule", "alter policy rule_is_readable on auditctl.rule using (name <> 'x')"),
        ("auditctl.event", "alter policy event_is_readable on auditctl.event to auditctl_reader"),
        ("auditctl.log_key", "drop policy log_key_is_secret on auditctl.log_key"),
    ],
)
def test_a_table_that_a_dump_would_miss_is_found(db: str, auditctl: RunAuditctl, relation: str, broken: str) -> None:
    examine_and_repair(db, broken, [hidden(relation, "no policy shows them", REOPEN)], auditctl)


@pytest.mark.parametrize("command", ["select", "all"])
def test_a_policy_that_hides_events_from_readers_is_found(db: str, auditctl: RunAuditctl, command: str) -> None:
    remedy = "drop policy blind on auditctl.event;"
    broken = f"create policy blind on auditctl.event as restrictive for {command} using (actor <> 'eve')"
    expected = [hidden("auditctl.event", "the policy blind hides some", remedy)]
    if command == "all":
        expected.append(
            Finding(
                Severity.WARNING, "log_policy", "blind on auditctl.event",
                "A member of pg_write_all_data can write to auditctl.event: the policy blind allows it.",
                "set role auditctl_owner; drop policy blind on auditctl.event; reset role;",
            )
        )  # fmt: skip
        expected = expected[:2]
    examine_and_repair(db, broken, expected, auditctl)

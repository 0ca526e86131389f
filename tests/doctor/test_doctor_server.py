"""`auditctl doctor` on the server: settings that silence triggers, settings that a crash punishes, and old versions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from auditctl import database, store
from auditctl.doctor.examine import examine
from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.support.doctoring import carry_out, examine_and_repair, found

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

WARNING = Severity.WARNING
PAGE = "https://www.postgresql.org"


@pytest.fixture
def eve(login: MakeLogin) -> Login:
    """A login with a name that must be quoted, and no rights."""
    return login("Eve")


def crash(name: str, remedy: str) -> Finding:
    return Finding(
        WARNING,
        "server_crash",
        name,
        f"A crash of the server can lose or damage events of committed transactions: {name} is off.",
        remedy,
    )


@pytest.mark.parametrize("parameter", ["session_replication_role", "event_triggers"])
def test_a_grant_of_what_silences_triggers_is_found(
    db: str, eve: Login, server: EmbeddedServer, auditctl: RunAuditctl, parameter: str
) -> None:
    if not has(db, parameter):
        return
    expected = Finding(
        WARNING, "setting_grant", f"{parameter} by {eve.name}",
        f"{eve.name} may set {parameter}, and so keep triggers, and what they guard, from firing.",
        f'revoke all on parameter {parameter} from "{eve.name}" cascade;',
    )  # fmt: skip
    examine_and_repair(db, f'grant set on parameter {parameter} to "{eve.name}"', [expected], auditctl)


def has(db: str, parameter: str) -> bool:
    """Whether the server has a setting, and can grant it."""
    with connect(db) as conn:
        known = conn.execute("select from pg_settings where name = %s", [parameter]).rowcount
        return bool(known) and conn.info.server_version >= 150000


@pytest.mark.parametrize("scope", ["role", "database", "role in database"])
def test_sessions_that_start_in_replica_mode_are_found(db: str, eve: Login, auditctl: RunAuditctl, scope: str) -> None:
    with connect(db) as conn:
        name = conn.info.dbname
    subject, clause = {
        "role": (f"role {eve.name}", f'role "{eve.name}"'),
        "database": (name, f"database {name}"),
        "role in database": (f"role {eve.name} in database {name}", f'role "{eve.name}" in database {name}'),
    }[scope]
    expected = Finding(
        WARNING, "setting_default", f"session_replication_role for {subject}",
        "Sessions start with session_replication_role = replica: then only triggers fire that fire always, or no event "
        "trigger does.",
        f"alter {clause} reset session_replication_role;",
    )  # fmt: skip
    examine_and_repair(db, f"alter {clause} set session_replication_role = replica", [expected], auditctl)


def test_sessions_that_start_without_event_triggers_are_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    if not has(db, "event_triggers"):
        return
    expected = Finding(
        WARNING, "setting_default", f"event_triggers for role {eve.name}",
        "Sessions start with event_triggers = off: then only triggers fire that fire always, or no event trigger does.",
        f'alter role "{eve.name}" reset event_triggers;',
    )  # fmt: skip
    examine_and_repair(db, f'alter role "{eve.name}" set event_triggers = off', [expected], auditctl)


def test_the_server_of_the_tests_is_not_safe_from_a_crash(db: str) -> None:
    assert [finding for finding in found(db) if finding.check == "server_crash"] == [
        crash("fsync", "Start the server without -c fsync=off."),
        crash("full_page_writes", "Start the server without -c full_page_writes=off."),
    ]


def test_settings_of_the_whole_server_are_found_and_set_back(
    sound_server: EmbeddedServer, auditctl: RunAuditctl
) -> None:
    dsn = sound_server.dsn()
    store.install(dsn)
    before = found(dsn)
    assert [finding for finding in before if finding.check in ("server_crash", "setting_default")] == []
    with connect(dsn) as conn:
        for setting in ("fsync = off", "full_page_writes = off", "session_replication_role = replica"):
            conn.execute(f"alter system set {setting}".encode())
        conn.execute("select pg_reload_conf()")
    reset = "alter system reset session_replication_role; select pg_reload_conf();"
    expected = [
        Finding(
            WARNING, "setting_default", "session_replication_role",
            "Sessions start with session_replication_role = replica: then only triggers fire that fire always, or no "
            "event trigger does.",
            reset,
        ),
        crash("fsync", "alter system set fsync = on; select pg_reload_conf();"),
        crash("full_page_writes", "alter system set full_page_writes = on; select pg_reload_conf();"),
    ]  # fmt: skip
    wait_for(dsn, [*before, *expected])
    for finding in expected:
        carry_out(finding.remedy, dsn, auditctl)
    wait_for(dsn, before)


def wait_for(dsn: str, wanted: list[Finding]) -> None:
    """Wait until the server has read its settings again, as it does some moments after it was told to."""
    while sorted(found(dsn), key=str) != sorted(wanted, key=str):
        pass


@pytest.mark.parametrize(("today", "is_old"), [(date(2026, 1, 1), False), (date(2040, 1, 1), True)])
def test_a_series_without_corrections_is_found(db: str, today: date, is_old: bool) -> None:
    with database.connect(db) as conn:
        major = conn.info.server_version // 10000
        findings = examine(conn, today=today).findings
    last = {14: "2026-11-12", 15: "2027-11-11", 16: "2028-11-09", 17: "2029-11-08", 18: "2030-11-14"}[major]
    old = Finding(
        WARNING, "server_end_of_life", f"PostgreSQL {major}",
        f"Faults of the server are no longer fixed: its series had its last release on {last}.",
        f"Upgrade the server to a newer series: {PAGE}/docs/current/upgrading.html",
    )  # fmt: skip
    assert [finding for finding in findings if finding.check == "server_end_of_life"] == ([old] if is_old else [])


@pytest.mark.parametrize("version", ["19devel", "19beta2", "19rc1 (Debian 19~rc1-1)"])
def test_a_server_that_is_no_release_is_found(db: str, version: str) -> None:
    with database.connect(db) as conn:
        findings = examine(conn, server_version=version).findings
    assert [finding for finding in findings if finding.check == "server_prerelease"] == [
        Finding(
            WARNING, "server_prerelease", f"PostgreSQL {version}",
            "The server is a prerelease: the next version may not be able to read its files, the log's included.",
            f"Install a release: {PAGE}/download/",
        )
    ]  # fmt: skip

"""`auditctl doctor` on consumers: who does not read, whose login is gone, and who is behind what was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.doctor.model import Finding, Severity
from tests.support.doctoring import examine_and_repair, found
from tests.support.retaining import keep

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl


def test_consumer_that_does_not_read_or_whose_login_is_gone_is_found(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl("follow", "--once", "--consumer", "well", check=0)

    def broken() -> None:
        auditctl("follow", "--once", "--consumer", "a late one", check=0)
        conn.execute("update auditctl.consumer set read_at = '2026-01-02' where name = 'a late one'")
        auditctl("follow", "--once", "--consumer", "orphan", check=0)
        conn.execute("update auditctl.consumer set owner = 'gone' where name = 'orphan'")

    late = Finding(
        Severity.WARNING, "consumer_behind", "auditctl.consumer a late one",
        "What is deleted when its time is over may be lost to the consumer of postgres: it has not read since "
        "2026-01-02.",
        "auditctl follow --drop='a late one'",
    )  # fmt: skip
    orphan = Finding(
        Severity.WARNING, "consumer_behind", "auditctl.consumer orphan",
        "What is deleted when its time is over may be lost to the consumer of gone: that login does not exist any "
        "more.",
        "auditctl follow --drop=orphan",
    )  # fmt: skip
    examine_and_repair(db, broken, [late, orphan], auditctl)


def test_consumer_that_is_behind_what_was_deleted_is_critical(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl("follow", "--once", "--consumer", "siem", check=0)
    keep(conn, "*", "30 days")
    conn.execute("update auditctl.consumer set read_at = '2026-01-02', taken_at = '2026-01-02'")
    (finding,) = (one for one in found(db) if one.check == "consumer_behind")
    assert finding.severity is Severity.CRITICAL
    assert finding.meaning.endswith("it has not read since 2026-01-02, and events of that time have expired.")

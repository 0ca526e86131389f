"""`auditctl doctor` on evidence: a log that is no longer sealed, anchored or verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.doctor.model import Finding, Severity
from tests.support import sealing
from tests.support.doctoring import found

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow

OF_EVIDENCE = ("seal_late", "anchor_late", "verify_late")


def of_evidence(dsn: str) -> list[Finding]:
    return [finding for finding in found(dsn) if finding.check in OF_EVIDENCE]


def expected(sealed: object, anchored: str, verified: str) -> list[Finding]:
    return [
        Finding(
            Severity.WARNING, "seal_late", "auditctl.block",
            "Events since then can be altered without a trace in the evidence: the log was last sealed on "
            f"{sealed}.",
            "auditctl seal --key FILE",
        ),
        Finding(
            Severity.NOTICE, "anchor_late", "auditctl.checkpoint",
            "Who can change the database and has the key can seal another history: its checkpoints were last copied "
            f"to another place {anchored}.",
            "auditctl checkpoint --output PATH",
        ),
        Finding(
            Severity.NOTICE, "verify_late", "auditctl.block",
            f"Nobody would know that it was altered: the log was last verified {verified}.",
            "auditctl verify --public-key FILE",
        ),
    ]  # fmt: skip


def day(conn: psycopg.Connection, days: int) -> str:
    (then,) = conn.execute(
        "select (timezone('UTC', now()) - make_interval(days => %s))::date::text", [days]
    ).fetchone() or ("",)
    return str(then)


def age(conn: psycopg.Connection, days: int) -> None:
    """Make what happened as old as that."""
    conn.execute("set session_replication_role = replica; alter table auditctl.block disable trigger user")
    conn.execute(f"update auditctl.block set sealed_at = sealed_at - interval '{days} days'".encode())
    conn.execute("alter table auditctl.block enable always trigger block_guarded, "
                 "enable always trigger block_guarded_statement; reset session_replication_role")  # fmt: skip
    conn.execute(f"update auditctl.run set ran_at = ran_at - interval '{days} days', "
                 f"sound_at = sound_at - interval '{days} days'".encode())  # fmt: skip


def test_sealed_log_that_nobody_seals_anchors_or_verifies_is_found(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    assert of_evidence(db) == []
    sealing.seal(db, sealing.make_keys(tmp_path))
    assert of_evidence(db) == []
    age(conn, 8)
    assert of_evidence(db) == expected(day(conn, 8), "never", "never")
    for run in ("seal", "checkpoint", "verify"):
        conn.execute("select auditctl.record_run(%s, true, 0)", [run])
    assert of_evidence(db) == []
    age(conn, 36)
    then = day(conn, 36)
    assert of_evidence(db) == expected(then, f"on {then}", f"on {then}")

"""Verification finds what hides from its queries, and takes no event for an announcement of something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import sealing
from tests.support.verifying import Log, fill, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

log = sealed_log

FORGED = """
    insert into auditctl.event (event_id, occurred_at, xact_id, actor_kind, action, target) overriding system value
    select -7, '2026-11-01', (max(xact_id)::text::bigint - 1)::text::xid8, 'system', 'EVENT', 'public.item'
      from auditctl.event where target = 'public.item'
"""

CAST = """
    create function hide(xid8) returns text language sql immutable as $$
        select case when textin(xid8out($1)) = '{}' then '0' else textin(xid8out($1)) end
    $$;
    create cast (xid8 as text) with function hide(xid8)
"""

HIDING = (
    "update auditctl.incarnation set last_sealed_event_id = -5, adoption_event_id = -5",
    CAST,
)


@pytest.mark.parametrize("hide", HIDING)
def test_forged_event_that_no_query_by_block_returns_is_found(log: Log, hide: str) -> None:
    log.conn.execute(FORGED.encode())
    (number,) = log.conn.execute("select xact_id::text from auditctl.event where event_id = -7").fetchone() or ("",)
    log.conn.execute(hide.replace("{}", number).encode())
    (finding,) = [f for f in log.verify()["findings"] if f["kind"] != "capture"]
    assert finding["kind"] == "added"
    assert "1 event of the log is in no block" in finding["sentence"]


def test_capture_that_vanished_is_found_though_upkeep_or_a_consumer_recorded_events(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(db)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    log.seal()
    (partition,) = conn.execute("select tableoid::regclass::text from auditctl.event limit 1").fetchone() or ("",)
    conn.execute("create function skip() returns trigger language plpgsql as 'begin return null; end'")
    conn.execute("drop event trigger auditctl_guard_ddl; drop event trigger auditctl_guard_drop")
    conn.execute(
        f"drop trigger auditctl_update on item;"
        f"create trigger skip before insert on {partition} for each row execute function skip()".encode()
    )
    for target in ("partition", "consumer"):
        conn.execute("select auditctl_internal.insert_event(%s, 'x', 'EVENT', null, '{}', 'x')", [f"auditctl.{target}"])
    log.seal()
    found = [f["sentence"].partition(":")[0] for f in log.verify()["findings"]]
    assert found == [
        "event trigger auditctl_guard_ddl",
        "event trigger auditctl_guard_drop",
        "trigger auditctl_update on public.item",
        f"trigger skip on {partition}",
    ]


def test_write_once_that_a_transaction_switched_off_is_announced_by_an_installation_alone(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(db)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    log.seal()
    with conn.transaction():
        conn.execute("alter table auditctl.block disable trigger user")
        conn.execute("select auditctl_internal.insert_event('auditctl.capture', 'x', 'EVENT', null, '{}', 'x')")
    log.seal()
    assert {f["kind"] for f in log.verify()["findings"]} == {"capture"}

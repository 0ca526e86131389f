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

pytestmark = pytest.mark.slow

log = sealed_log

FORGED = """
    insert into auditctl.event (event_id, occurred_at, xact_id, actor_kind, action, target) overriding system value
    select -7, '2026-11-01', (max(xact_id::text::bigint) - 1)::text::xid8, 'system', 'EVENT', 'public.item'
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
    assert finding["event_id"] == -7 or "1 event of the log is in no block" in finding["sentence"]


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


STATE = """
    update auditctl.block
       set state = '{}', record = regexp_replace(
               record, '"capture":"[0-9a-f]*"', '"capture":"' || encode(sha256(convert_to('{}', 'UTF8')), 'hex') || '"'
           )
     where number = 2
"""

UNREADABLE = (
    *(
        STATE.replace("{}", state)
        for state in (
            '{"kind":"trigger","name":"a","xmin":"x"}',
            '{"kind":"trigger","name":5,"xmin":1e400}',
            '{"kind":null,"name":"a","xmin":null}',
        )
    ),
    'update auditctl.block set record = left(record, -1) || \',"fork":{"checkpoint":5}}\' where number = 2',
    "update auditctl.block set sealed_at = 'infinity' where number = 2",
    "update auditctl.block set checks = substr(checks, 1, 20); update auditctl.event set actor = 'eve'",
    "update auditctl.block set secret = null, events = 100000 where number = 1",
    """
    insert into auditctl.erasure (event_id, occurred_at, erased_in, places, reason, block, units)
    select event_id, occurred_at, 0, '{values.v}', 'r', 1, '{x}' from auditctl.event where event_id = 10;
    update auditctl.block set secret = null, salts = 'x' where number = 1
    """,
)


def test_evidence_that_cannot_be_read_is_a_finding_and_no_error(log: Log) -> None:
    for table in ("block", "event"):
        log.conn.execute(f"create table public.{table} as select * from auditctl.{table}".encode())
    for statement in UNREADABLE:
        log.conn.execute(statement.encode())
        assert log.found("--since", "2d"), statement
        for table in ("block", "event"):
            log.conn.execute(
                f"delete from auditctl.{table}; insert into auditctl.{table} overriding system value "
                f"table public.{table}".encode()
            )


def test_store_that_was_adopted_before_its_first_seal_verifies(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(db)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    conn.execute("insert into item values (1, 'v')")
    adopted = "select auditctl_internal.insert_event('auditctl.store', 'x', 'EVENT', null, '{\"found\": {}}', 'x')"
    for number in (2, 3):
        conn.execute(adopted.encode())
        conn.execute("insert into item values (%s, 'v')", [number])
        log.seal()
    assert log.verify(check=0)["findings"] == []

"""`auditctl show`: one event whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded import HEADER, Recorded, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl


def test_event_is_shown_with_every_field(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(context='{"reason": "4711"}'))
    result = auditctl("show", str(event), check=0)
    fields = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert fields == {
        "event_id": str(event),
        "created_on": "2026-03-01T12:00:00.123456Z",
        "ip_address": "203.0.113.7",
        "user": "alice",
        "target": "billing.customer",
        "target_id": "7",
        "action": "UPDATE",
        "details": "balance: 10.00 → 12.50",
        "reason": "4711",
        "old_values": '{"balance": 10.00}',
        "new_values": '{"balance": 12.50}',
        "db_user": "web",
        "actor_kind": "application",
        "xact_id": "700",
        "context": '{"reason": "4711"}',
    }


def test_long_values_are_wrapped_and_not_cut(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(target_id="k" * 500))
    out = auditctl("show", str(event), env={"COLUMNS": "60"}, check=0).out
    assert out.count("k") == 500 + 1  # and one in `ok`-less field names: context has none, `_kind` has
    assert max(map(len, out.splitlines())) <= 60


def test_json_is_one_object_equal_to_its_line_in_the_log(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(old=None, new='{"n": 1.10}', action="CREATE"))
    shown = auditctl("show", str(event), "--format", "json", check=0).out
    assert list(json.loads(shown)) == HEADER.split(",")
    assert shown == auditctl("log", "--target", "customer", "--format", "jsonl").out
    assert shown == auditctl("show", str(event), "--format", "jsonl", check=0).out


def test_csv_is_header_and_record(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded())
    shown = auditctl("show", str(event), "--format", "csv", check=0).out
    assert shown == auditctl("log", "--target", "customer", "--format", "csv").out


@pytest.mark.parametrize("event", ["999999", "0", "-1", "x", "9223372036854775808"])
def test_unknown_event_is_a_usage_error(auditctl: RunAuditctl, db: str, event: str) -> None:
    result = auditctl("show", "--", event, check=2)
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert "hint: " in result.err

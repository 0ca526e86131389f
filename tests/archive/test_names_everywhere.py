"""Names in filters over the log and its archived months: what either knows is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.archived import move_month
from tests.support.recorded import Recorded, ids, record, switch_lookups_off

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TARGET = """
    insert into auditctl.target (target, key_columns, key_types)
    values ('shop.price', '{amount}', array[row('numeric'::regtype, -1, null, false)::auditctl.key_type])
"""


def test_what_only_archived_months_have_is_found(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    switch_lookups_off(conn)
    conn.execute(TARGET)
    conn.execute("select auditctl_internal.create_partition('2026-03-01')")
    old = Recorded(target="old.note", actor="Carol", action="EVENT", old=None, new='{"was": 1}')
    price = replace(old, target="shop.price", target_id="1.500", new='{"amount": 1}')
    kept = replace(price, at=old.at.replace(month=6), actor="dora", target_id="1.5")
    numbers = record(conn, old, price, kept)
    commands = {
        ("--user", "carol"): numbers[:2],
        ("--target", "old.*"): numbers[:1],
        ("--target", "note"): numbers[:1],
        ("--target", "old.note", "--became", "was=1"): numbers[:1],
        ("--target", "shop.price", "--id", "1.50"): numbers[1:],
        ("--id", "1.50"): numbers[1:],
        ("--not-user", "CAROL", "--target", "shop.price"): numbers[2:],
    }

    def found(*options: str) -> list[int]:
        return sorted(ids(auditctl("log", "--format", "jsonl", *options, check=0).out))

    assert {options: found(*options) for options in commands} == commands
    assert {options: found("--everywhere", *options) for options in commands} == commands
    fault = ("--everywhere", "--target", "shop.price", "--id", "dear")
    assert "is not a key of shop.price" in auditctl("log", *fault, check=2).err
    move_month(conn, tmp_path, "2026-03")
    assert {options: found("--everywhere", *options) for options in commands} == commands
    assert "is not a key of shop.price" in auditctl("log", *fault, check=2).err
    unknown = auditctl("log", "--everywhere", "--target", "old.nope", check=2)
    assert "the log knows no table 'old.nope'" in unknown.err

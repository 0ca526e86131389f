"""Whatever a superuser does to the tables of evidence is a finding that names them, and no error of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.verifying import Log, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

log = sealed_log

TABLES = ("node", "erasure", "pruned", "incarnation", "checkpoint", "block", "event")

COLUMNS = {
    "block": "hashes",
    "node": "level",
    "checkpoint": "note",
    "incarnation": "adoption_event_id",
    "erasure": "units",
    "pruned": "leaves",
    "event": "actor",
}

UNREADABLE = (
    "update auditctl.block set incarnation = null, first_leaf = null, snapshot = null, sealed_at = null",
    "update auditctl.block set events = null, record = null, hashes = null, previous_snapshot = null where number = 2",
    "update auditctl.block set checks = null where number = 2",
    "update auditctl.block set events = 9223372036854775807, secret = null where number = 2;"
    "insert into auditctl.pruned (block, announced_in) values (2, 5)",
    "update auditctl.checkpoint set note = null; update auditctl.checkpoint set tree_size = null where tree_size < 20",
    "update auditctl.block set secret = null;"
    "insert into auditctl.erasure (event_id, occurred_at, block, units) values (5, 'infinity', 1, '{null}')",
    "update auditctl.event set event_id = null, occurred_at = null",
)
"""What no constraint of the store allows, and a superuser can write once the constraints are gone."""


def sentences(log: Log, *args: str | Path) -> str:
    return "\n".join(finding["sentence"] for finding in log.verify(*args)["findings"])


def test_columns_of_evidence_that_are_gone_or_have_another_type_are_findings(log: Log) -> None:
    log.conn.execute("alter table auditctl.block rename to away; create view auditctl.block as table auditctl.away")
    assert "auditctl.block was replaced by something that is not a table" in sentences(log)
    log.conn.execute("drop view auditctl.block; alter table auditctl.away rename to block")
    log.conn.execute("alter table auditctl.block alter record type jsonb using record::jsonb")
    for table, column in COLUMNS.items():
        log.conn.execute(f"alter table auditctl.{table} drop {column} cascade".encode())
    found = sentences(log)
    assert "column record of auditctl.block has the type jsonb instead of text" in found
    assert [
        table for table, column in COLUMNS.items() if f"auditctl.{table} lacks its column {column}" not in found
    ] == []


def test_tables_of_evidence_that_were_dropped_or_emptied_are_findings(log: Log, tmp_path: Path) -> None:
    (text,) = log.conn.execute("select note from auditctl.checkpoint order by tree_size desc").fetchone() or ("",)
    anchor = tmp_path / "anchor"
    anchor.write_text(text)
    log.conn.execute("truncate auditctl.block, auditctl.checkpoint")
    assert "all of its blocks and checkpoints are missing: auditctl.incarnation has 1 row" in sentences(log)
    assert "rolled_back" in {kind for kind, *_ in log.found("--checkpoint", anchor)}
    for table in TABLES:
        log.conn.execute(f"drop table auditctl.{table} cascade".encode())
        assert f"the table auditctl.{table} is missing" in sentences(log)
    assert "rolled_back" in {kind for kind, *_ in log.found("--checkpoint", anchor)}
    log.conn.execute("drop event trigger auditctl_guard_ddl; drop event trigger auditctl_guard_drop")
    log.conn.execute("drop schema auditctl cascade")
    assert "the table auditctl.event is missing" in sentences(log)
    log.conn.execute("drop schema auditctl_internal, auditctl_guard, auditctl_triggers cascade")
    assert "has no auditctl store" in log.auditctl("verify", check=6).err
    assert {kind for kind, *_ in log.found("--checkpoint", anchor)} == {"table", "rolled_back"}


BOOKKEEPING = {
    "update auditctl.alembic_version set version_num = '0000'": "is 0000, and the log recorded 0001",
    "update auditctl.alembic_version set version_num = '9999'": "is 9999, and the log recorded 0001",
    "alter type auditctl.action rename to deed": "is 9999, and this auditctl has 0001",
    "alter type auditctl.deed rename to action; insert into auditctl.alembic_version values ('0001')": (
        "is 0001 and 9999, and the log recorded 0001"
    ),
    "delete from auditctl.alembic_version": "is none, and the log recorded 0001",
    "alter table auditctl.alembic_version alter version_num type integer using 1": "has the type integer instead of",
    "alter table auditctl.alembic_version rename to a; create view auditctl.alembic_version as table auditctl.a": (
        "auditctl.alembic_version was replaced by something that is not a table"
    ),
    "drop view auditctl.alembic_version": "the table auditctl.alembic_version is missing",
    "create or replace view auditctl.activity_summary as select 1 as n": "auditctl.activity_summary: appeared",
    "drop table auditctl.place, auditctl.rule, auditctl.target cascade": "table auditctl.place: vanished",
    "drop schema auditctl_internal cascade": "function auditctl_internal.ancestors",
    "alter table auditctl.block set schema public": "auditctl.block is missing; auditctl_owner has public.block",
    "alter schema auditctl rename to former": "auditctl.event is missing; auditctl_owner has former.event",
}
"""What a superuser does to the store beside the log, one after the other, and what verification says then."""


def test_a_store_that_was_altered_keeps_nobody_from_verifying_its_log(log: Log) -> None:
    for statements, expected in BOOKKEEPING.items():
        log.conn.execute(statements.encode())
        assert expected in sentences(log), statements


def test_a_store_of_another_version_is_no_finding(log: Log) -> None:
    log.conn.execute("update auditctl.alembic_version set version_num = '0000'")
    log.conn.execute("update auditctl.event set target_id = '0000' where target = 'auditctl.store'")
    assert "older than this auditctl's 0001" in log.auditctl("verify", check=6).err
    log.conn.execute("delete from auditctl.event where target = 'auditctl.store'")
    notes = log.verify()["notes"]
    assert "the store has revision 0000, and the log no longer has the event that recorded it" in notes
    log.conn.execute("truncate auditctl.event, auditctl.block, auditctl.checkpoint, auditctl.alembic_version")
    assert "was restored without its rows" in log.auditctl("verify", check=3).err


def test_functions_of_evidence_that_were_dropped_or_replaced_are_named(log: Log) -> None:
    log.conn.execute("drop function auditctl.append_block cascade; drop function auditctl.record_run cascade")
    log.conn.execute("create function auditctl.record_run(text, boolean, integer) returns void language sql as ''")
    found = sentences(log)
    assert "function auditctl.append_block" in found
    assert "function auditctl.record_run" in found


def test_values_that_evidence_cannot_have_are_findings(log: Log) -> None:
    tables = ("block", "checkpoint", "erasure", "pruned", "event")
    log.conn.execute("alter table auditctl.event alter event_id drop identity")
    for table in tables:
        relation = [f"auditctl.{table}"]
        for (name,) in log.conn.execute(
            "select conname::text from pg_constraint where conrelid = %s::regclass order by contype desc", relation
        ).fetchall():
            log.conn.execute(f"alter table auditctl.{table} drop constraint {name}".encode())
        for (name,) in log.conn.execute(
            "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull",
            relation,
        ).fetchall():
            log.conn.execute(f'alter table auditctl.{table} alter "{name}" drop not null'.encode())
        log.conn.execute(f"create table public.{table} as select * from auditctl.{table}".encode())
    for statement in UNREADABLE:
        log.conn.execute(statement.encode())
        assert log.found(), statement
        for table in tables:
            log.conn.execute(
                f"delete from auditctl.{table}; insert into auditctl.{table} table public.{table}".encode()
            )

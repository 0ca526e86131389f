"""Whatever a superuser does to the tables of evidence is a finding that names them, and no error of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.verifying import Log, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

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
    assert "has no auditctl store" in log.auditctl("verify", check=6).err
    assert {kind for kind, *_ in log.found("--checkpoint", anchor)} == {"table", "rolled_back"}


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

"""Verification finds each change of the evidence itself, of partitions and of capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.evidence import merkle, note
from tests.support import sealing
from tests.support.verifying import Log, fill, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

log = sealed_log

BLOCKS = {
    "update auditctl.block set events = events + 1 where number = 2": ("block_altered", 2),
    "update auditctl.block set snapshot = '1:99999999:' where number = 2": ("block_altered", 2),
    "update auditctl.block set sealed_at = sealed_at - interval '1 day' where number = 2": ("block_altered", 2),
    "update auditctl.block set first_event_id = 1, last_event_id = 2 where number = 2": ("block_altered", 2),
    "update auditctl.block set record = replace(record, '\"events\":1', '\"events\":2') where number = 2": (
        "record",
        2,
    ),
    "update auditctl.block set record = 'x' where number = 2": ("record", 2),
    "update auditctl.block set secret = sha256(secret) where number = 2": ("block_altered", 2),
    "update auditctl.block set hashes = sha256('x') || substr(hashes, 33) where number = 2": ("altered", 2),
    "update auditctl.block set hashes = substr(hashes, 33) where number = 2": ("block_altered", 2),
    "update auditctl.block set incarnation = 2 where number = 2": ("block_altered", 2),
    "update auditctl.block set levels = '\\x0105' where number = 2": ("block_altered", 2),
    "delete from auditctl.block where number = 1": ("block_missing", 1),
    "delete from auditctl.block where number = 2": ("block_missing", 2),
    "delete from auditctl.block where number = 3": ("rolled_back", None),
    "update auditctl.block set number = 4 where number = 3": ("block_missing", 3),
    "update auditctl.checkpoint set note = replace(note, 'log', 'lag')": ("signature", None),
    "delete from auditctl.checkpoint": ("checkpoint", None),
    "update auditctl.block set state = replace(state, 'trigger', 'triggre') where number = 1": ("block_altered", 1),
    "update auditctl.block set state = 'x' where number = 2": ("block_altered", 2),
}


def test_evidence_that_was_altered_is_found(log: Log) -> None:
    tables = ("block", "checkpoint", "incarnation")
    for table in tables:
        log.conn.execute(f"create table public.{table} as select * from auditctl.{table}".encode())
    unseen = []
    for statement, expected in BLOCKS.items():
        log.conn.execute(statement.encode())
        found = [(kind, block) for kind, _, _, block in log.found()]
        unseen += [(statement, found)] if expected not in found else []
        for table in tables:
            log.conn.execute(
                f"delete from auditctl.{table}; insert into auditctl.{table} table public.{table}".encode()
            )
    assert unseen == []
    assert log.found() == []


def test_evidence_that_was_signed_with_another_key_is_found(log: Log) -> None:
    other = note.Signer.generate(sealing.ORIGIN)
    for size, text in log.conn.execute("select tree_size, note from auditctl.checkpoint").fetchall():
        signed = note.sign(text.partition("\n\n")[0] + "\n", [other])
        log.conn.execute("update auditctl.checkpoint set note = %s where tree_size = %s", [signed, size])
    (kind, *_), *_ = log.found()
    assert kind == "signature"


def test_the_end_that_was_cut_off_with_its_evidence_is_caught_by_a_checkpoint_elsewhere(
    log: Log, tmp_path: Path
) -> None:
    (text,) = log.conn.execute("select note from auditctl.checkpoint order by tree_size desc").fetchone() or ("",)
    anchor = tmp_path / "anchor"
    anchor.write_text(text)
    log.conn.execute("create temporary table former as select * from auditctl.checkpoint")
    (end,) = log.conn.execute("select first_leaf from auditctl.block where number = 3").fetchone() or (0,)
    cut = note.sign(str(note.Checkpoint(sealing.ORIGIN, end, tree_root(log.conn, 2))), log.keys.keys.signers)
    log.conn.execute("delete from auditctl.event where event_id >= %s", [log.event(21)])
    log.conn.execute("delete from auditctl.block where number = 3")
    log.conn.execute("delete from auditctl.checkpoint")
    log.conn.execute("insert into auditctl.checkpoint values (%s, %s, now(), false)", [end, cut])
    assert [f for f in log.verify()["findings"] if f["kind"] != "capture"] == []
    assert [kind for kind, *_ in log.found("--checkpoint", anchor)] == ["rolled_back"]
    forked = note.sign(str(note.Checkpoint(sealing.ORIGIN, end, bytes(32))), log.keys.keys.signers)
    anchor.write_text(forked)
    assert [kind for kind, *_ in log.found("--checkpoint", anchor)] == ["forked"]
    both = tmp_path / "anchors"
    both.mkdir()
    (both / "a").write_text(cut)
    (both / "b").write_text(text)
    (sentence,) = [f["sentence"] for f in log.verify("--checkpoint", both)["findings"] if f["kind"] == "rolled_back"]
    assert f"they agree up to {end} leaves (block 2)" in sentence


def tree_root(conn: psycopg.Connection[Any], blocks: int) -> bytes:
    hashes = b"".join(
        row[0]
        for row in conn.execute("select hashes from auditctl.block order by number limit %s", [blocks]).fetchall()
    )
    return merkle.tree_root(hashes[n : n + 32] for n in range(0, len(hashes), 32))


@pytest.mark.parametrize("how", ["drop table auditctl.{}", "alter table auditctl.event detach partition auditctl.{}"])
def test_a_partition_that_is_gone_is_named_once(log: Log, how: str) -> None:
    (name,) = log.conn.execute(
        "select c.relname from auditctl.event as e join pg_class as c on c.oid = e.tableoid limit 1"
    ).fetchone() or ("",)
    log.conn.execute(how.format(name).encode())
    findings = [f for f in log.verify()["findings"] if f["kind"] != "capture"]
    assert [(f["kind"], f["partition"]) for f in findings] == [("partition", name)]


def test_a_trigger_that_was_switched_off_and_on_is_found_and_an_announced_change_is_a_note(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(db)
    conn.execute("create table other (id int primary key)")
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    log.seal()
    auditctl("enable", "other", check=0)
    log.seal()
    auditctl("disable", "other", check=0)
    auditctl("install", check=0)
    log.seal()
    document = log.verify(check=0)
    assert document["findings"] == []
    assert any("auditctl_update on other" in sentence or "other" in sentence for sentence in document["notes"])
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute(
        "alter table item disable trigger auditctl_update; alter table item enable always trigger auditctl_update"
    )
    conn.execute("alter event trigger auditctl_guard_ddl enable always")
    log.seal()
    log.seal()
    sentences = [f["sentence"] for f in log.verify()["findings"]]
    assert any(sentence.startswith("trigger auditctl_update on public.item") for sentence in sentences)

"""Sealing: each committed event is in exactly one block, and the log goes on only as the one that was sealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl import store
from auditctl.errors import UsageError
from auditctl.evidence import key_files, note, sealer
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.sealing_keys import SealingKeys
from tests.fixtures import templates
from tests.fixtures.databases import connect
from tests.support import sealing
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


db_template = templates.begin_with(
    templates.audited("create table item (id int primary key, v text)", "item"), fixture="audited"
)


@pytest.fixture
def audited(db: str) -> str:
    """A database with an audited table."""
    return db


def blocks(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute("select number, events, is_last_part from auditctl.block order by number").fetchall()


def root(conn: psycopg.Connection[Any], keys: SealingKeys) -> bytes:
    (text,) = conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone() or ("",)
    return Checkpoint.parse(note.verify(text, keys.keys.verifiers)[0]).root


def test_block_has_what_was_committed_since_the_last_one(
    audited: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    keys = sealing.make_keys(tmp_path)
    with connect(audited) as late:
        late.execute("begin; insert into item values (1, 'late')")
        conn.execute("insert into item values (2, 'x'), (3, 'x')")
        conn.execute("begin; insert into item values (4, 'x'); savepoint s; insert into item values (5, 'x')")
        conn.execute("rollback to s; commit; begin; insert into item values (6, 'x'); rollback")
        (first,) = sealing.seal(audited, keys)
        assert sealing.seal(audited, keys) == []
        late.execute("commit")
    (second,) = sealing.seal(audited, keys)
    assert (second.number, second.events) == (2, 1)
    assert conn.execute("select count(*) from auditctl.event").fetchone() == (first.events + 1,)
    assert sealing.recomputed_root(conn) == root(conn, keys)
    (last,) = conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone() or ("",)
    assert Path(f"{keys.keys.path}.checkpoint").read_text() == last


def test_large_interval_is_sealed_in_parts_and_goes_on_where_it_was_stopped(
    audited: str, conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "MAX_EVENTS", 100)
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item select g, 'x' from generate_series(1, 350) as g")
    with sealing.sealer(audited, keys) as one:
        for sealed in one.run():
            if sealed.number == 2:
                break
    conn.execute("insert into item values (1000, 'x')")
    sealing.seal(audited, keys)
    assert [row[2] for row in blocks(conn)] == [False, False, False, True, True]
    assert [row[1] for row in blocks(conn)][:3] == [100, 100, 100]
    assert blocks(conn)[-1][1] == 1
    assert sealing.recomputed_root(conn) == root(conn, keys)


def test_change_of_capture_is_sealed_without_an_event_and_nothing_else_is(
    audited: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    keys = sealing.make_keys(tmp_path)
    with sealing.sealer(audited, keys) as one:
        list(one.run())
        conn.execute("create table other (id int); insert into other values (1)")
        list(one.run())  # the guard may note that a table came
        before = blocks(conn)
        conn.execute("insert into other values (2)")
        assert list(one.run()) == []
        conn.execute("alter table auditctl.event disable trigger event_write_once_row")
        conn.execute("alter table auditctl.event enable always trigger event_write_once_row")
        (sealed,) = one.run()
        assert (sealed.number, sealed.events) == (before[-1][0] + 1, 0)
    last, earlier = conn.execute(
        "select state from auditctl.block where state is not null order by number desc"
    ).fetchmany(2)
    changed = set(last[0].splitlines()) - set(earlier[0].splitlines())
    assert {json.loads(line)["name"] for line in changed} >= {"event_write_once_row on auditctl.event"}


def test_log_that_is_not_the_one_it_was_is_sealed_only_on_demand(
    audited: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    keys = sealing.make_keys(tmp_path)
    path = str(keys.keys.path)
    sealing.seal(audited, keys)
    checkpoint = Path(f"{path}.checkpoint")
    left = note.sign(str(Checkpoint(sealing.ORIGIN, 500, b"\0" * 32)), keys.keys.signers)
    checkpoint.write_text(left)
    refused = auditctl("seal", "--key", path, check=3)
    assert "forked" in refused.err
    assert "had 500" in refused.err
    checkpoint.write_text(note.sign(str(Checkpoint(sealing.ORIGIN, 1, b"\0" * 32)), keys.keys.signers))
    assert "first 1 leaves" in auditctl("seal", "--key", path, check=3).err
    checkpoint.write_text(left)
    assert "reason" in auditctl("seal", "--key", path, "--continue-from-fork", check=2).err
    auditctl("seal", "--key", path, "--continue-from-fork", "--reason", "restored", check=0)
    (record,) = conn.execute("select record from auditctl.block order by number desc limit 1").fetchone() or ("",)
    assert json.loads(record)["fork"] == {"checkpoint": left, "reason": "restored"}
    assert auditctl("seal", "--key", path, check=0).out == ""
    checkpoint.write_text("forged")
    assert "not the checkpoint" in auditctl("seal", "--key", path, check=2).err


def test_key_is_changed_by_both_or_as_a_lost_one_and_never_silently(
    audited: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    first = sealing.make_keys(tmp_path)
    sealing.seal(audited, first)
    second = key_files.create(tmp_path / "second", sealing.ORIGIN, with_ml_dsa=True)
    with pytest.raises(UsageError, match="sealed with another key"):
        sealing.seal(audited, SealingKeys(second))
    with pytest.raises(UsageError, match="bears the name"):
        sealing.seal(audited, SealingKeys(key_files.create(tmp_path / "other", "other"), previous=first.keys))
    (change,) = sealing.seal(audited, SealingKeys(second, previous=first.keys))
    text, is_kept = conn.execute(
        "select note, is_kept from auditctl.checkpoint where tree_size = %s", [change.tree_size]
    ).fetchone() or ("", False)
    assert is_kept
    assert note.verify(text, first.keys.verifiers)
    assert len(note.verify(text, second.verifiers)[1]) == 2
    with pytest.raises(UsageError, match="sealed with another key"):
        sealing.seal(audited, first)
    assert sealing.seal(audited, SealingKeys(second, previous=first.keys)) == []
    third = key_files.create(tmp_path / "third", sealing.ORIGIN)
    (lost,) = sealing.seal(audited, SealingKeys(third, lost_key_reason="the disk broke"))
    record = json.loads(
        (conn.execute("select record from auditctl.block where number = %s", [lost.number]).fetchone() or ("",))[0]
    )
    assert (record["key"], record["lost_key"]) == ([str(third.verifiers[0])], {"reason": "the disk broke"})


def test_second_sealer_says_who_seals_and_exits_with_5(audited: str, tmp_path: Path, auditctl: RunAuditctl) -> None:
    keys = sealing.make_keys(tmp_path)
    with connect(audited) as other, other.transaction():
        other.execute("select auditctl.begin_sealing()")
        refused = auditctl("seal", "--key", str(keys.keys.path), check=5)
        assert f"another seal is running: process {other.info.backend_pid}" in refused.err


def test_sealing_without_a_store_says_to_install_it(empty_db: str, tmp_path: Path, auditctl: RunAuditctl) -> None:
    path = sealing.make_keys(tmp_path).keys.path
    assert "auditctl install" in auditctl("seal", "--key", path, dsn=empty_db, check=6).err


def test_keys_are_never_overwritten_and_others_may_not_read_them(tmp_path: Path, auditctl: RunAuditctl) -> None:
    path = tmp_path / "seal.key"
    made = auditctl("keygen", "--output", str(path), "--name", "a/b", "--ml-dsa", check=0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.out == Path(f"{path}.pub").read_text()
    assert [verifier.kind for verifier in key_files.read(path).verifiers] == [note.ED25519, note.ML_DSA]
    before = path.read_text()
    assert "exists" in auditctl("keygen", "--output", str(path), check=2).err
    assert path.read_text() == before
    path.chmod(0o640)
    assert "chmod 600" in auditctl("seal", "--key", str(path), check=2).err
    assert "space" in auditctl("keygen", "--output", str(tmp_path / "new"), "--name", "a b", check=2).err
    assert not (tmp_path / "new").exists()


def test_tree_with_missing_hashes_is_an_error(audited: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    keys = sealing.make_keys(tmp_path)
    sealing.seal(audited, keys)
    conn.execute("insert into item values (1, 'x')")
    conn.execute("alter table auditctl.block disable trigger user; update auditctl.block set hashes = ''")
    with pytest.raises(EvidenceError, match="lacks hashes"):
        sealing.seal(audited, keys)


def test_store_that_is_installed_again_says_so_in_a_sealed_log(
    audited: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    again = "select count(*) from auditctl.event where context ->> 'summary' like 'store installed again%'"
    store.install(audited)
    assert conn.execute(again).fetchone() == (0,)
    sealing.seal(audited, sealing.make_keys(tmp_path))
    store.install(audited)
    assert conn.execute(again).fetchone() == (1,)


def test_what_upkeep_and_the_guard_do_is_announced_though_they_use_subtransactions(
    audited: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    keys = sealing.make_keys(tmp_path)
    conn.execute("create table parted (id int primary key) partition by range (id)")
    audit(audited, "parted")
    sealing.seal(audited, keys)
    conn.execute("create table parted_1 partition of parted for values from (0) to (10)")
    sealing.seal(audited, keys)
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, action, target) "
        "values ('2030-01-01', 'system', 'EVENT', 'x')"
    )
    auditctl("maintain", check=0)
    sealing.seal(audited, keys)
    public = f"{keys.keys.path}.pub"
    assert "findings" not in auditctl("verify", "--public-key", public, check=0).err
    conn.execute("alter table auditctl.event_default disable trigger event_write_once_row")
    conn.execute("alter table auditctl.event_default enable always trigger event_write_once_row")
    sealing.seal(audited, keys)
    assert "event_write_once_row on auditctl.event_default" in auditctl("verify", "--public-key", public, check=3).out


def test_full_blocks_of_the_log_are_summarized_and_the_last_ones_are_left(
    audited: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute("insert into item select i, repeat(md5(i::text), 30) from generate_series(1, 2500) as i")
    sealing.seal(audited, sealing.make_keys(tmp_path))
    found = conn.execute(
        "select pg_relation_size(x.indrelid) / 8192, i.inhrelid::regclass::text from pg_inherits as i"
        " join pg_index as x on x.indexrelid = i.inhrelid where i.inhparent = 'auditctl.event_summary_idx'::regclass"
        " and exists (select from auditctl.event as e where e.tableoid = x.indrelid)"
    )
    ((pages, index),) = found.fetchall()
    added = [
        conn.execute("select brin_summarize_range(%s::regclass, %s)", [index, block]).fetchone()
        for block in range(0, pages, 128)
    ]
    assert added == [(0,)] * (pages // 128) + [(1,)]
    assert len(added) > 2

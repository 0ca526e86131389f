"""Sealing beside 16 writers and a transaction of a minute, with kills: each committed event is in exactly one block."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.evidence import note
from auditctl.evidence.checkpoint import Checkpoint
from tests.fixtures.databases import connect
from tests.support import sealing
from tests.support.capturing import audit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

WRITERS = 16
KILLS = 10
OPEN_SECONDS = 60.0
"""How long one transaction stays open; between two kills the writers pause until their part of it is over."""

MISPLACED = """
    with interval as (
        select number, from_time, until_time, snapshot, previous_snapshot, events, first_event_id, last_event_id
          from auditctl.block
    ),

    member as (
        select e.event_id, count(i.number) as blocks, min(i.number) as number
          from auditctl.event as e
          left join interval as i
               on pg_visible_in_snapshot(e.xact_id, i.snapshot)
               and not pg_visible_in_snapshot(e.xact_id, i.previous_snapshot)
               and (i.from_time is null or e.occurred_at >= i.from_time)
               and (i.until_time is null or e.occurred_at < i.until_time)
         group by e.event_id
    )

    select format('event %s is in %s blocks', m.event_id, m.blocks) from member as m where m.blocks <> 1
    union all
    select format('block %s has %s events, not %s', i.number, i.events, count(m.event_id))
      from interval as i
      left join member as m on m.number = i.number
     group by i.number, i.events
    having count(m.event_id) <> i.events
"""
"""What is wrong with the blocks, from their snapshots alone: another way than sealing selects its events."""


LONG = """
    select min(b.number)
      from auditctl.event as e
      join auditctl.block as b on pg_visible_in_snapshot(e.xact_id, b.snapshot)
     where e.new_values ->> 'v' in ('late', 'prepared')
     group by e.event_id
"""
"""The blocks of the events of the two transactions that stayed open."""


def write(dsn: str, number: int, busy: threading.Event, stop: threading.Event) -> None:
    """Commit, roll back, and roll back to savepoints while busy; one writer prepares its transactions."""
    chance = random.Random(number)
    with connect(dsn) as session:
        while busy.wait() and not stop.is_set():
            session.execute("begin; insert into item (v) values ('kept')")
            for _ in range(chance.randrange(4)):
                session.execute(
                    "savepoint s; update item set v = 'x' where id = (select max(id) from item where v = 'k')"
                )
                session.execute("insert into item (v) values ('maybe')")
                session.execute("rollback to s" if chance.random() < 0.4 else "release s")
            end = "rollback" if chance.random() < 0.2 else "commit"
            if number == 0:
                session.execute(f"prepare transaction 'writer_{number}'".encode())
                time.sleep(chance.random() / 20)
                end += f" prepared 'writer_{number}'"
            session.execute(end.encode())


def count_blocks(conn: psycopg.Connection) -> int:
    (number,) = conn.execute("select count(*) from auditctl.block").fetchone() or (0,)
    return int(number)


def test_each_committed_event_is_in_exactly_one_block_after_kills_of_the_sealer(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    conn.execute("create table item (id bigint generated always as identity primary key, v text)")
    audit(db, "item")
    keys = sealing.make_keys(tmp_path)
    busy, stop = threading.Event(), threading.Event()
    writers = [threading.Thread(target=write, args=(db, number, busy, stop)) for number in range(WRITERS)]
    program = (
        "import sys; from auditctl.evidence import sealer; sealer.MAX_EVENTS = 50; "
        "from auditctl.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "--dsn", db, "seal", "--key", str(keys.keys.path), "--every", "1s"]
    chance = random.Random(1)
    try:
        with connect(db) as late, connect(db) as prepared:
            prepared.execute("begin; insert into item (v) values ('prepared'); prepare transaction 'long'")
            late.execute("begin; insert into item (v) values ('late')")
            begun = time.monotonic()
            for writer in writers:
                writer.start()
            for kill in range(KILLS):
                busy.set()
                sealed = count_blocks(conn)
                with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ) as process:
                    while process.poll() is None and count_blocks(conn) == sealed:
                        time.sleep(0.01)
                    time.sleep(chance.random())  # into the blocks after the first
                    process.send_signal(signal.SIGKILL)
                busy.clear()
                time.sleep(max(0.0, begun + (kill + 1) * OPEN_SECONDS / KILLS - time.monotonic()))
            assert late.execute("select clock_timestamp() - now() >= interval '60 s'").fetchone() == (True,)
            before = count_blocks(conn)
            late.execute("commit")
            prepared.execute("commit prepared 'long'")
    finally:
        stop.set()
        busy.set()
        for writer in writers:
            writer.join()
    sealing.seal(db, keys)
    long = conn.execute(LONG.encode()).fetchall()
    assert (len(long), min(block for (block,) in long) > before > KILLS) == (2, True)
    assert conn.execute(MISPLACED.encode()).fetchall() == []
    numbers = conn.execute("select count(*), sum(events) from auditctl.block").fetchone()
    assert numbers is not None
    assert numbers[0] > KILLS
    assert numbers[1:] == conn.execute("select count(*)::numeric from auditctl.event").fetchone()
    (text,) = conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone() or ("",)
    root = Checkpoint.parse(note.verify(text, keys.keys.verifiers)[0]).root
    assert sealing.recomputed_root(conn) == root
    verified = json.loads(auditctl("verify", "--public-key", f"{keys.keys.path}.pub", "--format", "json", check=0).out)
    assert (verified["unsealed"], verified["blocks"]) == (0, numbers[0])
    assert verified["events"] == numbers[1]

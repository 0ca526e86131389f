"""Sixteen writers, rollbacks, savepoints, an open and a prepared transaction, and a follower that is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow

WRITERS = 16
TRANSACTIONS = 60
KILLS = 10
OPEN_SECONDS = 60.0
"""How long two transactions stay open, one of them prepared; the follower is killed every so often meanwhile."""

db_template = begin_with(audited("create table note (id text primary key)", "note"))


def write(dsn: str, number: int) -> None:
    """Write transactions of all kinds; which commit is drawn at random, the same each time."""
    chance = random.Random(number)
    with connect(dsn) as session:
        for step in range(TRANSACTIONS):
            session.execute("begin")
            session.execute("insert into note values (%s)", [f"{number}.{step}"])
            session.execute("savepoint s")
            session.execute("insert into note values (%s)", [f"{number}.{step}.s"])
            session.execute(chance.choice(("rollback to s", "release s")))
            if chance.random() < 0.1:
                time.sleep(0.2)
            session.execute(chance.choice(("commit", "commit", "commit", "rollback")))


def start(dsn: str, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """Follow, appending to a file."""
    command = [sys.executable, "-m", "auditctl", "--dsn", dsn, "--quiet", "follow", "--consumer", "siem", *options]
    with out.open("ab") as file:
        return subprocess.Popen(command, stdout=file)


def numbers(out: Path) -> list[int]:
    """The events of a file; a line that a kill cut is not one."""
    found = []
    for line in out.read_bytes().splitlines():
        try:
            found.append(json.loads(line)["event_id"])
        except ValueError:
            continue
    return found


@pytest.mark.timeout(300)
def test_follower_that_is_killed_gets_exactly_what_was_committed(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    out, chance = tmp_path / "events.jsonl", random.Random(0)
    late, prepared = connect(db), connect(db)
    late.execute("begin; insert into note values ('late')")
    prepared.execute("begin; insert into note values ('prepared'); prepare transaction 'late'")
    writers = [threading.Thread(target=write, args=(db, number)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    begun = time.monotonic()
    for kill in range(KILLS):
        before = out.stat().st_size if out.exists() else 0
        follower = start(db, out, "--every", "100ms")
        while out.stat().st_size == before and any(writer.is_alive() for writer in writers):
            time.sleep(0.01)
        time.sleep(chance.random())  # into what comes after its first lines
        follower.kill()
        follower.wait()
        time.sleep(max(0.0, begun + (kill + 1) * OPEN_SECONDS / KILLS - time.monotonic()))
    for writer in writers:
        writer.join()
    assert late.execute("select clock_timestamp() - now() >= interval '60 s'").fetchone() == (True,)
    assert start(db, out, "--once").wait(60) == 0
    late.execute("commit")
    conn.execute("commit prepared 'late'")
    assert start(db, out, "--once").wait(60) == 0
    for session in (late, prepared):
        session.close()
    got = numbers(out)
    committed = {number for (number,) in conn.execute("select event_id from auditctl.event").fetchall()}
    assert set(got) == committed
    assert len(committed) > WRITERS * TRANSACTIONS / 2

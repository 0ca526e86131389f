"""A block that is sealed while upkeep moves events, between two of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.evidence import verifier
from auditctl.retention import maintain
from tests.support import sealing
from tests.support.capturing import audit

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.slow


def test_a_seal_between_two_steps_of_a_move_finds_them_announced(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute("create table item (id int primary key)")
    audit(db, "item")
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item values (1)")
    sealing.seal(db, keys)
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, action, target) values "
        "('2031-05-05 10:00Z', 'system', 'EVENT', 'clock.ahead')"
    )
    states = []
    with database.connect_store(db) as upkeep:
        for done in maintain.run(upkeep):
            states.append(done.data.get("state"))
            sealing.seal(db, keys)
    assert {"begun", "copied", "done"} <= set(states)
    with database.connect_store(db) as reader:
        report = verifier.verify(reader, verifier.Choice(), lambda *_: None)
    assert report.findings == []

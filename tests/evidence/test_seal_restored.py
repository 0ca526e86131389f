"""Sealing after a restore: numbers of transactions of another cluster overlap those of this one."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl import adoption, place
from auditctl.demo.server import EmbeddedServer
from auditctl.errors import PlaceError
from auditctl.evidence import sealer
from auditctl.evidence.visibility import NOTHING, Seen
from auditctl.names import GRANTABLE_ROLES, ROLE_OWNER
from tests.fixtures.databases import connect
from tests.support import dumps, sealing
from tests.support.capturing import audit
from tests.support.membership import Incarnation, Interval, Membership, Part

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

USE_NUMBERS = """
    do $$
    begin
        while pg_current_xact_id()::text::bigint < {} loop commit; end loop;
    end
    $$
"""
MICROSECONDS = "(extract(epoch from {0} - timestamptz '2000-01-01Z') * 1000000)::bigint"


def read_incarnations(conn: psycopg.Connection[Any]) -> list[Incarnation]:
    """What the rule of attribution goes by, from the stored blocks."""
    rows = conn.execute(
        f"select number, incarnation, previous_snapshot::text, snapshot::text, {MICROSECONDS.format('from_time')}, "
        f"{MICROSECONDS.format('until_time')} from auditctl.block order by number".encode()
    ).fetchall()
    found: list[Incarnation] = []
    for number, last_sealed, adoption_event in conn.execute(
        "select incarnation, lead(last_sealed_event_id) over (order by incarnation), adoption_event_id "
        "from auditctl.incarnation order by incarnation"
    ).fetchall():
        intervals: dict[tuple[str, str], list[Part]] = {}
        for block, incarnation, previous, snapshot, start, end in rows:
            if incarnation == number:
                intervals.setdefault((previous, snapshot), []).append(Part(block, start, end))
        assert next(iter(intervals))[0] == NOTHING
        parts = tuple(Interval(Seen.parse(snapshot), tuple(parts)) for (_, snapshot), parts in intervals.items())
        found.append(Incarnation(parts, last_sealed, adoption_event))
    return found


def attributed(conn: psycopg.Connection[Any]) -> Counter[int]:
    """How many events the rule attributes to each block."""
    incarnations = read_incarnations(conn)
    rule = Membership(incarnations)
    blocks: Counter[int] = Counter()
    for event_id, number, time in conn.execute(
        f"select event_id, xact_id::text::bigint, {MICROSECONDS.format('occurred_at')} from auditctl.event".encode()
    ).fetchall():
        place = rule.place(event_id, number)
        assert place is not None, event_id
        block = incarnations[place[0]].intervals[place[1]].block(time)
        assert block is not None, event_id
        blocks[block] += 1
    return blocks


def sealed(conn: psycopg.Connection[Any]) -> Counter[int]:
    return Counter(dict(conn.execute("select number, events from auditctl.block where events > 0").fetchall()))


@pytest.mark.parametrize("is_stopped", [False, True])
def test_restored_log_is_sealed_on_in_a_new_incarnation(
    is_stopped: bool, server: EmbeddedServer, db: str, conn: psycopg.Connection, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, auditctl: RunAuditctl,
) -> None:  # fmt: skip
    monkeypatch.setattr(sealer, "MAX_EVENTS", 20)
    keys = sealing.make_keys(tmp_path)
    conn.execute("create table item (id bigint generated always as identity primary key, v text)")
    audit(db, "item")
    conn.execute(USE_NUMBERS.format(6000))
    with connect(db) as late:
        late.execute("begin; insert into item (v) values ('late')")
        for _ in range(60):
            conn.execute("insert into item (v) values ('first')")
        with sealing.sealer(db, keys) as one:
            for block in one.run():
                if is_stopped and block.number == 2:
                    break
        late.execute("commit")
    conn.execute("insert into item (v) values ('not sealed before the dump')")
    archive = tmp_path / "dump"
    dumps.dump(server, db, "-Fc", "--file", archive)
    with EmbeddedServer(server.bindir) as other:
        dsn = other.dsn()
        with connect(dsn) as session:
            for role in (*GRANTABLE_ROLES.values(), ROLE_OWNER):
                session.execute(f"create role {role}".encode())
        dumps.restore(other, dsn, archive)
        with pytest.raises(PlaceError), sealing.sealer(dsn, keys) as one:
            place.require(one.reader)
        adoption.adopt(dsn)
        with connect(dsn) as restored:
            (low,) = restored.execute(
                "select min(xact_id::text::bigint) from auditctl.event where target = 'public.item'"
            ).fetchone() or (0,)
            (now,) = restored.execute("select pg_current_xact_id()::text::bigint").fetchone() or (0,)
            assert now < low, "the restored numbers are yet to come"
            restored.execute("insert into item (v) values ('here')")
            sealing.seal(dsn, keys)
            assert attributed(restored) == sealed(restored)
            for step in range(6):
                restored.execute(USE_NUMBERS.format(5990 + 20 * step))
                with connect(dsn) as running:
                    running.execute("begin; insert into item (v) values ('open')")
                    restored.execute("insert into item (v) values ('x')")
                    sealing.seal(dsn, keys)
                    running.execute("commit")
            sealing.seal(dsn, keys)
            assert attributed(restored) == sealed(restored)
            assert (
                sealed(restored).total()
                == (restored.execute("select count(*) from auditctl.event").fetchone() or (0,))[0]
            )
            assert restored.execute("select count(*) from auditctl.incarnation").fetchone() == (2,)
        verified = json.loads(
            auditctl("verify", "--public-key", f"{keys.keys.path}.pub", "--format", "json", dsn=dsn, check=0).out
        )
        assert verified["unsealed"] == 0
        assert any("is the first after a restore" in sentence for sentence in verified["notes"])

"""The keys of an object and its history: the same rows as a plain search of all changes finds, and in linear time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest

if TYPE_CHECKING:
    import psycopg

START = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE, AFTER = -(10**6), 10**6
"""Seconds that stand for the infinite past and future."""

EVENT = """
    with entry as (
        insert into auditctl.event (occurred_at, actor_kind, target, target_id, action)
        values (%s, 'system', 's.a', %s, %s) returning event_id, occurred_at, target, target_id
    )
    insert into auditctl.key_change (event_id, occurred_at, target, previous_target_id, target_id)
    select event_id, occurred_at, target, %s, target_id from entry where %s
"""

PERIODS: LiteralString = """
    select k.target_id,
           greatest(extract(epoch from k.since - %(start)s) , -1e6)::int,
           least(extract(epoch from k.until - %(start)s), 1e6)::int
      from (
        select target_id, greatest(since, '2020-01-01') as since, least(until, '2040-01-01') as until
          from auditctl.object_keys('s.a', %(key)s)
      ) as k
"""

CHAIN: LiteralString = """
    with entry as (
        insert into auditctl.event (occurred_at, actor_kind, target, target_id, action, context)
        select timestamptz '2026-03-01 00:00+00' + i * interval '1 second', 'system', %(target)s, {key}, 'UPDATE',
               jsonb_strip_nulls(jsonb_build_object('p', {previous}))
          from generate_series(1, %(count)s) as i
        returning event_id, occurred_at, target, target_id, context
    )
    insert into auditctl.key_change (event_id, occurred_at, target, previous_target_id, target_id)
    select event_id, occurred_at, target, context ->> 'p', target_id from entry where context ? 'p'
"""
"""Changes of keys; without a previous key, another update of the row."""

SHAPES: dict[str, tuple[LiteralString, LiteralString]] = {
    "to and fro": ("chr(65 + i %% 2)", "chr(66 - i %% 2)"),
    "ever new keys": ("case i when 1 then 'B' else i::text end", "(i - 1)::text"),
    "many objects, one after the other": (
        "case i %% 2 when 1 then 'B' else 'A' || i end",
        "case i %% 2 when 1 then 'A' || i else 'B' end",
    ),
    "many objects at once": ("'B'", "'A'"),
    "many objects to one": ("'B'", "'A' || i"),
    "one object to many": ("'A' || i", "'B'"),
    "many objects, among other updates": (
        "case i %% 3 when 0 then 'B' else 'A' end",
        "case i %% 3 when 0 then 'A' end",
    ),
}  # fmt: skip


@dataclass
class Life:
    """Random changes of rows whose keys come and go.

    Attributes:
        unique: Whether no two rows have the same key at the same time.
        ties: Whether several changes may happen at the same time.
        changes: Time, key before, key after; births and deaths have one of them.
    """

    unique: bool
    ties: bool
    changes: list[tuple[int, str | None, str | None]] = field(default_factory=list)

    def make(self, chance: random.Random) -> None:
        """Draw the changes."""
        rows: list[str] = []
        moment = 0
        for _ in range(chance.randint(4, 24)):
            moment += not (self.ties and chance.random() < 0.4)
            old = chance.choice([*rows, None])
            new = chance.choice(["1", "2", "3", None if old else "1"])
            if old == new or (self.unique and new in rows):
                continue
            if old is not None:
                rows.remove(old)
            if new is not None:
                rows.append(new)
            self.changes.append((moment, old, new))

    def periods(self, key: str) -> set[tuple[str, int, int]]:
        """Every period of every key, found by looking through all changes again and again."""
        found: set[tuple[str, int, int]] = set()
        ahead = [(key, BEFORE, AFTER)]
        while ahead:
            period = ahead.pop()
            if period in found:
                continue
            found.add(period)
            name, since, until = period
            for moment, old, new in self.changes:
                if old is None or new is None or not since <= moment <= until:
                    continue
                if new == name:
                    earlier = [at for at, _, given in self.changes if given == old and at < moment]
                    ahead.append((old, max(earlier, default=BEFORE), moment))
                if old == name:
                    later = [at for at, lost, _ in self.changes if lost == new and at > moment]
                    ahead.append((new, moment, min(later, default=AFTER)))
        return found


@pytest.mark.parametrize("seed", range(20))
def test_the_keys_of_an_object_are_those_that_a_search_of_all_changes_finds(
    conn: psycopg.Connection, seed: int
) -> None:
    life = Life(unique=seed % 2 == 0, ties=seed % 3 == 0)
    life.make(random.Random(seed))
    for moment, old, new in life.changes:
        action = "CREATE" if old is None else "DELETE" if new is None else "UPDATE"
        is_change = old is not None and new is not None
        conn.execute(EVENT, [START + timedelta(seconds=moment), new or old, action, old, is_change])
    for key in ("1", "2", "3"):
        rows = conn.execute(PERIODS, {"start": START, "key": key}).fetchall()
        assert len(rows) == len(set(rows))
        assert set(rows) == life.periods(key)


def read_blocks(conn: psycopg.Connection, query: LiteralString) -> int:
    """Return how many blocks a query read, in memory or not."""
    (plan,) = conn.execute(b"explain (analyze, buffers, format json) " + query.encode()).fetchone() or ([],)
    return int(plan[0]["Plan"]["Shared Hit Blocks"]) + int(plan[0]["Plan"]["Shared Read Blocks"])


FETCHED: LiteralString = (
    "select sum(seq_tup_read + idx_tup_fetch)::int from pg_stat_xact_all_tables where schemaname = 'auditctl'"
)
"""Also counts what earlier transactions fetched, until the server collects that."""


def fetch_rows(conn: psycopg.Connection, query: LiteralString) -> int:
    """Return how many rows of the store a query fetched, whether they met its conditions or not."""
    with conn.transaction():
        before = conn.execute(FETCHED).fetchone()
        conn.execute(query)
        after = conn.execute(FETCHED).fetchone()
    assert before is not None
    assert after is not None
    return int(after[0]) - int(before[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("query", ["auditctl.object_keys", "auditctl.history"])
def test_four_times_the_key_changes_read_about_four_times_the_blocks_and_rows(
    conn: psycopg.Connection, shape: str, query: LiteralString
) -> None:
    key, previous = SHAPES[shape]
    blocks, rows = [], []
    for target, count in (("s.warm", 10), ("s.few", 100), ("s.many", 400)):
        conn.execute(CHAIN.format(key=key, previous=previous), {"target": target, "count": count})
        blocks.append(read_blocks(conn, f"select * from {query}('{target}', 'B')"))
        rows.append(fetch_rows(conn, f"select * from {query}('{target}', 'B')"))
    assert blocks[2] < 7 * blocks[1]
    assert rows[2] < 7 * rows[1]

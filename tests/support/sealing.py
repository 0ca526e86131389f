"""A log that is sealed: keys, and what the store has of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg.sql import SQL

from auditctl import database
from auditctl.evidence import canonical, key_files
from auditctl.evidence.leaf import Salter, event_leaf, record_leaf
from auditctl.evidence.merkle import tree_root
from auditctl.evidence.sealer import Sealed, Sealer
from auditctl.evidence.sealing_keys import SealingKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

ORIGIN = "test.example/log"

MEMBERS = """
    with interval as (
        select number, incarnation, snapshot, from_time, until_time, secret from auditctl.block
    )

    select i.number, e.event_id
      from auditctl.event as e
     cross join lateral (
               select * from interval as i
                where pg_visible_in_snapshot(e.xact_id, i.snapshot)
                  and (i.from_time is null or e.occurred_at >= i.from_time)
                  and (i.until_time is null or e.occurred_at < i.until_time)
                order by i.number limit 1
           ) as i
     order by i.number, e.event_id, e.occurred_at
"""
"""Each event and the first block whose snapshot sees its transaction, in a log of one incarnation."""


@contextmanager
def sealer(dsn: str, keys: SealingKeys) -> Iterator[Sealer]:
    with database.connect_store(dsn) as reader, database.connect_store(dsn) as writer:
        yield Sealer(reader, writer, keys)


def make_keys(folder: Path, name: str = "seal.key", **options: Any) -> SealingKeys:
    return SealingKeys(key_files.create(folder / name, ORIGIN), **options)


def seal(dsn: str, keys: SealingKeys) -> list[Sealed]:
    with sealer(dsn, keys) as one:
        return list(one.run())


def recomputed_root(conn: psycopg.Connection[Any]) -> bytes:
    """The root over the leaves of all blocks, computed from the events alone, in the order of the blocks."""
    leaves: list[bytes] = []
    query = SQL("copy (select {} from auditctl.event) to stdout (format binary)").format(canonical.projection())
    with conn.cursor() as cursor, cursor.copy(query) as copy:
        fields = {int.from_bytes(row[0] or b"", "big"): row for row in canonical.rows(copy)}
    members: dict[int, list[int]] = {}
    for number, event_id in conn.execute(MEMBERS.encode()).fetchall():
        members.setdefault(number, []).append(event_id)
    for number, secret, record in conn.execute(
        "select number, secret, record from auditctl.block order by number"
    ).fetchall():
        salter = Salter(secret)
        for event_id in members.get(number, []):
            row = fields[event_id]
            leaves.append(event_leaf(row, salter.salt(row[0] or b"", row[1] or b""))[0])
        leaves.append(record_leaf(record))
    return tree_root(leaves)

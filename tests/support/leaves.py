"""Seals and verifies a log with the pure parts of evidence alone, for tests of what is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from auditctl.evidence import leaf, merkle
from auditctl.evidence.canonical import COLUMNS, UNITS, from_row
from auditctl.evidence.visibility import Seen
from tests.support.membership import Incarnation, Interval, Membership, Part

if TYPE_CHECKING:
    import psycopg

    from auditctl.evidence.canonical import Fields

EVENTS: LiteralString = """
    select event_id, (extract(epoch from occurred_at) * 1000000)::bigint - 946684800000000, xact_id::text,
           event_id, occurred_at,
           xact_id::text, actor_kind::text, action::text, actor, ip::text, db_user, target, target_id, old_values::text,
           new_values::text, context::text
      from auditctl.event order by event_id, occurred_at
"""

INSERT: LiteralString = """
    insert into auditctl.block (number, incarnation, first_leaf, events, previous_snapshot, snapshot, is_last_part,
           first_event_id, last_event_id, sealed_at, record, state, secret, hashes, checks)
    values (%s, 1, %s, %s, %s, %s, true, %s, %s, now(), %s, '', %s, %s, %s)
"""


def read_blocks(conn: psycopg.Connection) -> list[Any]:
    query = (
        "select number, first_leaf, events, snapshot::text, record, secret, salts, hashes, levels, checks "
        "from auditctl.block order by number"
    )
    return conn.execute(query).fetchall()


def membership(blocks: list[Any]) -> Membership:
    intervals = tuple(Interval(Seen.parse(block[3]), (Part(block[0]),)) for block in blocks)
    return Membership([Incarnation(intervals)])


def seal(conn: psycopg.Connection) -> int:
    """Seal what was committed since the last block; return the number of the block."""
    blocks = read_blocks(conn)
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read")
        (snapshot,) = conn.execute("select pg_current_snapshot()::text").fetchone() or ("",)
        rows = conn.execute(EVENTS).fetchall()
    known = membership(blocks) if blocks else None
    new = [row for row in rows if not known or known.block(row[0], int(row[2]), row[1]) is None]
    secret = secrets.token_bytes(32)
    salter = leaf.Salter(secret)
    hashes, checks = [], b""
    for row in new:
        fields = from_row(row[3:])
        digest, check = leaf.event_leaf(fields, salter.salt(fields[0] or b"", fields[1] or b""))
        hashes.append(digest)
        checks += check
    number = len(blocks) + 1
    record = f"record of block {number}"
    first = blocks[-1][1] + blocks[-1][2] + 1 if blocks else 0
    data = b"".join([*hashes, leaf.record_leaf(record)])
    ids = (new[0][0], new[-1][0]) if new else (None, None)
    before = blocks[-1][3] if blocks else "1:1:"
    if not blocks:
        conn.execute("insert into auditctl.incarnation values (1, 0, 0, 0, 0, now())")
    conn.execute(INSERT, [number, first, len(new), before, snapshot, *ids, record, secret, data, checks])
    return number


@dataclass(frozen=True, slots=True)
class Erased:
    """The newest row of auditctl.erasure of an event that has salts."""

    units: list[str]
    salts: bytes
    commitments: bytes
    remaining: bytes


def root(conn: psycopg.Connection) -> bytes:
    """The root of the tree, from the stored hashes."""
    nodes: list[tuple[int, bytes]] = []
    for block in read_blocks(conn):
        levels = block[8] or bytes(len(block[7]) // 32)
        nodes += [(level, block[7][32 * n : 32 * n + 32]) for n, level in enumerate(levels)]
    stack: list[tuple[int, bytes]] = []
    for level, digest in nodes:
        while stack and stack[-1][0] == level:
            _, left = stack.pop()
            level, digest = level + 1, merkle.node_hash(left, digest)
        stack.append((level, digest))
    _, result = stack.pop()
    while stack:
        result = merkle.node_hash(stack.pop()[1], result)
    return result


def verify(conn: psycopg.Connection) -> list[tuple[int, str]]:
    """Return which events are not as they were sealed, and why: as auditctl verify must find them."""
    blocks = read_blocks(conn)
    known, events = membership(blocks), conn.execute(EVENTS).fetchall()
    erased = {
        row[0]: Erased(*row[1:])
        for row in conn.execute(
            "select event_id, units, salts, commitments, remaining from auditctl.erasure where salts is not null"
        )
    }
    problems: list[tuple[int, str]] = []
    for number, _, count, _, _, secret, salts, hashes, levels, _ in blocks:
        leaves, place = {}, 0
        for position, level in enumerate(levels or bytes(count + 1)):
            if level == 0:
                leaves[place] = hashes[32 * position : 32 * position + 32]
            place += 1 << level
        gone = {place for place in range(count) if _is_gone(conn, number, place)}
        free = [place for place in range(count) if place not in gone]
        rows = [row for row in events if known.block(row[0], int(row[2]), row[1]) == number]
        if len(rows) != len(free):
            problems.append((number, f"{len(free)} leaves and {len(rows)} events"))
        for place, row in zip(free, rows, strict=False):
            fields = from_row(row[3:])
            salt = leaf.Salter(secret).salt(fields[0] or b"", fields[1] or b"") if secret else salts[32 * place :][:32]
            if row[0] in erased:
                assert secret is None
                assert not any(salt)
                problems += [(row[0], why) for why in _problems(fields, erased[row[0]], leaves[place])]
            elif leaf.event_leaf(fields, salt)[0] != leaves[place]:
                problems.append((row[0], "altered"))
    return problems


def _is_gone(conn: psycopg.Connection, block: int, place: int) -> bool:
    row = conn.execute(
        "select coalesce(bool_or(leaves is null or get_bit(leaves, %s) = 1), false) from auditctl.pruned "
        "where block = %s",
        [place, block],
    ).fetchone()
    return bool(row and row[0])


def _problems(fields: Fields, erased: Erased, sealed: bytes) -> list[str]:
    commitments = list(leaf.commitments(fields, erased.salts))
    problems = []
    for number, unit in enumerate(erased.units):
        part = slice(32 * number, 32 * number + 32)
        if (commitments[UNITS.index(unit)] or bytes(32)) != erased.remaining[part]:
            problems.append(unit)
        commitments[UNITS.index(unit)] = erased.commitments[part]
    if leaf.leaf_from_commitments(fields, tuple(commitments)) != sealed:
        problems.append("altered")
    return problems


assert len(COLUMNS) == 13

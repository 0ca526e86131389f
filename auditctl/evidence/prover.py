"""Makes the proof that an event is in the log: from its leaf, the stored tree and the newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg.sql import SQL, Literal

from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.evidence import blocks, merkle, stored_tree
from auditctl.evidence.blocks import Block, Content
from auditctl.evidence.canonical import COLUMNS, UNITS, Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.leaf import SALT_BYTES, UNIT_SALT_BYTES, Salter, event_leaf, unit_salts
from auditctl.evidence.note import signatures
from auditctl.evidence.proof import Disclosure, Proof, prove
from auditctl.evidence.removals import Erasure, read_erasures
from auditctl.evidence.sealed_events import stream
from auditctl.log.reader import no_such_event

_CANDIDATES = """
    select b.number from auditctl.block as b
     where b.first_event_id <= %(event)s and b.last_event_id >= %(event)s order by b.number
"""
_NOTE = "select c.note from auditctl.checkpoint as c order by c.tree_size desc limit 1"


def prove_event(conn: Connection, event_id: int) -> Proof:
    """Return the proof of an event.

    Raises:
        NoSuchEvent: No event has that number.
        UsageError: The event is not sealed yet.
        EvidenceError: It is not as it was sealed, or the tree is not whole.
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn):
        rows = list(stream(conn, SQL("e.event_id = {}::bigint").format(Literal(event_id))))
        if not rows:
            raise no_such_event(event_id)
        numbers = [number for (number,) in conn.execute(_CANDIDATES, {"event": event_id}).fetchall()]
        for number in numbers:
            block = next(blocks.read(conn, number - 1))
            for fields in rows:
                found = _find(conn, block, fields)
                if found is not None:
                    return _prove(conn, block.first_leaf + found[0], found[1])
    if numbers:
        raise EvidenceError(f"event {event_id} is not as it was sealed", hint="See what differs: auditctl verify")
    raise UsageError(f"event {event_id} is not sealed yet", hint="Seal it first: auditctl seal --key FILE")


def _find(conn: Connection, block: Block, fields: Fields) -> tuple[int, Disclosure] | None:
    """The place of an event in a block, and what a proof shows of it; None if the block does not have it."""
    content = blocks.read_content(conn, block.number)
    places = {value: place for place, value in content.leaves().items()}
    number, time = int.from_bytes(fields[0] or b"", "big", signed=True), fields[1] or b""
    erasure = read_erasures(conn, [block.number]).get((number, time)) if content.secret is None else None
    if erasure is not None:
        place = places.get(erasure.leaf(fields))
        return None if place is None else (place, _erased(fields, erasure))
    for salt in _salts(block, content, fields):
        place = places.get(event_leaf(fields, salt)[0])
        if place is not None:
            return place, _whole(fields, unit_salts(salt))
    return None


def _salts(block: Block, content: Content, fields: Fields) -> Iterator[bytes]:
    if content.secret is not None:
        yield Salter(content.secret).salt(fields[0] or b"", fields[1] or b"")
        return
    for place in range(block.events):
        yield content.salts[SALT_BYTES * place : SALT_BYTES * (place + 1)]


def _whole(fields: Fields, salts: bytes) -> Disclosure:
    return Disclosure(fields, tuple(_unit_salt(fields, salts, unit) for unit in UNITS), (None,) * len(UNITS))


def _unit_salt(fields: Fields, salts: bytes, unit: str) -> bytes | None:
    start = UNIT_SALT_BYTES * UNITS.index(unit)
    return None if fields[COLUMNS.index(unit)] is None else salts[start : start + UNIT_SALT_BYTES]


def _erased(fields: Fields, erasure: Erasure) -> Disclosure:
    """What remains of the columns that an erasure changed is not proven, and not shown."""
    shown = tuple(None if name in erasure.units else value for name, value in zip(COLUMNS, fields, strict=True))
    sealed = erasure.sealed()
    return Disclosure(
        shown,
        tuple(_unit_salt(shown, erasure.salts, unit) for unit in UNITS),
        tuple(sealed.get(unit) for unit in UNITS),
    )


def _prove(conn: Connection, index: int, event: Disclosure) -> Proof:
    (note,) = conn.execute(_NOTE).fetchone() or ("",)
    size = Checkpoint.parse(signatures(note)[0]).size

    def subtree(start: int, end: int) -> bytes:
        return merkle.range_root(start, end, lambda level, place: stored_tree.node(conn, level, place))

    return prove(index, tuple(merkle.inclusion(index, size, subtree)), note, event)

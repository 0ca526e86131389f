"""Makes the proof that an event is in the log: from its leaf, the stored tree and the newest checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Literal

from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.evidence import merkle, stored_tree
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.note import signatures
from auditctl.evidence.proof import Disclosure, Proof, prove
from auditctl.evidence.sealed_event import BlockLeaves
from auditctl.evidence.sealed_events import stream
from auditctl.log import archived_months
from auditctl.log.reader import no_such_event

_CANDIDATES = """
    select b.number, b.first_leaf, b.events from auditctl.block as b
     where b.first_event_id <= %(event)s and b.last_event_id >= %(event)s order by b.number
"""
_NOTES = "select c.note from auditctl.checkpoint as c where c.tree_size > %s order by c.tree_size desc"


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
            raise no_such_event(event_id, may_be_archived=archived_months.exist(conn))
        candidates = conn.execute(_CANDIDATES, {"event": event_id}).fetchall()
        for candidate in candidates:
            block = BlockLeaves.read(conn, *candidate)
            for fields in rows:
                leaf = block.find(fields)
                if leaf is not None:
                    return _prove(conn, leaf.index, leaf.disclose(fields))
    if candidates:
        raise EvidenceError(f"event {event_id} is not as it was sealed", hint="See what differs: auditctl verify")
    raise UsageError(f"event {event_id} is not sealed yet", hint="Seal it first: auditctl seal --key FILE")


def choose_note(notes: Sequence[str]) -> str:
    """Return the newest checkpoint that witnesses signed, which holds by a policy with a quorum; else the newest.

    Args:
        notes: Signed checkpoints, the newest first.
    """
    for note in notes:
        text, found = signatures(note)
        if any(name != text.partition("\n")[0] for name, _ in found):
            return note
    return next(iter(notes), "")


def _prove(conn: Connection, index: int, event: Disclosure) -> Proof:
    note = choose_note([note for (note,) in conn.execute(_NOTES, [index]).fetchall()])
    size = Checkpoint.parse(signatures(note)[0]).size

    def subtree(start: int, end: int) -> bytes:
        return merkle.range_root(start, end, lambda level, place: stored_tree.node(conn, level, place))

    return prove(index, tuple(merkle.inclusion(index, size, subtree)), note, event)

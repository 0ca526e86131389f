"""Adds the signatures of witnesses to the log's checkpoints, as C2SP specifies them (tlog-cosignature).

A witness signs a checkpoint elsewhere, and returns the note with its line. Only what a policy's keys verify is stored.
"""

from __future__ import annotations

from auditctl.database import Connection, errors_translated
from auditctl.errors import UsageError
from auditctl.evidence import note, stored_tree
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError, encode
from auditctl.evidence.policy import Policy

_STORED = "select c.note from auditctl.checkpoint as c where c.tree_size = %s"
_NEWEST = "select c.note from auditctl.checkpoint as c order by c.tree_size desc limit 1"
_BLOCK = "select exists (select from auditctl.block as b where b.first_leaf + b.events + 1 = %s)"
_ADD = "select auditctl.add_cosignatures(%s, %s, %s)"


def add(conn: Connection, text: str, policy: Policy) -> tuple[Checkpoint, tuple[str, ...]]:
    """Store the signatures of a cosigned checkpoint with the log's checkpoint of the same tree.

    Args:
        conn: The connection of an administrator.
        text: The note, with the signature of the log and those of witnesses.
        policy: The keys that count; its quorum need not be reached yet.

    Returns:
        The checkpoint, and the labels of the keys whose signatures are new.

    Raises:
        EvidenceError: A signature is wrong, the log did not sign it, or it is not of a tree of this log.
        UsageError: No witness of the policy signed it.
        StoreError: The log is not sealed.
        DatabaseError: The login may not.
    """
    checkpoint, signed = policy.without_witnesses().check(text)
    witnesses = {key.label: key for key in policy.witnesses.values() if key.label in signed}
    if not witnesses:
        raise UsageError("no witness of the policy signed the checkpoint", hint="Name the witness in the policy.")
    stored = _stored_note(conn, text, checkpoint)
    known = {(name, signature[:4]) for name, signature in note.signatures(stored)[1]}
    ids = {(key.name, key.id): label for label, key in witnesses.items()}
    lines, added = [], []
    for name, signature in note.signatures(text)[1]:
        label = ids.pop((name, signature[:4]), None)
        if label is not None and (name, signature[:4]) not in known:
            lines.append(f"\u2014 {name} {encode(signature)}\n")
            added.append(label)
    if lines:
        with errors_translated():
            row = conn.execute(_ADD, [checkpoint.size, stored, "".join(lines)]).fetchone()
        if row != (True,):
            raise UsageError("the checkpoint got other signatures meanwhile", hint="Run it again.")
    return checkpoint, tuple(added)


def _stored_note(conn: Connection, text: str, checkpoint: Checkpoint) -> str:
    """The note that is stored; if a later one of its day replaced it, the given one without others' signatures."""
    row = conn.execute(_STORED, [checkpoint.size]).fetchone()
    given, signatures = note.signatures(text)
    if row is not None:
        if note.signatures(row[0])[0] != given:
            raise EvidenceError(f"the log has another tree of {checkpoint.size} leaves", hint=_FORKED)
        return str(row[0])
    newest = conn.execute(_NEWEST).fetchone()
    is_own = newest is not None and Checkpoint.parse(note.signatures(newest[0])[0]).origin == checkpoint.origin
    if not is_own or conn.execute(_BLOCK, [checkpoint.size]).fetchone() != (True,):
        raise EvidenceError(f"no block of this log ends a tree of {checkpoint.size} leaves", hint=_FORKED)
    if stored_tree.root(conn, checkpoint.size) != checkpoint.root:
        raise EvidenceError(f"the log has another tree of {checkpoint.size} leaves", hint=_FORKED)
    own = [f"\u2014 {name} {encode(one)}\n" for name, one in signatures if name == checkpoint.origin]
    return "".join([given, "\n", *own])


_FORKED = "Was it set back, or is it of another log? Verify the log by it: auditctl verify --checkpoint FILE"

"""Decides whether a key may go on with a log: who signed its last block, and whether the log is the one it left.

The sealer keeps its last checkpoint beside its key. A tree that is not an extension of it has forked: the database is
an older copy, or somebody wrote its evidence anew.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditctl.database import Connection
from auditctl.errors import OutputError, UsageError
from auditctl.evidence import note, stored_tree
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.key_files import KeyFile
from auditctl.evidence.note import Signer
from auditctl.evidence.unsealed import Position

CHECKPOINT_SUFFIX = ".checkpoint"
"""What the name of the file beside the key ends with."""


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The keys of a sealer, and what it accepts.

    Attributes:
        keys: The keys that sign.
        previous: The keys before, which sign the change; None without a change.
        lost_key_reason: Why the keys before cannot sign the change; None if they can.
        fork_reason: Why the log goes on although it forked; None to refuse.
    """

    keys: KeyFile
    previous: KeyFile | None = None
    lost_key_reason: str | None = None
    fork_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the next block continues the log.

    Attributes:
        facts: What its record says about keys and forks; empty where nothing changes.
        signers: The keys that sign its checkpoint.
    """

    facts: dict[str, Any]
    signers: tuple[Signer, ...]


def continue_log(conn: Connection, position: Position, given: SealingKeys) -> Continuation:
    """Return how the next block continues the log.

    Raises:
        UsageError: The log was sealed with other keys, or the keys bear another name.
        EvidenceError: The log forked.
    """
    keys, public = given.keys, [str(verifier) for verifier in given.keys.verifiers]
    own = _local(conn, position, keys, given)
    if position.note is None or position.block is None:
        return Continuation({"key": public, **own}, keys.signers)
    if _has_signed(position, keys):
        return Continuation(own, keys.signers)
    _require_name(position.note, keys)
    if given.previous is not None and _has_signed(position, given.previous):
        fork = _local(conn, position, given.previous, given)
        return Continuation({"key": public, **fork}, (*keys.signers, *given.previous.signers))
    if given.lost_key_reason is not None:
        return Continuation({"key": public, "lost_key": {"reason": given.lost_key_reason}, **own}, keys.signers)
    by = ", ".join(f"{name}+{signature[:4].hex()}" for name, signature in note.signatures(position.note)[1])
    raise UsageError(
        f"the log was sealed with another key: {by}",
        hint="Use that key, or change it: auditctl seal --key NEW --previous-key OLD",
    )


def _has_signed(position: Position, keys: KeyFile) -> bool:
    """Whether the last checkpoint bears the signatures of all keys, and they count from there on."""
    named = json.loads(position.block.record).get("key") if position.block else None
    if named is not None and [str(verifier) for verifier in keys.verifiers] != named:
        return False
    try:
        return len(note.verify(position.note or "", keys.verifiers)[1]) == len(keys.verifiers)
    except EvidenceError:
        return False


def _require_name(last: str, keys: KeyFile) -> None:
    origin = last.split("\n", 1)[0]
    if keys.origin != origin:
        raise UsageError(
            f"the key bears the name {keys.origin}, but the log is {origin}",
            hint=f"Make the new key with: auditctl keygen --output FILE --name {origin}",
        )


def _local(conn: Connection, position: Position, keys: KeyFile, given: SealingKeys) -> dict[str, Any]:
    """Compare the log with the checkpoint beside the key; return what the record says if it forked."""
    left = read_checkpoint(keys)
    if left is None:
        return {}
    text, checkpoint = left
    if text == position.note:
        return {}
    if checkpoint.size <= position.tree_size and stored_tree.root(conn, checkpoint.size) == checkpoint.root:
        return {}
    if given.fork_reason is not None:
        return {"fork": {"checkpoint": text, "reason": given.fork_reason}}
    what = (
        f"it has {position.tree_size} leaves, but had {checkpoint.size}"
        if checkpoint.size > position.tree_size
        else f"its first {checkpoint.size} leaves are not those that were sealed"
    )
    raise EvidenceError(
        f"the log forked since it was last sealed with this key: {what}",
        hint="If the database is an older copy on purpose: auditctl seal --key FILE --continue-from-fork --reason TEXT",
    )


def read_checkpoint(keys: KeyFile) -> tuple[str, Checkpoint] | None:
    """Return the note beside the key and its checkpoint; None if the key has not sealed here yet.

    Raises:
        UsageError: It cannot be read, or the key did not sign it.
    """
    path = checkpoint_path(keys)
    try:
        text = path.read_text("utf-8")
        return text, Checkpoint.parse(note.verify(text, keys.verifiers)[0])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (EvidenceError, ValueError) as error:
        raise UsageError(
            f"{path} is not the checkpoint that this key signed last",
            hint="It shows whether the log forked. Restore the file; move it away only if you know why it differs.",
        ) from error


def write_checkpoint(keys: KeyFile, text: str) -> None:
    """Replace the note beside the key at once, so that a crash leaves the one before or this one.

    Raises:
        OutputError: It cannot be written; the block is sealed all the same.
    """
    path = checkpoint_path(keys)
    hidden = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with hidden.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}",
            hint="The block is sealed. Make the folder writable, or free some space, and run it again.",
        ) from error
    finally:
        with suppress(OSError):
            hidden.unlink()


def checkpoint_path(keys: KeyFile) -> Path:
    """Return the path of the file beside the key."""
    return Path(f"{keys.path}{CHECKPOINT_SUFFIX}")

"""The leaves of the tree: an event as commitments to its columns, and the record of a block.

Each column that can be erased is hashed with a salt of its own, so that its value cannot be guessed from the hash and
its erasure leaves the others verifiable. docs/explanation/evidence.md specifies the bytes, with vectors; SQL computes
the same ones (sql/functions/65_evidence/leaf.sql).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256, sha512
from zlib import crc32

from auditctl.evidence.canonical import COLUMNS, UNITS, Fields

CHECKED = ("event_id", "occurred_at", "xact_id", "actor_kind", "action", "target", *UNITS)
"""The columns that the check bytes of an event stand for, in their order."""

CHECK_BYTES = len(CHECKED)
"""How many check bytes an event has."""

SALT_BYTES = 32
"""How long the secret of a block and the salt of an event are."""

UNIT_SALT_BYTES = 16
"""How long the salt of a column is."""

Commitments = tuple[bytes | None, ...]
"""The commitments of an event, in the order of `UNITS`; None where a column is null."""

_EVENT = b"\0auditctl event v1\n"
_RECORD = b"\0auditctl block v1\n"
_PLACES = tuple(COLUMNS.index(unit) for unit in UNITS)
_BYTES = tuple(bytes((number,)) for number in range(256))
_NULLS = tuple(tuple(bit for bit in range(len(UNITS)) if not byte >> bit & 1) for byte in range(1 << len(UNITS)))
"""The places of the columns that are null, by the byte that says which are not."""


class Salter:
    """Derives the salts of a block's events from its secret, by HMAC-SHA256.

    Args:
        secret: The secret of the block, 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        block = secret.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def salt(self, event_id: bytes, occurred_at: bytes) -> bytes:
        """Return the salt of an event, 32 bytes, from the canonical bytes of its identity and its time."""
        inner = self._inner.copy()
        inner.update(event_id + occurred_at)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


def unit_salts(salt: bytes) -> bytes:
    """Return the salts of an event's columns: 128 bytes, of which column i of `UNITS` has [16 i, 16 i + 16)."""
    return sha512(salt + b"\1").digest() + sha512(salt + b"\2").digest()


def event_leaf(fields: Fields, salt: bytes) -> tuple[bytes, bytes]:
    """Return the leaf hash of an event, 32 bytes, and its check bytes (`CHECKED`).

    Args:
        fields: The canonical bytes of its columns.
        salt: The salt of the event.
    """
    event_id, occurred_at, xact_id, kind, action, actor, ip, user, target, target_id, old, new, context = fields
    # Sealing and verification spend most of their time here: a loop over the columns takes a quarter longer.
    first, second = sha512(salt + b"\1").digest(), sha512(salt + b"\2").digest()
    presence = 0
    of_actor = of_ip = of_user = of_target_id = of_old = of_new = of_context = b""
    if actor is not None:
        presence, of_actor = 1, sha256(first[:16] + actor).digest()
    if ip is not None:
        presence, of_ip = presence | 2, sha256(first[16:32] + ip).digest()
    if user is not None:
        presence, of_user = presence | 4, sha256(first[32:48] + user).digest()
    if target_id is not None:
        presence, of_target_id = presence | 8, sha256(first[48:] + target_id).digest()
    if old is not None:
        presence, of_old = presence | 16, sha256(second[:16] + old).digest()
    if new is not None:
        presence, of_new = presence | 32, sha256(second[16:32] + new).digest()
    if context is not None:
        presence, of_context = presence | 64, sha256(second[32:48] + context).digest()
    units = b"".join((of_actor, of_ip, of_user, of_target_id, of_old, of_new, of_context))
    names, name_checks = _names(kind, action, target)
    identity = (event_id or b"", occurred_at or b"", xact_id or b"")
    leaf = sha256(b"".join((_EVENT, *identity, names, _BYTES[presence], units))).digest()
    numbers = [_BYTES[crc32(part) & 255] for part in identity]
    return leaf, b"".join((*numbers, name_checks, _unit_checks(presence, units)))


def _unit_checks(presence: int, units: bytes) -> bytes:
    """The check bytes of the columns of `UNITS`: the first of each commitment, 0 for a null."""
    checks = units[::32]
    for place in _NULLS[presence]:
        checks = checks[:place] + b"\0" + checks[place:]
    return checks


@lru_cache(maxsize=1024)
def _names(*names: bytes | None) -> tuple[bytes, bytes]:
    """What a leaf has of `actor_kind`, `action` and `target`, and their check bytes; few values come often."""
    return b"".join(map(_with_length, names)), bytes(crc32(name or b"") & 255 for name in names)


def _with_length(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value


def _head(fields: Fields) -> bytes:
    """The leaf up to the byte that says which columns of `UNITS` are not null; nulls that the table forbids, too."""
    event_id, occurred_at, xact_id, kind, action, _, _, _, target, _, _, _, _ = fields
    return b"".join([_EVENT, event_id or b"", occurred_at or b"", xact_id or b"", _names(kind, action, target)[0]])


def commitments(fields: Fields, salts: bytes) -> Commitments:
    """Return the commitments of an event's columns; `salts` is what `unit_salts` returns."""
    units = enumerate(fields[place] for place in _PLACES)
    return tuple(None if value is None else commitment(salts[16 * n : 16 * n + 16], value) for n, value in units)


def commitment(salt: bytes, value: bytes) -> bytes:
    """Return the commitment, 32 bytes, to the canonical bytes of a column with the salt of that column."""
    return sha256(salt + value).digest()


def leaf_from_commitments(fields: Fields, units: Commitments) -> bytes:
    """Return the leaf hash of an event of which the columns of `UNITS` are known by their commitments alone.

    Args:
        fields: The canonical bytes; those of columns in `UNITS` are not looked at.
        units: The commitments, in the order of `UNITS`.
    """
    presence = sum(1 << bit for bit, unit in enumerate(units) if unit is not None)
    present = [unit for unit in units if unit is not None]
    return sha256(b"".join([_head(fields), bytes((presence,)), *present])).digest()


def record_leaf(record: str) -> bytes:
    """Return the leaf hash, 32 bytes, of a block's record."""
    return sha256(_RECORD + record.encode()).digest()

"""The state of capture, of the coverage guard and of who may change them, as a block's record has its hash.

Source: sql/queries/evidence/capture_state.sql, which calls nothing of the store: what it describes may be altered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from auditctl import resources
from auditctl.database import Connection

_KEYS = ("kind", "name", "digest", "enabled", "owner", "acl", "xmin", "calls")
_QUERY = "queries/evidence/capture_state.sql"
_FINGERPRINT = "queries/evidence/capture_fingerprint.sql"


def read(conn: Connection) -> str:
    """Return the state: one JSON object a line, sorted.

    Each has `kind` and `name`, and where it applies `digest` (of its definition), `enabled`, `owner`, `acl`, `calls`
    (the function of a trigger), and `xmin`: the number, modulo 2^32, of the transaction that wrote the catalog's row.
    Install, upkeep and the guard use subtransactions: then it is a later number than the xact_id of the event that
    announces it.
    """
    rows = conn.execute(resources.sql_text(_QUERY).encode()).fetchall()
    lines = sorted(_line(dict(zip(_KEYS, row, strict=True))) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _line(item: dict[str, object]) -> str:
    known = {key: value for key, value in item.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def full_transaction(xmin: int, snapshot_end: int) -> int:
    """Return the whole number of a transaction of which `xmin` has 32 bits.

    Args:
        xmin: What the state has.
        snapshot_end: The xmax of a snapshot that is later by less than 2^32 transactions.
    """
    return xmin if xmin < 3 else snapshot_end - ((snapshot_end - xmin) & 0xFFFFFFFF)


@dataclass(slots=True)
class CaptureState:
    """The state as one session reads it time and again: wholly only if a fingerprint of the catalogs changed."""

    _fingerprint: str = field(default="", init=False)
    _state: str = field(default="", init=False)

    def read(self, conn: Connection) -> str:
        """Return the state in the caller's transaction, as the function `read` does."""
        row = conn.execute(resources.sql_text(_FINGERPRINT).encode()).fetchone()
        fingerprint = row[0] if row else ""
        if not self._state or fingerprint != self._fingerprint:
            self._state = read(conn)
            self._fingerprint = fingerprint
        return self._state

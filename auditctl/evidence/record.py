"""The record of a block: the text that is hashed as the block's last leaf.

JSON on one line. Its keys, in their order:

- `version` (1), `number`, `incarnation`
- `database`, `database_oid`, `system_identifier`, `timeline`, `server_version`: where it was sealed
- `first_leaf`, `events`, `previous_snapshot`, `snapshot`, `from_time`, `until_time`, `is_last_part`, `first_event_id`,
  `last_event_id`, `sealed_at`: as in auditctl.block; times are ISO 8601 in UTC
- `secret_sha256`: the hash (hex) of the secret from which the salts of its events follow
- `capture`: the hash (hex) of the state of capture
- `previous`: the leaf hash (hex) of the record before; null in block 1
- in the first block of an incarnation: `last_sealed_event_id`, `adoption_event_id`, as in auditctl.incarnation
- in block 1, and where the key changes: `key`, the list of public keys that sign from here on
- where the key before was lost: `lost_key`, an object with `reason`
- where the log goes on after a fork: `fork`, an object with `checkpoint` (the signed note that was left) and `reason`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

VERSION = 1

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def write(facts: Mapping[str, Any]) -> str:
    """Return the text of a record with these facts."""
    return json.dumps({"version": VERSION, **facts}, ensure_ascii=False, separators=(",", ":"))


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return sha256(data).hexdigest()


def iso_time(microseconds: int) -> str | None:
    """Return a time as a record has it, from microseconds since 2000; None outside the years 1 to 9999."""
    try:
        return iso(_EPOCH + timedelta(microseconds=microseconds))
    except OverflowError:
        return None


def iso(moment: datetime) -> str:
    """Return a time as a record has it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

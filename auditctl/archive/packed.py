"""An event's canonical bytes as one value, and the digest of many.

Of each column, in the order of `canonical.COLUMNS`, come its length in four bytes, big-endian, and then its bytes; for
null four bytes 255.
"""

from __future__ import annotations

import hashlib
import struct

from auditctl.evidence.canonical import COLUMNS, Fields

_NULL = b"\xff\xff\xff\xff"


def pack(fields: Fields) -> bytes:
    """Return canonical bytes as one value."""
    return b"".join([_NULL if one is None else struct.pack(">I", len(one)) + one for one in fields])


def unpack(data: bytes) -> Fields:
    """Return the canonical bytes that `pack` was given.

    Raises:
        ValueError: It returned no such value.
    """
    fields: list[bytes | None] = []
    place = 0
    for _ in COLUMNS:
        length, start = data[place : place + 4], place + 4
        if len(length) < 4:
            break
        place = start if length == _NULL else start + int.from_bytes(length, "big")
        fields.append(None if length == _NULL else data[start:place])
    if len(fields) != len(COLUMNS) or place != len(data):
        raise ValueError("these are not the bytes of an event")
    return tuple(fields)


class ContentDigest:
    """Adds up events by SHA-256; equal digests mean equal events in the same order.

    Attributes:
        events: How many events were added.
    """

    __slots__ = ("_hash", "events")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0

    def add(self, fields: Fields) -> None:
        """Add an event."""
        self._hash.update(pack(fields))
        self.events += 1

    def hexdigest(self) -> str:
        """Return the digest of what was added so far, in hexadecimal digits."""
        return self._hash.hexdigest()

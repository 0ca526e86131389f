"""Replaces bytes that are not valid UTF-8, which a database in another encoding can contain."""

from __future__ import annotations

import codecs
from collections.abc import Generator, Iterable

CHUNK = 1 << 17
"""How many bytes are collected before they are written."""


def repaired_chunks(pieces: Iterable[bytes | memoryview | bytearray]) -> Generator[bytes]:
    """Yield pieces of whole characters as valid UTF-8, joined to chunks of about `CHUNK` bytes."""
    pending: list[bytes | memoryview | bytearray] = []
    size = 0
    for piece in pieces:
        pending.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield repair(b"".join(pending))
            pending, size = [], 0
    if pending:
        yield repair(b"".join(pending))


def repair(data: bytes) -> bytes:
    """Return the data, with U+FFFD in place of bytes that are not valid UTF-8."""
    if data.isascii():
        return data
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), CHUNK):
            decoder.decode(data[start : start + CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data

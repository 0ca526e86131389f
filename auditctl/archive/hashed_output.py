"""A file that is being written, with its hash: Parquet does not tell what it wrote."""

from __future__ import annotations

import hashlib
from typing import IO


class HashedOutput:
    """Passes on what Parquet writes, and computes its hash.

    Attributes:
        hash: The SHA-256 so far.
        size: How many bytes it has so far.
    """

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self.hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Return how many bytes there are so far."""
        return self.size

    def flush(self) -> None:
        """Pass on what is buffered."""
        self._file.flush()

    def close(self) -> None:
        """The caller closes the file."""

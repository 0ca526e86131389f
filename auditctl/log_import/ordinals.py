"""Tells apart records that are equal in every field, in formats whose records have no number.

Pure. Equal records of the same process and time are counted in their order. They are counted again from the first of
them at the next import, so the position in the file stays before them for a few seconds of the log's time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from auditctl.log_import.files import FilePosition


class Ordinals:
    """How often each record of a file occurred within the last seconds."""

    __slots__ = ("_counts", "_recent")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._recent: dict[str, tuple[datetime, FilePosition]] = {}

    def next(self, key: str, at: datetime, position: FilePosition) -> int:
        """Return how many equal records came before this one."""
        self._recent.setdefault(key, (at, position))
        self._counts[key] = self._counts.get(key, -1) + 1
        return self._counts[key]

    def release(self, before: datetime) -> None:
        """Forget the records written before a time."""
        while self._recent:
            key, (at, _) = next(iter(self._recent.items()))
            if at >= before:
                return
            del self._recent[key], self._counts[key]

    def positions(self) -> Iterator[FilePosition]:
        """Yield where the remembered records begin, oldest first."""
        return (position for _, position in self._recent.values())

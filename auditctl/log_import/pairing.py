"""Joins the two log lines of one read: pgaudit's (statement start) and the policy's (first row).

Pure. Only tables whose reads the policy records concern it. A line of pgaudit waits for a few seconds. A line of the
policy matches it if session, transaction and table are the same and its read is not older.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from auditctl.log_import.files import FilePosition

WINDOW = timedelta(seconds=5)
"""How long a line of pgaudit waits for the policy's, in the time of the log."""

_RESOLUTION = timedelta(milliseconds=1)
"""The resolution of times in the server's log."""


@dataclass(frozen=True, slots=True)
class PendingRead:
    """A read out of a line of pgaudit.

    Attributes:
        key: Identifies the read.
        at: When the line was written.
        session: The session.
        transaction: Its virtual transaction id.
        target: The audited table.
        event: The line as auditctl.import_reads takes it.
        position: Where the line begins.
    """

    key: str
    at: datetime
    session: str
    transaction: str
    target: str
    event: dict[str, Any]
    position: FilePosition


class Pairing:
    """The lines of pgaudit that wait for a line of the policy, at most one for each session and table."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], PendingRead] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, read: PendingRead) -> Iterator[PendingRead]:
        """Let a line wait; yield the earlier one of its session and table, which no line of the policy matched."""
        slot = read.session, read.target
        earlier = self._pending.get(slot)
        if earlier is not None and earlier.key == read.key:
            return  # the statement names the table twice
        if earlier is not None:
            del self._pending[slot]  # so that the new one is the youngest
            yield earlier
        self._pending[slot] = read

    def match(self, session: str, transaction: str, target: str, at: datetime) -> PendingRead | None:
        """Remove and return the waiting line of the read that a line of the policy records; None without one."""
        read = self._pending.get((session, target))
        if read is None or read.transaction != transaction or at + _RESOLUTION < read.at:
            return None
        return self._pending.pop((session, target))

    def pop_before(self, moment: datetime) -> Iterator[PendingRead]:
        """Remove and yield the lines written before a time, oldest first."""
        while self._pending:
            slot, oldest = next(iter(self._pending.items()))
            if oldest.at >= moment:
                return
            del self._pending[slot]
            yield oldest

    def positions(self) -> Iterator[FilePosition]:
        """Yield where the waiting lines begin, oldest first."""
        return (read.position for read in self._pending.values())

"""Which reads two lines tell of: pgaudit's when a statement begins, and the policy's at the first row it sees.

Pure. Only tables whose reads the policy records are looked at. A line of pgaudit is held for a few seconds; if a line
of the policy comes meanwhile, of the same session, transaction and table, and its read is not older, both are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

HELD = timedelta(seconds=5)
"""How long a line of pgaudit waits for the policy's, in the time of the log."""

_UNIT = timedelta(milliseconds=1)
"""How exact the times of the server's log are."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a record begins.

    Attributes:
        fingerprint: The file.
        position: Bytes before it.
        line: Lines before it.
        tail: SHA-256 of the bytes before it, as auditctl.log_file keeps it.
    """

    fingerprint: str
    position: int
    line: int
    tail: str


@dataclass(frozen=True, slots=True)
class Told:
    """A read that a line of pgaudit tells of.

    Attributes:
        key: What names the read.
        at: When the line was written.
        session: The session.
        transaction: Its virtual transaction id.
        target: The audited table.
        event: The line as auditctl.import_reads takes it.
        place: Where the line stands.
    """

    key: str
    at: datetime
    session: str
    transaction: str
    target: str
    event: dict[str, Any]
    place: Place


class Pairing:
    """The lines that are held."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Told] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, told: Told) -> Iterator[Told]:
        """Hold a line; yield the one before of the same session and table, which no line of the policy followed."""
        slot = told.session, told.target
        before = self._held.get(slot)
        if before is not None and before.key == told.key:
            return  # the statement names the table twice
        if before is not None:
            del self._held[slot]  # so that the new one is the youngest
            yield before
        self._held[slot] = told

    def told(self, session: str, transaction: str, target: str, at: datetime) -> Told | None:
        """Return the held line of the read that the policy's line tells of, and let it go; None without one."""
        held = self._held.get((session, target))
        if held is None or held.transaction != transaction or at + _UNIT < held.at:
            return None
        return self._held.pop((session, target))

    def release(self, before: datetime) -> Iterator[Told]:
        """Yield the lines of an earlier time, oldest first, and let them go."""
        while self._held:
            slot, oldest = next(iter(self._held.items()))
            if oldest.at >= before:
                return
            del self._held[slot]
            yield oldest

    def places(self) -> Iterator[Place]:
        """Yield where the held lines stand, oldest first."""
        return (told.place for told in self._held.values())

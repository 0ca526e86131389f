"""Which block an event belongs to, computed apart from the product: from its transaction, its identity and its time.

An interval lies between two snapshots. An event belongs to the first interval of its incarnation whose snapshot sees
its transaction. Each adoption of a restored store begins an incarnation: its transactions have numbers of their own.
docs/explanation/evidence.md states the rule; `sealed_events` and `unsealed` select by it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditctl.evidence.visibility import Seen


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an interval by time, which is one block.

    Attributes:
        block: The number of the block.
        from_time: The first time, in microseconds since 2000; None if it has no beginning.
        until_time: The time after the last; None if it has no end.
    """

    block: int
    from_time: int | None = None
    until_time: int | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """The events that became visible between two snapshots.

    Attributes:
        snapshot: The later of the two.
        parts: Its blocks, in the order of their times; together they cover all times.
    """

    snapshot: Seen
    parts: tuple[Part, ...]

    def block(self, time: int) -> int | None:
        """Return the number of the block of a time in microseconds since 2000; None if it is not sealed yet."""
        for part in self.parts:
            after = part.from_time is None or part.from_time <= time
            if after and (part.until_time is None or time < part.until_time):
                return part.block
        return None


@dataclass(frozen=True, slots=True)
class Incarnation:
    """The life of a store in one place: between two adoptions.

    Attributes:
        intervals: Its intervals, in their order; never empty.
        last_sealed: The largest event_id sealed up to its end; None while it is the newest.
        adoption: The event_id of the adoption that began it; 0 for the first.
    """

    intervals: tuple[Interval, ...]
    last_sealed: int | None = None
    adoption: int = 0
    _ends: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends", tuple(interval.snapshot.xmax for interval in self.intervals))

    def interval(self, event_id: int, transaction: int) -> int | None:
        """Return the place of the first interval that has a transaction; None if none of them sees it.

        What was written before the adoption belongs to the first interval: its transactions are those of another place.
        """
        if event_id <= self.adoption and transaction not in self.intervals[0].snapshot.running:
            return 0
        place = bisect_right(self._ends, transaction)  # the first snapshot that may see it
        while place < len(self.intervals) and not self.intervals[place].snapshot.sees(transaction):
            place += 1
        return place if place < len(self.intervals) else None


class Membership:
    """The blocks of a log, to which events are attributed.

    Args:
        incarnations: In their order; all but the last are closed.
    """

    def __init__(self, incarnations: Sequence[Incarnation]) -> None:
        self._incarnations = incarnations
        self._closed = [item.last_sealed for item in incarnations if item.last_sealed is not None]

    def place(self, event_id: int, transaction: int) -> tuple[int, int] | None:
        """Return incarnation and interval of an event, both as places from 0; None if it is not sealed yet.

        Args:
            event_id: Its identity.
            transaction: Its xact_id.
        """
        incarnation = bisect_left(self._closed, event_id)
        if incarnation >= len(self._incarnations):
            return None
        interval = self._incarnations[incarnation].interval(event_id, transaction)
        if interval is not None:
            return incarnation, interval
        return (incarnation + 1, 0) if incarnation + 1 < len(self._incarnations) else None

    def block(self, event_id: int, transaction: int, time: int) -> int | None:
        """Return the number of the block of an event; None if it is not sealed yet.

        Args:
            event_id: Its identity.
            transaction: Its xact_id.
            time: Its occurred_at, in microseconds since 2000.
        """
        place = self.place(event_id, transaction)
        return None if place is None else self._incarnations[place[0]].intervals[place[1]].block(time)

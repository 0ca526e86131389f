"""Upkeep of the log's partitions: what is due, and doing it step by step. The steps are functions of the store.

Sources: auditctl.maintenance_due, auditctl.maintain_step (sql/functions/60_upkeep/step.sql).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditctl import database
from auditctl.database import Connection

BUSY = "busy"
"""The step of a run that finds another one at it."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that upkeep would do.

    Attributes:
        step: `move`, `create` or `expire`.
        partition: The partition, `auditctl.event_2026_11`.
        dropped: How many events would be deleted.
        kept: How many would stay, or be moved.
        reason: Why, as a sentence.
    """

    step: str
    partition: str
    dropped: int
    kept: int
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was done, and committed.

    Attributes:
        step: `move`, `create` or `expire`; `busy` where another run is at it.
        partition: The partition.
        data: What the event of it holds; of the parts of a move, how far it is.
    """

    step: str
    partition: str
    data: Mapping[str, Any]

    @property
    def is_whole(self) -> bool:
        """Whether it is more than a part of a move."""
        return self.step != "move" or self.data["state"] == "done"

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        if self.step == "create":
            return f"{self.partition}: created."
        if self.step == "move":
            months = self.data["events"]
            return (
                f"{self.partition}: {sum(months.values()):,} events moved to {', '.join(sorted(months)) or 'nowhere'}."
            )
        dropped, kept = self.data["dropped"], self.data["kept"]
        rest = f", {kept:,} kept" if kept else "; the partition is gone"
        return f"{self.partition}: {dropped:,} events deleted{rest}."


def due(conn: Connection) -> tuple[Due, ...]:
    """Return what upkeep would do now, in its order; empty where all is done. Counts exactly, which may take time.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return tuple(Due(*row) for row in conn.execute("select * from auditctl.maintenance_due()"))


def run(conn: Connection) -> Iterator[Done]:
    """Do all upkeep, step by step; yield each when it is committed. Stopping between two leaves nothing half-done.

    Raises:
        DatabaseError: The log is in use by a long transaction, or the login may not.
    """
    while True:
        with database.transaction(conn):
            conn.execute("set transaction isolation level read committed")
            row = conn.execute("select auditctl.maintain_step()").fetchone()
        if row is None or row[0] is None:
            return
        data = row[0]
        yield Done(data["step"], data.get("partition", ""), data)
        if data["step"] == BUSY:
            return

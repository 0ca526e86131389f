"""Runs the upkeep of the log's partitions step by step, and lists what is due. The steps are SQL functions.

Sources: auditctl.maintenance_due, auditctl.maintain_step (sql/functions/60_upkeep/step.sql).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from auditctl import database, place
from auditctl.database import Connection
from auditctl.retention import step_sentences, value_index

BUSY = "busy"
"""The step of a run while another one is running."""

SKIP = "skip"
"""The step of a partition that a transaction is using."""


@dataclass(frozen=True, slots=True)
class DueStep:
    """A step that upkeep would take.

    Attributes:
        step: `notice`, `move`, `create`, `expire`, `archive`, `delete`, `index` or `unindex`; `delete` is of files.
        partition: The partition, `auditctl.event_2026_11`; for a notice, the table of what was ended; for files, the
            month, `month 2026-05`.
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
class FinishedStep:
    """A step that was taken and committed.

    Attributes:
        step: As of a `DueStep`; `busy` while another run is running, `skip` for a partition that
            is left to a later run.
        partition: The partition.
        data: The data of its event; for a part of a move, its progress.
    """

    step: str
    partition: str
    data: Mapping[str, Any]

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole step, not a part of a move."""
        return self.step != "move" or self.data["state"] == "done"

    @property
    def obstacle(self) -> str:
        """Why it was skipped although something was due; empty if it was not, or only an empty month remains."""
        return (self.data["reason"] or "") if self.step == SKIP else ""

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        return step_sentences.sentence(self.step, self.partition, self.data)


def due(
    conn: Connection, *, index_values: bool | None = None, kept_months: Collection[str] = ()
) -> tuple[DueStep, ...]:
    """Return the steps that are due, in order. Counts exactly, which may take time.

    Args:
        conn: The connection.
        index_values: As in `run`.
        kept_months: As in `run`.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with database.transaction(conn):
        _ask(conn, index_values, kept_months)
        return tuple(DueStep(*row) for row in conn.execute("select * from auditctl.maintenance_due()"))


def seconds_until_due(conn: Connection, every: timedelta) -> float:
    """Return how long until so much time has passed since maintain last found nothing to do, here or elsewhere.

    Returns:
        Seconds by the server's clock; 0 if it is due, or never was complete.
    """
    row = conn.execute(
        "select extract(epoch from ran_at + %s - clock_timestamp())::float8 from auditctl.maintenance", [every]
    ).fetchone()
    return max(0.0, row[0]) if row and row[0] is not None else 0.0


def run(
    conn: Connection, *, index_values: bool | None = None, kept_months: Collection[str] = ()
) -> Iterator[FinishedStep]:
    """Run all upkeep; yield each step when it is committed. Stopping between two steps leaves nothing half-done.

    Args:
        conn: The connection.
        index_values: Whether the months that are over have indexes of their recorded values, and so have the past hours
            of the current one, if the login may change the log's tables; None leaves it to the setting
            `auditctl.index_values`, and without that changes none.
        kept_months: Archived months, such as 2026-05, that are not dropped; they may expire all the same.

    Raises:
        DatabaseError: The login may not do upkeep, or a hold is being placed.
        PlaceError: The store was restored or copied: holds and retention may be missing until it is adopted.
    """
    place.require(conn)
    while True:
        with database.transaction(conn):
            conn.execute("set transaction isolation level read committed")
            _ask(conn, index_values, kept_months)
            row = conn.execute("select auditctl.maintain_step()").fetchone()
        if row is None or row[0] is None:
            break
        data = row[0]
        yield FinishedStep(data["step"], data.get("partition", ""), data)
        if data["step"] == BUSY:
            return
    for data in value_index.run(conn, lambda: _ask(conn, index_values, kept_months)):
        yield FinishedStep(data["step"], data["partition"], data)


def _ask(conn: Connection, index_values: bool | None, kept_months: Collection[str]) -> None:
    conn.execute("select set_config('auditctl.kept_months', %s, true)", [",".join(kept_months)])
    if index_values is not None:
        conn.execute("select set_config('auditctl.index_values', %s, true)", [str(index_values).lower()])

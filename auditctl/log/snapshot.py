"""The snapshot of an export, from which the next one goes on: which transactions had committed.

Decides nothing about events. Events are in the order of their capture, and become visible when their transaction
commits, which may be much later: only snapshots divide the log so that each event is on one side. Source:
pg_current_snapshot().
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from auditctl import resources
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.text import in_quotes

START = "start"
"""The text that stands for the snapshot before every event."""

_TEXT = re.compile(
    r"([0-9]{1,20})/([0-9]{1,10})/([0-9]{1,20}):([0-9]{1,20}):((?:[0-9]{1,20}(?:,[0-9]{1,20})*)?)", re.ASCII
)
_HINT = f"Pass what an export printed or wrote to --snapshot-file, or {START} for every event."
_END = 2**64

BEGIN_AGAIN = f"Begin again with --committed-since {START}."
"""How exports begin again."""

_READ = """
    select c.system_identifier, d.oid::bigint, pg_snapshot_xmin(s.snapshot)::text::numeric,
           pg_snapshot_xmax(s.snapshot)::text::numeric,
           array(select x::text::numeric from pg_snapshot_xip(s.snapshot) as x)
      from pg_control_system() as c, pg_database as d, pg_current_snapshot() as s (snapshot)
     where d.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions had committed, or rolled back, at one moment in one database.

    Attributes:
        system: The cluster's system identifier.
        database: The database's object id.
        first: The first transaction that was running; every earlier one had ended.
        end: The first transaction that had not begun.
        running: The transactions from `first` to `end` that were running, in their order.
    """

    system: int
    database: int
    first: int
    end: int
    running: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.system}/{self.database}/{self.sql}"

    @property
    def sql(self) -> str:
        """The snapshot as PostgreSQL writes it."""
        return f"{self.first}:{self.end}:{','.join(map(str, self.running))}"

    def has_ended_since(self, earlier: Snapshot) -> bool:
        """Whether a transaction ended between an earlier snapshot and this one."""
        return self.end > earlier.end or not set(earlier.running) <= set(self.running)

    def without(self, transaction: int) -> Snapshot:
        """Return it as if a transaction that had ended were still running."""
        if transaction >= self.end or transaction in self.running:
            return self
        return replace(self, first=min(self.first, transaction), running=tuple(sorted({*self.running, transaction})))

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Parse what `str(snapshot)` returns, and nothing else.

        Raises:
            UsageError: It is not a snapshot.
        """
        if match := _TEXT.fullmatch(text.strip()):
            system, database, first, end = (int(match[number]) for number in range(1, 5))
            running = tuple(int(number) for number in match[5].split(",") if number)
            is_sorted = running == tuple(sorted(set(running)))
            if 0 < first <= end < _END and is_sorted and all(first <= number < end for number in running):
                return cls(system, database, first, end, running)
        raise UsageError(f"{in_quotes(text)} is not a snapshot", hint=_HINT)


def read(conn: Connection) -> Snapshot | None:
    """Return the snapshot of the caller's transaction, which must be REPEATABLE READ; None on a standby.

    A standby does not know which transactions are running.

    Raises:
        DatabaseError: The connection is lost.
    """
    if conn.execute("select pg_is_in_recovery()").fetchone() == (True,):
        return None
    row = conn.execute(_READ).fetchone()
    if row is None:
        return None
    system, database, first, end, running = row
    return Snapshot(system % _END, database, int(first), int(end), tuple(sorted(map(int, running))))


@dataclass(frozen=True, slots=True)
class Adoption:
    """The last adoption of a restored store: transactions before it may be those of another cluster.

    Attributes:
        event_id: The event that records it.
        transaction: The transaction that recorded it.
    """

    event_id: int
    transaction: int


def last_adoption(conn: Connection) -> Adoption | None:
    """Return the last adoption of the store (queries/adoption.sql); None if it was never restored or copied."""
    rows = conn.execute(resources.sql_text("queries/adoption.sql").encode()).fetchall()
    return Adoption(rows[-1][0], int(rows[-1][1])) if rows else None


def count_running(conn: Connection) -> int:
    """Return how many transactions may still commit events of earlier times; 0 on a standby, which cannot tell."""
    row = conn.execute(
        "select count(*) from pg_snapshot_xip(case when not pg_is_in_recovery() then pg_current_snapshot() end)"
    ).fetchone()
    return row[0] if row else 0


def require_past(
    snapshot: Snapshot | None, current: Snapshot | None, adoption: Adoption | None, again: str = BEGIN_AGAIN
) -> Snapshot:
    """Make sure that one can go on from here, and that a snapshot is an earlier one of the same database.

    Args:
        snapshot: The snapshot to go on from; None for every event.
        current: The snapshot now; None on a standby.
        adoption: The last adoption; None without one.
        again: How to begin again, as a sentence.

    Returns:
        The snapshot now.

    Raises:
        UsageError: It is of another cluster or database, from the future, or from before the last adoption; or the
            server is a standby.
    """
    if current is None:
        raise UsageError(
            "a standby does not know which transactions are running",
            hint="Use the primary. An export by times works here, too.",
        )
    if snapshot is None:
        return current
    if (snapshot.system, snapshot.database) != (current.system, current.database):
        raise UsageError(
            f"the snapshot {snapshot} is of another database",
            hint=f"In a restored or upgraded database, every event is new. {again}",
        )
    if snapshot.end > current.end:
        raise UsageError(
            f"the snapshot {snapshot} is newer than the database",
            hint=f"The database was set back. {again}",
        )
    if adoption is not None and (adoption.transaction >= snapshot.end or adoption.transaction in snapshot.running):
        raise UsageError(
            f"the snapshot {snapshot} was taken before the store was restored here and adopted",
            hint=f"It says nothing about the events that were restored. {again}",
        )
    return current

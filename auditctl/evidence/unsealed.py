"""What is to be sealed next: the interval between two snapshots, and the SQL condition of its events.

The same difference of two snapshots serves exports and followers (auditctl.log.predicates). Here it also divides events
by incarnation, as auditctl.evidence.visibility attributes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.evidence.visibility import NOTHING
from auditctl.log import predicates
from auditctl.log.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class LastBlock:
    """The last block of the log, as it is stored.

    Attributes:
        number: Its number.
        incarnation: The incarnation in which it was sealed.
        first_leaf: The index of its first leaf.
        events: How many events it has.
        previous_snapshot: The snapshot before, as PostgreSQL writes it.
        snapshot: Its snapshot.
        until_time: Where the next part of its interval begins; None without one.
        is_last_part: Whether its interval is sealed wholly.
        record: Its record.
    """

    number: int
    incarnation: int
    first_leaf: int
    events: int
    previous_snapshot: str
    snapshot: str
    until_time: str | None
    is_last_part: bool
    record: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where sealing goes on, in one snapshot of the database (queries/evidence/position.sql).

    Attributes:
        current_snapshot: What has ended now.
        place: The keys `database`, `database_oid`, `system_identifier`, `timeline` and `server_version` of a record.
        adoption_event_id: The event of the last adoption; 0 without one.
        block: The last block; None if the log was never sealed.
        note: The last checkpoint; None without one.
    """

    current_snapshot: str
    place: dict[str, Any]
    adoption_event_id: int
    block: LastBlock | None
    note: str | None

    @property
    def tree_size(self) -> int:
        """How many leaves the tree has."""
        return self.block.first_leaf + self.block.events + 1 if self.block else 0


@dataclass(frozen=True, slots=True)
class Interval:
    """What lies between two snapshots, or the rest of it.

    Attributes:
        incarnation: The incarnation.
        previous_snapshot: The earlier snapshot.
        snapshot: The later one.
        from_time: The time from which on its events are not sealed yet; None for all of them.
        begins: The keys of the record by which a new incarnation begins; None otherwise.
        condition: The condition of its events, over the columns of auditctl.event.
    """

    incarnation: int
    previous_snapshot: str
    snapshot: str
    from_time: str | None
    begins: dict[str, int] | None
    condition: Composable


def read_position(conn: Connection) -> Position:
    """Return where sealing goes on.

    Raises:
        DatabaseError: The server is a standby, or the login may not read the log.
    """
    if conn.execute("select pg_is_in_recovery()").fetchone() == (True,):
        raise DatabaseError("a standby cannot be sealed", hint="Seal on the primary.")
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(resources.sql_text("queries/evidence/position.sql").encode()).fetchone() or {}
    block = LastBlock(**row.pop("block")) if row["block"] else row.pop("block")
    names = ("database", "database_oid", "system_identifier", "timeline", "server_version")
    place = {name: row.pop(name) for name in names}
    return Position(place=place, block=block, **row)


def next_interval(conn: Connection, position: Position) -> Interval:
    """Return what is to be sealed next: the rest of an interval, or all that was committed since the last one."""
    block, now, adoption = position.block, position.current_snapshot, position.adoption_event_id
    known = _incarnations(conn) if block is not None and (block.incarnation > 1 or adoption) else []
    if block is None:
        newest = _Incarnation(1, 0, adoption, now, now, 0)
        return Interval(1, NOTHING, now, None, newest.begins, _first([newest]))
    if not known:
        known = [_Incarnation(1, 0, 0, block.snapshot, block.snapshot, 0)]
    is_adopted = adoption > known[-1].adoption_event_id
    if not block.is_last_part:
        condition = _condition(block.previous_snapshot, block.snapshot, known)
        if is_adopted:
            condition = SQL("({} and event_id <= {}::bigint)").format(condition, Literal(adoption))
        number = block.incarnation
        return Interval(number, block.previous_snapshot, block.snapshot, block.until_time, None, condition)
    if is_adopted:
        newest = _Incarnation(known[-1].incarnation + 1, known[-1].sealed_event_id or 0, adoption, now, now, 0)
        return Interval(newest.incarnation, NOTHING, now, None, newest.begins, _first([*known, newest]))
    return Interval(block.incarnation, block.snapshot, now, None, None, _condition(block.snapshot, now, known))


@dataclass(frozen=True, slots=True)
class _Incarnation:
    """A row of queries/evidence/incarnations.sql."""

    incarnation: int
    last_sealed_event_id: int
    adoption_event_id: int
    first_snapshot: str
    last_snapshot: str
    sealed_event_id: int | None

    @property
    def begins(self) -> dict[str, int]:
        """The keys of the record by which it begins."""
        return {"last_sealed_event_id": self.last_sealed_event_id, "adoption_event_id": self.adoption_event_id}

    @property
    def is_restored(self) -> Composable:
        """The condition of events that were there when it began, whatever the number of their transaction."""
        return SQL("(event_id <= {}::bigint and xact_id <> all ({}::xid8[]))").format(
            Literal(self.adoption_event_id), Literal([str(one) for one in _parse(self.first_snapshot).running])
        )


def _incarnations(conn: Connection) -> list[_Incarnation]:
    rows = conn.execute(resources.sql_text("queries/evidence/incarnations.sql").encode()).fetchall()
    return [_Incarnation(*row) for row in rows]


def _condition(previous: str, snapshot: str, known: list[_Incarnation]) -> Composable:
    """The events between two snapshots of the newest incarnation."""
    if previous == NOTHING:
        return _first(known)
    between = SQL("({} and {})").format(predicates.committed_since(_parse(previous)).sql, _committed_by(snapshot))
    newest = known[-1]
    if not newest.adoption_event_id:
        return between
    return SQL("({} and event_id > {}::bigint and not {})").format(
        between, Literal(newest.last_sealed_event_id), newest.is_restored
    )


def _first(known: list[_Incarnation]) -> Composable:
    """The events of the first interval of the newest incarnation, of which the others are closed."""
    newest = known[-1]
    here = _committed_by(newest.first_snapshot)
    if newest.adoption_event_id:
        here = SQL("({} or {})").format(newest.is_restored, here)
    if len(known) == 1:
        return here
    before = known[-2]
    # Committed before the restore, but after the last block.
    late = SQL("(event_id > {}::bigint and not {} and not {})").format(
        Literal(before.last_sealed_event_id), before.is_restored, _committed_by(before.last_snapshot)
    )
    sealed = Literal(newest.last_sealed_event_id)
    return SQL("(event_id > {0}::bigint and {1} or event_id <= {0}::bigint and {2})").format(sealed, here, late)


def _committed_by(snapshot: str) -> Composable:
    return predicates.committed_by(_parse(snapshot)).sql


def _parse(snapshot: str) -> Snapshot:
    return Snapshot.parse(f"0/0/{snapshot}")

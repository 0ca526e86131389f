"""Erases recorded values, which privacy law may require: the one exception to write-once.

Sources: auditctl.erase_events (sql/functions/65_evidence/erase.sql), queries/erasure_values.sql, erasure_elsewhere.sql.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb

from auditctl import database, place, resources
from auditctl.database import Connection
from auditctl.errors import DatabaseError, UsageError
from auditctl.text import iso_utc

_ABSENT = """
    select distinct n from unnest(%s::bigint[]) as n
     where exists (select from auditctl.archived_month as a where a.dropped_at is not null and a.ended_at is null)
       and not exists (select from auditctl.event as e where e.event_id = n)
     order by n
"""

_MISTAKES = (errors.NoDataFound.sqlstate, errors.InvalidParameterValue.sqlstate)


@dataclass(frozen=True, slots=True)
class Erasure:
    """The values of one event that are erased.

    Attributes:
        event_id: The event.
        created_on: When it was captured.
        target: Its target.
        target_id: Its key, before the erasure; None without one.
        partition: The partition that has it, such as auditctl.event_2026_11; of an archived event, the folder of its
            month.
        places: What is erased, ordered: `values.NAME` for a column of the audited table, `event.NAME` for one of the
            event.
        recorded: The event that announces it; None in a dry run.
        block: The block that had sealed the event; None if none had, and in a dry run.
    """

    event_id: int
    created_on: datetime
    target: str
    target_id: str | None
    partition: str
    places: tuple[str, ...]
    recorded: int | None
    block: int | None

    @property
    def is_archived(self) -> bool:
        """Whether the event is in files of an archive alone."""
        return not self.partition.startswith("auditctl.")


@dataclass(frozen=True, slots=True)
class ErasedValue:
    """A value as it is before its erasure.

    Attributes:
        event_id: The event.
        place: As in `Erasure.places`.
        text: At most 100 characters of the value before and of that after.
        is_key: Whether the event's target_id has the same value.
    """

    event_id: int
    place: str
    text: str
    is_key: bool


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Other events of the same record that still have values of an erased column.

    Attributes:
        target, target_id: The record.
        place: The column, as in `Erasure.places`.
        events: Their numbers, ascending; never empty.
    """

    target: str
    target_id: str
    place: str
    events: tuple[int, ...]


def plan(conn: Connection, events: Sequence[int], columns: Sequence[str]) -> tuple[Erasure, ...]:
    """Return what an erasure would erase, by event; nothing where all is erased already.

    Args:
        conn: The connection of an administrator.
        events: Numbers of events.
        columns: Columns of the audited tables, or else of the events; without any, the old and new values and the
            context.

    Raises:
        UsageError: An event does not exist, none has such a column, or a name may mean two columns.
        DatabaseError: The login may not erase, an event is under a hold, or it is a record of auditctl itself.
    """
    return _erase(conn, events, columns, None)


def erase(conn: Connection, events: Sequence[int], columns: Sequence[str], reason: str) -> tuple[Erasure, ...]:
    """Erase what `plan` returns, all or nothing, and record it for each event.

    Raises:
        UsageError, DatabaseError: As `plan` does; also if the log stays in use for more than 10 seconds.
        PlaceError: The store was restored or copied: holds may be missing until it is adopted.
    """
    place.require(conn)
    return _erase(conn, events, columns, reason)


def find_absent(conn: Connection, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return which of some numbers no event of the table has, if there are months in files alone; else none.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return tuple(number for (number,) in conn.execute(_ABSENT, [list(numbers)]).fetchall())


def _erase(conn: Connection, events: Sequence[int], columns: Sequence[str], reason: str | None) -> tuple[Erasure, ...]:
    query = (
        "select event_id, created_on, target, target_id, partition, places, recorded, block "
        "from auditctl.erase_events(%s::bigint[], %s::text[], %s, %s)"
    )
    with mistakes_explained(), database.transaction(conn):
        conn.execute("set transaction isolation level read committed")
        rows = conn.execute(query, [list(events), list(columns), reason, reason is None]).fetchall()
    return tuple(
        Erasure(event_id, created_on, target, key, partition, tuple(places), recorded, block)
        for event_id, created_on, target, key, partition, places, recorded, block in rows
    )


def read_values(conn: Connection, erasures: Sequence[Erasure]) -> tuple[ErasedValue, ...]:
    """Return the values that a plan would erase, as far as the login may read the log.

    Raises:
        DatabaseError: It may not.
    """
    return tuple(ErasedValue(*row) for row in _query(conn, "erasure_values", erasures))


def find_elsewhere(conn: Connection, erasures: Sequence[Erasure]) -> tuple[Elsewhere, ...]:
    """Return which other events of the same records still have values of the erased columns.

    Raises:
        DatabaseError: The login may not read the log.
    """
    rows = _query(conn, "erasure_elsewhere", erasures)
    return tuple(Elsewhere(target, key, name, tuple(events)) for target, key, name, events in rows)


def read_erasures(conn: Connection, event_id: int) -> list[str]:
    """Return what was erased of an event, by whom, when and why: a sentence for each erasure, in their order.

    Raises:
        DatabaseError: The login may not read the log.
    """
    rows = conn.execute(
        "select places, erased_by, erased_at, erased_in, reason from auditctl.erasure where event_id = %s "
        "order by erased_in",
        [event_id],
    )
    return [
        f"{', '.join(place.split('.', 1)[1] for place in places)} erased by {by} on {iso_utc(at)}, "
        f"as event {number} records: {why}"
        for places, by, at, number, why in rows
    ]


def _query(conn: Connection, name: str, erasures: Sequence[Erasure]) -> list[tuple[Any, ...]]:
    described = [
        {
            "event_id": one.event_id,
            "created_on": iso_utc(one.created_on, microseconds=True),
            "target": one.target,
            "target_id": one.target_id,
            "places": one.places,
        }
        for one in erasures
    ]
    return conn.execute(resources.sql_text(f"queries/{name}.sql").encode(), {"erasures": Jsonb(described)}).fetchall()


@contextmanager
def mistakes_explained() -> Iterator[None]:
    """In the block, raise UsageError for what the caller named wrongly."""
    try:
        with database.errors_translated():
            yield
    except DatabaseError as error:
        if error.sqlstate in _MISTAKES:
            raise UsageError(str(error), hint=error.hint) from error
        raise

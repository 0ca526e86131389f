"""Reads pages of the log, single events, and the history of an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import archived_months, filter_values, keys, target_names, window_search
from auditctl.log import selection as log_selection
from auditctl.log.predicates import Predicate
from auditctl.log.selection import LARGEST_EVENT_ID, Cursor, Order, Selection


class NoSuchEvent(UsageError):
    """There is no event with that number."""


@dataclass(slots=True)
class Page:
    """A part of the log; iterating over it, once, reads it in constant memory.

    Attributes:
        conn: The connection, busy until the end.
        selection: Which events; the limit is the length of the page.
        projection: The columns of each.
        without: The number of an event that is left out: the one that records this very look at the log.
        following: After the iteration: the cursor of the next page; None where no more events follow.
        count: The number of events read so far.
    """

    conn: Connection
    selection: Selection
    projection: Composable
    without: int | None = None
    following: Cursor | None = None
    count: int = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows.

        Raises:
            DatabaseError: The login may not read the log, or the connection is lost.
        """
        limit = self.selection.limit
        # One more than the page holds shows whether more follow.
        most = None if limit is None else limit + (1 if self.without is None else 2)
        selection, last = replace(self.selection, limit=most), ""
        for moment, event_id, *row in stream(self.conn, selection, log_selection.with_cursor(self.projection)):
            if event_id == self.without:
                continue
            if self.count == limit:
                self.following = Cursor.parse(last)
                continue  # to the end, which is here; leaving a stream early costs a cancel request
            self.count += 1
            last = f"{moment}/{event_id}"
            yield tuple(row)


def stream(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    """Yield the projection of each event as the server finds them, in constant memory.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    with read_transaction(conn):
        yield from window_search.rows(conn, selection, projection)


def event(conn: Connection, event_id: int, projection: Composable) -> tuple[Any, ...]:
    """Return one event.

    Raises:
        NoSuchEvent: There is no event with that number.
        DatabaseError: The login may not read the log.
    """
    if 1 <= event_id <= LARGEST_EVENT_ID:
        # No limit: the planner would take it as a reason to walk through the log.
        selection = Selection((Predicate(SQL("event_id = {}::bigint").format(Literal(event_id))),))
        for row in list(stream(conn, selection, projection)):
            return row
    raise no_such_event(event_id, may_be_archived=archived_months.exist(conn))


def neighbors(conn: Connection, at: Cursor, within: Sequence[Predicate] = ()) -> tuple[int | None, int | None]:
    """Return the events right before and after one, by time; None where there is none.

    Args:
        conn: The connection.
        at: The event.
        within: Among which events; empty for the whole log.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return _neighbor(conn, at, within, Order.DESC), _neighbor(conn, at, within, Order.ASC)


def _neighbor(conn: Connection, at: Cursor, within: Sequence[Predicate], order: Order) -> int | None:
    selection = Selection(tuple(within), order, at, 1)
    return next((row[0] for row in list(stream(conn, selection, SQL("event_id")))), None)


def no_such_event(event_id: int, *, may_be_archived: bool = False, archive: str | None = None) -> NoSuchEvent:
    """Return the error of a number that no event has, or none outside of an archive, or none of an archive."""
    if archive is not None:
        return NoSuchEvent(
            f"event {event_id} is not in the archive {archive}",
            hint="Gaps are rolled-back transactions, or months that are not archived.",
        )
    hint = "Gaps are rolled-back transactions. Look with: auditctl log"
    if may_be_archived:
        hint = f"It may be in the archive: auditctl show {event_id} --everywhere"
    return NoSuchEvent(f"event {event_id} doesn't exist{' in the database' if may_be_archived else ''}", hint=hint)


def target_of(conn: Connection, table: str, key: str) -> str:
    """Return the registered name of the table of an object.

    Args:
        conn: The connection.
        table: The table's name or label, as the filter target accepts it, but only one.
        key: The key that the object has or had; for several columns a JSON array.

    Raises:
        UsageError: The log knows no such table, the name matches several, or the key cannot be one.
        DatabaseError: The login may not read the log.
    """
    for name, text in (("table", table), ("key", key)):
        filter_values.require_storable(name, text, may_be_empty=name == "key")
    target = target_names.resolve_one(table, target_names.read(conn))
    keys.find(conn, key, [target])
    return target


def unsearched(conn: Connection, target: str) -> str:
    """Return a sentence about the months that `history` of a target does not read; empty if it reads all.

    Raises:
        DatabaseError: The login may not read the log.
    """
    with read_transaction(conn):
        names = [name for (name,) in conn.execute("select target from auditctl.target_names(%s)", [target])]
    return archived_months.sentence(archived_months.find(conn, [target, *names]))


def history(target: str, key: str) -> Selection:
    """Return the events of one object, oldest first, through changes of its key and of its table's name.

    Args:
        target: The registered name of its table, from `target_of`.
        key: The key that the object has or had.
    """
    source = SQL(
        "(select activity.* from auditctl.history({}, {}) as life join auditctl.activity as activity"
        " on activity.event_id = life.event_id and activity.created_on = life.occurred_at) as activity"
    )
    return Selection(order=Order.ASC, source=source.format(Literal(target), Literal(key)))


def suggest(conn: Connection, target: str, key: str) -> str:
    """Return a question that names keys like one of which `history` found nothing; empty without one.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return keys.suggest(conn, key, [target])

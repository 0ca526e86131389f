"""Reads pages of the log, single events, and the history of an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import filter_values, predicates, target_names, window_search
from auditctl.log import selection as log_selection
from auditctl.log.selection import Cursor, Order, Selection

LARGEST_EVENT = 2**63 - 1


class NoSuchEvent(UsageError):
    """There is no event of that number."""


@dataclass(slots=True)
class Page:
    """A part of the log that is read while it is iterated over, once, in constant memory.

    Attributes:
        conn: The connection, busy until the end.
        selection: Which events; the limit is the length of the page.
        projection: What of each.
        following: Once iterated over: where to go on when more may follow, else None.
        count: How many events were read so far.
    """

    conn: Connection
    selection: Selection
    projection: Composable
    following: Cursor | None = None
    count: int = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows.

        Raises:
            DatabaseError: The login may not read the log, or the connection is lost.
        """
        limit = self.selection.limit
        # One more than is wanted tells whether there is more.
        wanted = self.selection if limit is None else replace(self.selection, limit=limit + 1)
        place = ""
        for moment, event_id, *row in stream(self.conn, wanted, log_selection.placed(self.projection)):
            if self.count == limit:
                self.following = Cursor.parse(place)
                continue  # to the end, which is here; leaving a stream early costs a cancel request
            self.count += 1
            place = f"{moment}/{event_id}"
            yield tuple(row)


def stream(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    """Yield what the projection gives for each event, as the server finds them, in constant memory.

    Raises:
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    with read_transaction(conn):
        yield from window_search.rows(conn, selection, projection)


def event(conn: Connection, event_id: int, projection: Composable) -> tuple[Any, ...]:
    """Return one event.

    Raises:
        NoSuchEvent: There is none with that identity.
        DatabaseError: The login may not read the log.
    """
    if 1 <= event_id <= LARGEST_EVENT:
        selection = Selection(SQL("event_id = {}::bigint").format(Literal(event_id)), limit=1)
        for found in list(stream(conn, selection, projection)):
            return found
    raise NoSuchEvent(
        f"there is no event {event_id}",
        hint="Gaps in the numbers are transactions that were rolled back. Look with: auditctl log",
    )


def history(conn: Connection, table: str, key: str) -> Selection:
    """Return the events of one object, oldest first, through changes of its key and of its table's name.

    Args:
        conn: The connection.
        table: The table's name or label, as the filter target takes it, but only one.
        key: The key the object has or had; for several columns a JSON array.

    Raises:
        UsageError: Nothing is known of the table, or several are meant, or the key cannot be one.
        DatabaseError: The login may not read the log.
    """
    for name, text in (("table", table), ("key", key)):
        filter_values.require_storable(name, text)
    target = target_names.resolve_one(table, target_names.read(conn))
    source = SQL(
        "(select activity.* from ({}) as life join auditctl.activity as activity"
        " on activity.event_id = life.event_id and activity.created_on = life.occurred_at) as activity"
    )
    lives = [_life(target, Literal(key))]
    if filter_values.key(key).is_array:
        lives.append(_life(target, SQL("{}::jsonb::text").format(Literal(key))))
    return Selection(predicates.all_of([]), Order.ASC, source=source.format(SQL(" union ").join(lives)))


def _life(target: str, key: Composable) -> Composable:
    return SQL("select event_id, occurred_at from auditctl.history({}, {})").format(Literal(target), key)

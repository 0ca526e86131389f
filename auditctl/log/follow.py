"""Reads what is committed from one snapshot to the next, page by page, from a place that can be stored at any time.

Decides which events come next. No transaction stays open between two pages, so that a slow reader holds up nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Literal

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.log import predicates, selection
from auditctl.log import snapshot as log_snapshot
from auditctl.log.filters import Filters
from auditctl.log.formats import Format
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Cursor, Order, Selection
from auditctl.log.snapshot import START, Snapshot

NOW = "now"
"""The text that stands for the snapshot at the start of a follower."""

PAGE = 5000
"""How many events are read at once."""

PAGE_BYTES = 8_000_000
"""From how many bytes on a page ends earlier."""

_FETCH = 50


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower has come.

    Attributes:
        snapshot: Everything that was committed at this snapshot was written; None for nothing.
        goal: The snapshot up to which it reads now; None between two readings.
        after: The last event that was written of this reading; None for none.
        taken_at: When `snapshot` was taken; None without it.
    """

    snapshot: Snapshot | None = None
    goal: Snapshot | None = None
    after: Cursor | None = None
    taken_at: datetime | None = None

    def as_texts(self) -> dict[str, str | None]:
        """Return what stores it: snapshot, goal and after as texts, and taken_at in ISO 8601."""
        taken_at = None if self.taken_at is None else self.taken_at.isoformat()
        texts = {name: getattr(self, name) for name in ("snapshot", "goal", "after")}
        return {**{name: None if value is None else str(value) for name, value in texts.items()}, "taken_at": taken_at}

    @classmethod
    def parse(cls, snapshot: str | None, goal: str | None, after: str | None, taken_at: datetime | None) -> Place:
        """Return the place that these texts store.

        Raises:
            UsageError: One of them is not what `as_texts` returns.
        """
        return cls(
            None if snapshot is None else Snapshot.parse(snapshot),
            None if goal is None else Snapshot.parse(goal),
            None if after is None else Cursor.parse(after),
            taken_at,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Events that follow a place.

    Attributes:
        documents: Each event in the follower's format; empty where nothing follows.
        place: The place after them.
        is_last: Whether nothing followed them when they were read.
    """

    documents: tuple[str, ...]
    place: Place
    is_last: bool


@dataclass(frozen=True, slots=True)
class Follower:
    """Reads the pages of one follower.

    Attributes:
        conn: The connection; free between two pages.
        filters: The filters. Their names are looked up for each page, so that a glob covers tables that are new.
        format: A format of one line for each event.
        again: How this follower begins again, as a sentence.
    """

    conn: Connection
    filters: Filters
    format: Format
    again: str

    def read(self, place: Place) -> Page:
        """Return the page after a place.

        Within a reading, which is from one snapshot to the next, events come in the order of their capture.

        Raises:
            UsageError: The place is not one of this database's past, or the log knows no such table or column.
            DatabaseError: The login may not read the log, or the connection is lost.
        """
        with read_transaction(self.conn):
            seen, now = log_snapshot.read(self.conn), _now(self.conn)
            last = log_snapshot.last_adoption(self.conn)
            current = log_snapshot.require_past(place.snapshot, seen, last, self.again)
            log_snapshot.require_past(place.goal, seen, last, self.again)
            if place.goal is None and place.snapshot is not None and not current.has_ended_since(place.snapshot):
                return Page((), replace(place, taken_at=now), is_last=True)
            goal = place.goal or current
            rows, is_whole = self._rows(place, goal, None if last is None else last.event_id)
        documents = tuple(document for _, _, document in rows)
        if is_whole:
            is_last = goal == current
            return Page(documents, Place(goal, taken_at=now if is_last else place.taken_at), is_last)
        moment, event_id, _ = rows[-1]
        return Page(documents, replace(place, goal=goal, after=Cursor.parse(f"{moment}/{event_id}")), is_last=False)

    def _rows(self, place: Place, goal: Snapshot, adoption: int | None) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the next rows of a reading, with their cursors, and whether they are its last."""
        difference = [predicates.committed_by(goal, adoption)]
        if place.snapshot is not None:
            difference.insert(0, predicates.committed_since(place.snapshot, adoption))
        chosen = Selection(
            (*self.filters.resolve(self.conn).predicates(), *difference), Order.ASC, after=place.after, limit=PAGE
        )
        if place.snapshot is not None and place.after is None:
            first = self._first(chosen)
            if first is None:
                return [], True
            chosen = replace(chosen, predicates=(*chosen.predicates, first))
        rows: list[tuple[Any, ...]] = []
        size = 0
        with self.conn.cursor("follow") as cursor:
            cursor.execute(chosen.query(selection.with_cursor(self.format.projection(False))))
            while found := cursor.fetchmany(_FETCH):
                rows += found
                size += sum(len(row[2]) for row in found)
                if size >= PAGE_BYTES:
                    return rows, False
        return rows, len(rows) < PAGE

    def _first(self, chosen: Selection) -> Predicate | None:
        """Return the condition that no event of the selection is earlier; None where there is none.

        Without it the planner would look for the first page from the log's beginning.
        """
        query = SQL("select min(created_on) from ({} offset 0) as found").format(
            replace(chosen, limit=None).unordered_query(SQL("created_on"))
        )
        row = self.conn.execute(query).fetchone()
        if row is None or row[0] is None:
            return None
        return Predicate(SQL("created_on >= {}").format(Literal(row[0])), is_time=True)


def first_place(conn: Connection, begin: Snapshot | str, again: str) -> Place:
    """Return the place at which a new follower begins.

    Args:
        conn: The connection.
        begin: `START` for the first event, `NOW` for what is committed from now on, or a snapshot.
        again: How this follower begins again, as a sentence.

    Raises:
        UsageError: The snapshot is not one of this database's past, or the server is a standby.
    """
    with read_transaction(conn):
        seen, last = log_snapshot.read(conn), log_snapshot.last_adoption(conn)
        snapshot = begin if isinstance(begin, Snapshot) else None
        current = log_snapshot.require_past(snapshot, seen, last, again)
        if begin == START:
            return Place()
        return Place(snapshot or current, taken_at=_now(conn))


def months_expired(conn: Connection, since: datetime) -> tuple[str, ...]:
    """Return the months, such as 2026-10, of which events were deleted that are newer than a time.

    Source: queries/expired_since.sql.
    """
    with read_transaction(conn):
        query = resources.sql_text("queries/expired_since.sql").encode()
        return tuple(month for (month,) in conn.execute(query, {"since": since}))


def _now(conn: Connection) -> datetime | None:
    row = conn.execute("select pg_catalog.transaction_timestamp()").fetchone()
    return row[0] if row else None

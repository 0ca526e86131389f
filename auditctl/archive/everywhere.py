"""Reads the log and its archived months as one: what is in the table, and what upkeep has dropped from it.

Decides where an event is read: a hot one in the table, and so is any other whose month the snapshot has there; else in
the files that the log names. So each event is read once, also while its month moves from one to the other.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.archive import archive, files, layout, month_place
from auditctl.archive.archive import RESTORE, Archive, Month
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.pages import ReadPage, position_of
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names, window_search
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.event_texts import Project
from auditctl.log.formats.format import Row
from auditctl.log.predicates import Predicate
from auditctl.log.selection import LARGEST_EVENT_ID, Order, Selection

_POSITION = SQL(
    "extract(epoch from created_on) * 1000000 as position, event_id as position_id, action::text as position_action, {}"
)
_HIGHEST = "\U0010ffff"

Place = tuple[Any, int]
"""When an event was captured, in microseconds since 1970, and its number."""

Entry = tuple[Place, str, Row]
"""The place of an event, its action, and what is shown of it."""

_EntryOrEdge = tuple[Place, str, Row | None]
"""The same, or without a row the place from which on there may be archived events."""

OpenedMonths = MutableMapping[tuple[str | None, ...], Month]
"""Months by where they are and what the log says of them, with the digest of their manifest: none of them changes."""


@contextmanager
def snapshot(conn: Connection, path: str | None = None, opened: OpenedMonths | None = None) -> Iterator[Archive]:
    """Run the block in a transaction for reading the log (queries/read_everywhere.sql); yield the months it dropped.

    Of these months, the events that stay hot are left out.

    Args:
        conn: The connection.
        path: Where the archive is; None for where it was when it was written.
        opened: The months that were opened before, to which others are added; None for none.

    Raises:
        ArchiveError: A month is missing, or its manifest is not the one that the log names.
        DatabaseError: The login may not read the log.
    """
    known = {} if opened is None else opened
    for is_last in (False, True):
        with read_transaction(conn, "queries/read_everywhere.sql"):
            rows = conn.execute(resources.sql_text("queries/dropped_month.sql").encode()).fetchall()
            try:
                months = tuple(_opened(known, path, row) for row in rows)
            except ArchiveError:
                if is_last:
                    raise
                # An erasure may have replaced a manifest since the snapshot; a new snapshot names the new one.
                continue
            yield Archive(path or "of the log", months, has_cold_events_only=True)
            return


def labels(conn: Connection) -> Mapping[str, str]:
    """Return the labels that targets have now, which archived events are shown with, too.

    Raises:
        DatabaseError: The login may not read the log.
    """
    return {target.name: target.label for target in target_names.read(conn) if target.label is not None}


def _opened(opened: OpenedMonths, path: str | None, row: tuple[Any, ...]) -> Month:
    if (path, *row) not in opened:
        opened[path, *row] = _month(path, *row)
    return opened[path, *row]


def _month(path: str | None, month: str, database: str, location: str, digest: str, elsewhere: str | None) -> Month:
    key = MonthKey(database, month)
    where = files.at(path) if path is not None else month_place.find(key, location, elsewhere)
    try:
        found = archive.month(where, key, digest)
    except ArchiveError as error:
        if path is not None and not where.folders(layout.database_folder(database)):
            raise ArchiveError(
                f"{path} has no archived month of the database {database}",
                hint=f"Name the folder in which database=NAME is. {month} was written to {location}.",
            ) from error
        if path is None and where.size(key.path("")) is None:
            error.hint = f"If the archive {location} is elsewhere from here, say where: --archive PATH --everywhere"
        raise
    if found.manifest.digest != digest:
        raise ArchiveError(
            f"{where.shown(key.path('_manifest.json'))} was altered: it is not the one that the log names", hint=RESTORE
        )
    return found


@dataclass(slots=True)
class MergedPage(ReadPage):
    """A part of the log with its archived months.

    It must be iterated over within `snapshot`. No file is read before the events of the table come to the time of the
    first one.

    Attributes:
        conn: The connection, busy until the end.
        selection: Which events of the table; the limit is the length of the page.
        predicates: The same conditions for archived events.
        projection: The columns of each event of the table.
        search: The archived months.
        project: The same columns of an archived event.
        without: The number of an event that is left out: the one that records this very look at the log.
        keep: Returns the entries that belong to the page, in their order; None for all.
    """

    conn: Connection
    selection: Selection
    predicates: tuple[ArchivePredicate, ...]
    projection: Composable
    search: Search
    project: Project
    without: int | None = None
    keep: Callable[[Iterable[Entry]], Iterable[Entry]] | None = None

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            ArchiveError: A file is missing, was altered, or cannot be read.
            DatabaseError: The login may not read the log, or the connection is lost.
        """
        limit = self.selection.limit
        # What is left out later may be any number of events.
        most = None if limit is None or self.keep is not None else limit + (1 if self.without is None else 2)
        selection = replace(self.selection, limit=most)
        with closing(self._hot(selection)) as hot, closing(self._cold(selection)) as cold:
            yield from self._page(hot, cold)
            if most is not None:
                for _ in hot:
                    pass  # to the end, which is near: leaving a stream early costs a cancel request

    def _page(self, hot: Iterator[Entry], cold: Iterator[_EntryOrEdge]) -> Iterator[Row]:
        both: tuple[Iterator[_EntryOrEdge], ...] = (hot, cold)
        merged = heapq.merge(*both, key=lambda entry: entry[0], reverse=self.selection.order is Order.DESC)
        entries: Iterable[Entry] = ((place, action, row) for place, action, row in merged if row is not None)
        chosen = entries if self.keep is None else self.keep(entries)
        rows = (((at, number, ""), row) for (at, number), _, row in chosen if number != self.without)
        yield from self._counted(rows, self.selection.limit)

    def _hot(self, selection: Selection) -> Generator[Entry]:
        projection = _POSITION.format(self.projection)
        for time, event_id, action, *row in window_search.rows(self.conn, selection, projection):
            yield (time, event_id), action, tuple(row)

    def _cold(self, selection: Selection) -> Generator[_EntryOrEdge]:
        is_back = selection.order is Order.DESC
        after = None if selection.after is None else position_of(selection.after, "" if is_back else _HIGHEST)
        archived = ArchiveSelection(self.predicates, selection.order, after, selection.limit)
        edge = self.search.edge(archived)
        if edge is None:
            return
        yield (edge, LARGEST_EVENT_ID if is_back else 0), "", None
        for event in self.search.events(archived):
            yield event.position[:2], event.texts["action"] or "", self.project(event.texts)


def event(conn: Connection, event_id: int, projection: Composable) -> tuple[str, str | None, Row] | None:
    """Return target, key and a projection of one event of the table, within `snapshot`; None if the table has none.

    Raises:
        DatabaseError: The login may not read the log.
    """
    selection = Selection((Predicate(SQL("event_id = {}::bigint").format(Literal(event_id))),))
    named = SQL("target_name, target_id, {}").format(projection)
    for target, target_id, *row in list(window_search.rows(conn, selection, named)):
        return target, target_id, tuple(row)
    return None

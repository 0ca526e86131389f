"""Finds the first events of a selection soon, however rare they are and wherever in the log they stand.

Decides in which order the log is looked through, never what is found: that is what one ordered query over the whole log
would return. Such a query is planned as if matches were spread evenly, and walks through years of events where they are
not: those of a table that nobody has written to for months. So the log is taken in windows of time. The first is short
and walked through. Each further one is four times as long, and what is in it is gathered by whatever index finds it;
where that is more than a page can want, a shorter window is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection
from auditctl.log import predicates, ways
from auditctl.log.selection import ACTIVITY, CREATED_ON, Order, Selection
from auditctl.log.ways import Condition, Part

WALKED = 10_000
"""How many events the first window holds; to read so many one by one takes about a hundredth of a second."""

GROWTH = 4
"""How many times as long as the one before a window is."""

SHRINKAGE = 16
"""What a window with too many matches is divided by."""

GATHERED = 500
"""How many matches are too many for a window."""

EDGES = 8
"""How many times a window is shortened because the one before was empty."""

_SETTINGS: LiteralString = """
    select
        -- The gathering query is planned to be read to its end, though it may not be.
        pg_catalog.set_config('cursor_tuple_fraction', '1', true),
        -- Room for the places of matches, before bitmaps become coarse.
        pg_catalog.set_config('work_mem', '32MB', true)
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What is outside of these years is in the first window or in the last.
MICROSECONDS: LiteralString = (
    "(extract(epoch from greatest(least(created_on, timestamptz '9998-01-01 00:00+00'),"
    " timestamptz '0002-01-01 00:00+00')) * 1000000)::bigint"
)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Places in the log, in microseconds since 1970.

    Attributes:
        start: Where the selection begins to look: at the newest event, or the oldest.
        walked: Where the first window ends.
        end: Where the log ends.
    """

    start: int
    walked: int
    end: int


def is_worthwhile(selection: Selection) -> bool:
    """Return whether to look in windows: for some events of a part of the log."""
    parts = ways.parts_of(selection.condition)
    return selection.limit is not None and selection.source is None and any(not part.is_time for part in parts)


def rows(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    """Yield what the projection gives for each event of the selection, in its order, in constant memory.

    To be used in a transaction that `reading` has opened.
    """
    extent = _extent(conn, selection) if is_worthwhile(selection) else None
    if extent is None:
        yield from _streamed(conn, selection, projection)
        return
    missing = selection.limit or 0
    for row in _streamed(conn, _between(selection, None, extent.walked), projection):
        missing -= 1
        yield row
    if missing:
        search = _Search(conn, selection, extent)
        while missing and (found := search.next_found(missing)) is not None:
            for row in _streamed(conn, found, projection):
                missing -= 1
                yield row


@dataclass(slots=True)
class _Search:
    """Goes from window to window.

    Attributes:
        conn: The connection.
        selection: What is looked for.
        extent: Where the log begins and ends.
        near: Where the next window begins; None behind the last.
        width: How long it is.
        was_empty: Whether the summary said of the window before that nothing is there.
        edges_left: How many times more to look closer behind such a window.
    """

    conn: Connection
    selection: Selection
    extent: _Extent
    near: int | None = field(init=False)
    width: int = field(init=False)
    was_empty: bool = field(init=False, default=False)
    edges_left: int = field(init=False, default=EDGES)

    def __post_init__(self) -> None:
        self.near, self.width = self.extent.walked, self._least
        prepare(self.conn)

    @property
    def _least(self) -> int:
        return GROWTH * max(abs(self.extent.walked - self.extent.start), 1)

    def next_found(self, missing: int) -> Selection | None:
        """Return what selects the next events, at most as many as are missing; None where the log ends."""
        while self.near is not None:
            far = self._far(self.near)
            window = replace(_between(self.selection, self.near, far), limit=missing)
            parts = present(self.conn, window)
            if parts is None:
                self._go_on(far, was_empty=True)
            elif self._is_edge(parts):
                self._shorten()
                self.edges_left -= 1
            elif (places := _gathered(self.conn, replace(window, condition=ways.best(parts)))) or places == []:
                self._go_on(far, was_empty=False)
                if places:
                    return _at(window, places)
            elif self.width > self._least:
                self._shorten()
            else:
                self._go_on(far, was_empty=False)
                return window
        return None

    def _is_edge(self, parts: Sequence[Part]) -> bool:
        """Return whether to look closer where something begins, before much is read for little."""
        is_joint = sum(not part.is_time for part in parts) > 1
        return self.was_empty and is_joint and self.edges_left > 0 and self.width > self._least

    def _far(self, near: int) -> int | None:
        """Return where a window ends, None for the log's end; and have it no longer than that."""
        sign = -1 if self.selection.order is Order.DESC else 1
        left = (self.extent.end - near) * sign
        self.width = min(self.width, max(left + 1, self._least))
        return near + sign * self.width if left >= self.width else None

    def _shorten(self) -> None:
        self.width = max(self.width // SHRINKAGE, self._least)

    def _go_on(self, far: int | None, *, was_empty: bool) -> None:
        self.near, self.width, self.was_empty = far, self.width * GROWTH, was_empty


def prepare(conn: Connection) -> None:
    """Have the transaction's queries planned for what follows."""
    conn.execute(_SETTINGS)


def present(conn: Connection, window: Selection) -> list[Part] | None:
    """Return the parts of a window's condition as they are in it; None where the summary says that nothing is there."""
    parts = ways.parts_of(window.condition)
    times = [part for part in parts if part.is_time]

    def is_there(part: Part) -> bool:
        if part.summary is None:
            return True
        return bool(_read(conn, replace(window, condition=Condition([part.summary, *times])), SQL("event_id"), 1))

    found = []
    for part in parts:
        options = [option for option in part.options or (part,) if is_there(option)]
        if not options:
            return None
        found.append(part if len(options) == len(part.options) else ways.any_of(options))
    return found


def moment(microseconds: int) -> datetime:
    """Return the time of a place."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _streamed(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        yield from cursor.stream(selection.query(projection))


def _extent(conn: Connection, selection: Selection) -> _Extent | None:
    """Look where the selection's time ends and where the first window does; None if that holds all."""
    ahead, back = ("desc", "asc") if selection.order is Order.DESC else ("asc", "desc")
    times = [part for part in ways.parts_of(selection.condition) if part.is_time]
    query = SQL(
        "select ({place} where {start} {ahead} limit 1), ({place} where {start} {ahead} offset {walked} limit 1),"
        " ({place} where {range} {back} limit 1)"
    ).format(
        place=SQL("select {} from {}").format(SQL(MICROSECONDS), ACTIVITY),
        range=predicates.all_of(times),
        start=predicates.all_of([*times, *selection.start()]),
        ahead=_order(ahead),
        back=_order(back),
        walked=Literal(WALKED),
    )
    row = conn.execute(query).fetchone()
    return None if row is None or row[1] is None else _Extent(*row)


def _order(direction: LiteralString) -> Composable:
    return SQL("order by created_on {0}, event_id {0}").format(SQL(direction))


def _between(selection: Selection, near: int | None, far: int | None) -> Selection:
    """Narrow a selection to a window; None is without end."""
    lower, upper = (far, near) if selection.order is Order.DESC else (near, far)
    bounds = [
        Part(SQL("created_on {} {}").format(SQL(comparison), Literal(moment(bound))), is_time=True)
        for comparison, bound in ((">=", lower), ("<", upper))
        if bound is not None
    ]
    return replace(selection, condition=Condition([*ways.parts_of(selection.condition), *bounds]))


def _gathered(conn: Connection, window: Selection) -> list[tuple[int, str, int]] | None:
    """Return the places of the matches in a window that are wanted, in their order; None where there are too many."""
    found = _read(conn, window, SQL("{}, {}, event_id").format(SQL(MICROSECONDS), SQL(CREATED_ON)), GATHERED + 1)
    if len(found) > GATHERED:
        return None
    found.sort(key=lambda place: (place[0], place[2]), reverse=window.order is Order.DESC)
    return found[: window.limit]


def _read(conn: Connection, window: Selection, projection: Composable, most: int) -> list[tuple[Any, ...]]:
    """Return some rows of a query that is planned to be read to its end."""
    with conn.cursor(name="auditctl_search") as cursor:
        cursor.execute(window.places(projection))
        return cursor.fetchmany(most)


def _at(window: Selection, places: list[tuple[int, str, int]]) -> Selection:
    """Select the events at these places."""
    values = SQL(", ").join(
        SQL("({}::timestamptz, {}::bigint)").format(Literal(moment), Literal(event_id))
        for _, moment, event_id in places
    )
    source = SQL(
        "(select activity.* from (values {}) as place (created_on, event_id) join {} as activity"
        " on activity.created_on = place.created_on and activity.event_id = place.event_id) as activity"
    ).format(values, ACTIVITY)
    return Selection(predicates.all_of([]), window.order, source=source)

"""Finds the first events of a selection fast, however rare they are and wherever they are in the log.

Decides in which order the log is searched, never what is found: that is what one ordered query over the whole log would
return. PostgreSQL plans such a query as if matches were spread evenly, and walks through years of events where they are
not, such as those of a table that nobody has changed for months. So the log is searched in windows of time. The first
is short and walked through. Each further one is four times as long, and its matches are gathered by whatever index
finds them; where there are more than a page needs, a shorter window is tried. If only some hours of the week are
searched, the index of times leads to each of these hours in the window, and past all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection
from auditctl.log import hour_windows, predicates
from auditctl.log.predicates import Predicate
from auditctl.log.selection import ACTIVITY, CREATED_ON, Order, Selection
from auditctl.log.time_predicates import FINITE
from auditctl.log.week import WeekHours, moment

FIRST_WINDOW = 10_000
"""How many events the first window holds; reading as many one by one takes about a hundredth of a second."""

GROWTH = 4
"""How many times as long as the window before it a window is."""

SHRINKAGE = 16
"""The divisor for the length of a window with too many matches."""

MAX_GATHERED = 500
"""The maximum number of matches that are gathered in a window."""

MAX_EDGES = 8
"""How many times a window is shortened because the one before it was empty."""

_SETTINGS: LiteralString = """
    select
        -- The gathering query is planned to be read to its end, though it may not be.
        pg_catalog.set_config('cursor_tuple_fraction', '1', true),
        -- Room for the positions of matches, before bitmaps become coarse.
        pg_catalog.set_config('work_mem', '32MB', true)
"""

# Times outside of its years are in the first window or in the last.
MICROSECONDS: LiteralString = "(extract(epoch from " + FINITE + ") * 1000000)::bigint"


@dataclass(frozen=True, slots=True)
class _Extent:
    """The range of the log to search, in microseconds since 1970.

    Attributes:
        start: Where the search begins: at the newest event, or the oldest.
        first_end: Where the first window ends.
        end: Where the log ends.
    """

    start: int
    first_end: int
    end: int


def is_worthwhile(selection: Selection) -> bool:
    """Return whether to search in windows: for a limited number of events that a filter other than time selects."""
    has_filter = any(not predicate.is_time for predicate in selection.predicates)
    return selection.limit is not None and selection.source is None and has_filter


def rows(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    """Yield the projection of each event of the selection, in its order, in constant memory.

    Must run inside `read_transaction`.
    """
    extent = _extent(conn, selection) if is_worthwhile(selection) else None
    if extent is None:
        yield from _stream(conn, selection, projection)
        return
    missing = selection.limit or 0
    for row in _stream(conn, _window(selection, None, extent.first_end), projection):
        missing -= 1
        yield row
    if missing:
        search = _Search(conn, selection, extent)
        while missing and (matches := search.next_matches(missing)) is not None:
            for row in _stream(conn, matches, projection):
                missing -= 1
                yield row


@dataclass(slots=True)
class _Search:
    """Proceeds from window to window.

    Attributes:
        conn: The connection.
        selection: What is searched for.
        extent: Where the log begins and ends.
        near: Where the next window begins; None after the last.
        width: The length of the next window, in microseconds.
        hours: The hours of the week in which all matches are; None for all.
        indexed: Up to when the current month has an index of recorded values; None without one, or where none helps.
        was_empty: Whether the summary ruled out the window before.
        edges_left: How many more times to shorten a window after an empty one.
    """

    conn: Connection
    selection: Selection
    extent: _Extent
    near: int | None = field(init=False)
    width: int = field(init=False)
    hours: WeekHours | None = field(init=False)
    indexed: int | None = field(init=False)
    was_empty: bool = field(init=False, default=False)
    edges_left: int = field(init=False, default=MAX_EDGES)

    def __post_init__(self) -> None:
        self.near, self.width = self.extent.first_end, self._min_width
        self.hours = hour_windows.common_hours(self.selection.predicates)
        self.indexed = _values_indexed_until(self.conn) if _is_of_values(self.selection.predicates) else None
        prepare(self.conn)

    @property
    def _min_width(self) -> int:
        return GROWTH * max(abs(self.extent.first_end - self.extent.start), 1)

    def next_matches(self, missing: int) -> Selection | None:
        """Return a selection of the next events, at most as many as are missing; None where the log ends."""
        while (near := self._next_near()) is not None:
            far = self._far(near)
            window = replace(_window(self.selection, near, far), limit=missing)
            possible = probe_summary(self.conn, window)
            if possible is None:
                self._advance(far, was_empty=True)
            elif self._is_edge(possible):
                self._shorten()
                self.edges_left -= 1
            elif (matches := self._gather(window, possible, near, far)) or matches == []:
                self._advance(far, was_empty=False)
                if matches:
                    return _at(window, matches)
            elif self.width > self._min_width:
                self._shorten()
            else:
                self._advance(far, was_empty=False)
                return window
        return None

    def _gather(
        self, window: Selection, possible: Sequence[Predicate], near: int, far: int | None
    ) -> list[tuple[int, str, int]] | None:
        """Return the first matches of a window, as the function of that name does."""
        if self.hours is not None:
            bounds = sorted((near, self.extent.end if far is None else far))
            relation = hour_windows.within(self.hours.spans(bounds[0], bounds[1] + 1))
            events = hour_windows.count(self.conn, relation)
            if not events:
                return []
            if events <= hour_windows.MAX_EVENTS:
                window = replace(window, source=SQL("{} as activity").format(relation))
        return _gather(self.conn, replace(window, predicates=predicates.prefer_summary(possible)))

    def _next_near(self) -> int | None:
        """Return where the next window begins: if only some hours are searched, where the next event is."""
        if self.hours is not None and self.near is not None:
            is_back = self.selection.order is Order.DESC
            rest = replace(_window(self.selection, self.near, None), limit=1)
            times = tuple(predicate for predicate in rest.predicates if predicate.is_time)
            rest = replace(rest, predicates=times, after=None)
            self.near = next((row[0] + is_back for row in _stream(self.conn, rest, SQL(MICROSECONDS))), None)
        return self.near

    def _is_edge(self, possible: Sequence[Predicate]) -> bool:
        """Return whether to search a shorter window first, because matches begin here and reading all costs much."""
        has_several = sum(not predicate.is_time for predicate in possible) > 1
        return self.was_empty and has_several and self.edges_left > 0 and self.width > self._min_width

    def _far(self, near: int) -> int | None:
        """Return where the window ends, None for the log's end; limit its width to what remains of the log."""
        sign = -1 if self.selection.order is Order.DESC else 1
        remaining = (self.extent.end - near) * sign
        self.width = min(self.width, max(remaining + 1, self._min_width), hour_windows.max_width(self.hours))
        if self.indexed is not None and 0 < (rest := (self.indexed - near) * sign) < self.width:
            self.width = max(rest, self._min_width)
            return self.indexed
        return near + sign * self.width if remaining >= self.width else None

    def _shorten(self) -> None:
        self.width = max(self.width // SHRINKAGE, self._min_width)

    def _advance(self, far: int | None, *, was_empty: bool) -> None:
        self.near, self.width, self.was_empty = far, self.width * GROWTH, was_empty


def _is_of_values(selected: Sequence[Predicate]) -> bool:
    """Whether nothing leads to the events but an index of recorded values, which not all of the log has."""
    return any(not (some.is_time or some.is_indexed or some.summary) for some in selected)


def _values_indexed_until(conn: Connection) -> int | None:
    query = SQL("select (extract(epoch from auditctl.values_indexed_until()) * 1000000)::bigint")
    row = conn.execute(query).fetchone()
    return row[0] if row else None


def prepare(conn: Connection) -> None:
    """Set how the queries that follow in the transaction are planned."""
    conn.execute(_SETTINGS)


def probe_summary(conn: Connection, window: Selection) -> tuple[Predicate, ...] | None:
    """Return a window's predicates without the alternatives that the summary rules out; None where it rules out all."""
    times = tuple(predicate for predicate in window.predicates if predicate.is_time)

    def is_possible(predicate: Predicate) -> bool:
        if predicate.summary is None:
            return True
        probe = replace(window, predicates=(Predicate(predicate.summary), *times))
        return bool(fetch(conn, probe, SQL("event_id"), 1))

    possible = []
    for predicate in window.predicates:
        alternatives = [some for some in predicate.alternatives or (predicate,) if is_possible(some)]
        if not alternatives:
            return None
        is_whole = len(alternatives) == len(predicate.alternatives or (predicate,))
        possible.append(predicate if is_whole else predicates.disjunction(alternatives))
    return tuple(possible)


def _stream(conn: Connection, selection: Selection, projection: Composable) -> Iterator[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        yield from cursor.stream(selection.query(projection))


def _extent(conn: Connection, selection: Selection) -> _Extent | None:
    """Return the range to search; None if the first window holds all of it."""
    ahead, back = ("desc", "asc") if selection.order is Order.DESC else ("asc", "desc")
    times = [predicate for predicate in selection.predicates if predicate.is_time]
    query = SQL(
        "select ({time} where {start} {ahead} limit 1), ({time} where {start} {ahead} offset {first} limit 1),"
        " ({time} where {range} {back} limit 1)"
    ).format(
        time=SQL("select {} from {}").format(SQL(MICROSECONDS), ACTIVITY),
        range=predicates.conjunction(times),
        start=predicates.conjunction([*times, *selection.after_cursor()]),
        ahead=_order(ahead),
        back=_order(back),
        first=Literal(FIRST_WINDOW),
    )
    row = conn.execute(query).fetchone()
    return None if row is None or row[1] is None else _Extent(*row)


def _order(direction: LiteralString) -> Composable:
    return SQL("order by created_on {0}, event_id {0}").format(SQL(direction))


def _window(selection: Selection, near: int | None, far: int | None) -> Selection:
    """Narrow a selection to a window, in microseconds since 1970; None is without end."""
    lower, upper = (far, near) if selection.order is Order.DESC else (near, far)
    bounds = [
        Predicate(SQL("created_on {} {}").format(SQL(comparison), Literal(moment(bound))), is_time=True)
        for comparison, bound in ((">=", lower), ("<", upper))
        if bound is not None
    ]
    return replace(selection, predicates=(*selection.predicates, *bounds))


def _gather(conn: Connection, window: Selection) -> list[tuple[int, str, int]] | None:
    """Return the times and identities of a window's first matches, in order; None where there are too many matches."""
    matches = fetch(conn, window, SQL("{}, {}, event_id").format(SQL(MICROSECONDS), SQL(CREATED_ON)), MAX_GATHERED + 1)
    if len(matches) > MAX_GATHERED:
        return None
    matches.sort(key=lambda match: (match[0], match[2]), reverse=window.order is Order.DESC)
    return matches[: window.limit]


def fetch(conn: Connection, window: Selection, projection: Composable, limit: int) -> list[tuple[Any, ...]]:
    """Return some rows, in any order, of a query that is planned to be read to its end."""
    with conn.cursor(name="auditctl_search") as cursor:
        cursor.execute(window.unordered_query(projection))
        return cursor.fetchmany(limit)


def _at(window: Selection, matches: Sequence[tuple[int, str, int]]) -> Selection:
    """Select the events with these times and identities."""
    values = SQL(", ").join(
        SQL("({}::timestamptz, {}::bigint)").format(Literal(time), Literal(event_id)) for _, time, event_id in matches
    )
    source = SQL(
        "(select activity.* from (values {}) as place (created_on, event_id) join {} as activity"
        " on activity.created_on = place.created_on and activity.event_id = place.event_id) as activity"
    ).format(values, ACTIVITY)
    return Selection(order=window.order, source=source)

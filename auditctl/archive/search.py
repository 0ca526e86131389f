"""Finds events in an archive, in their order, in constant memory.

Decides in which order the files are searched: from the newest on, or from the oldest, in windows that grow while
little is found. What is found is what one ordered query over all files would return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from math import inf
from operator import gt, lt
from typing import TYPE_CHECKING

from auditctl.archive import hot_targets, texts
from auditctl.archive.archive import RESTORE, Archive, ArchivedPart
from auditctl.archive.engines import Engine, EngineMemoryError
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.part_errors import naming, require_content
from auditctl.archive.texts import ArchivedEvent, Labels, Position
from auditctl.log import archive_predicates
from auditctl.log.archive_predicates import ArchivePredicate, Expression
from auditctl.log.selection import Order

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Table

GROWTH = 4
"""How many times as many files as the window before it a window has."""

CHUNK = 2_000
"""How many events one query finds at most."""

FEWER = 16
"""The divisor for that number, where so many do not fit into the engine's memory."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ArchiveSelection:
    """Which archived events to read, and in which order.

    Attributes:
        predicates: The conditions, all of which an event satisfies.
        order: Oldest or newest first.
        after: The event after which to continue, in that order; None to start at the beginning.
        limit: The maximum number of events; None for all.
    """

    predicates: tuple[ArchivePredicate, ...] = ()
    order: Order = Order.DESC
    after: Position | None = None
    limit: int | None = None


@dataclass(slots=True)
class Search:
    """A search of an archive by an engine.

    Attributes:
        archive: The archive.
        engine: The engine.
        labels: The labels of targets, by database.
        checks_content: Whether the SHA-256 of each file is compared before it is read.
    """

    archive: Archive
    engine: Engine
    labels: Labels = field(default_factory=dict)
    checks_content: bool = False
    _known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.labels = self.labels or self.archive.labels

    def events(self, selection: ArchiveSelection) -> Iterator[ArchivedEvent]:
        """Yield the events of a selection, in its order.

        Raises:
            ArchiveError: A file is missing, was altered, or cannot be read.
            OutputError: A file cannot be read.
        """
        found = self._events(selection, archive_predicates.conjunction(selection.predicates))
        yield from found if selection.limit is None else islice(found, selection.limit)

    def edge(self, selection: ArchiveSelection) -> int | None:
        """Return when the first event may have been captured, in the order of the selection, by the manifests alone.

        Returns:
            Microseconds since 1970; None if no file can have an event of the selection.
        """
        found = self._searched(selection, archive_predicates.conjunction(selection.predicates))
        if selection.order is Order.ASC:
            times = [datetime.fromisoformat(part.part.first_occurred_at) for part in found]
        else:
            times = [datetime.fromisoformat(part.part.last_occurred_at) for part in found]
        first = min if selection.order is Order.ASC else max
        return (first(times) - _EPOCH) // timedelta(microseconds=1) if times else None

    def _events(self, selection: ArchiveSelection, predicate: ArchivePredicate) -> Iterator[ArchivedEvent]:
        slices = _slices(self._searched(selection, predicate), is_merged=len(self.archive.databases) > 1)
        if selection.order is Order.DESC:
            slices.reverse()
        place, size = 0, 1
        missing = inf if selection.limit is None else selection.limit
        while place < len(slices) and missing > 0:
            window = [part for some in slices[place : place + size] for part in some]
            place, count = place + size, 0
            possible = self._possible(window, selection.predicates)
            for event in self._window(window, selection, possible, missing) if possible is not None else ():
                count += 1
                yield event
            missing -= count
            # All of a large answer comes file by file; where little is found, more are searched at once.
            size = 1 if missing == inf else size * GROWTH

    def _searched(self, selection: ArchiveSelection, predicate: ArchivePredicate) -> list[ArchivedPart]:
        """Return the files that may have such events, by what the manifests say of their times."""
        after = None if selection.after is None else _EPOCH + timedelta(microseconds=selection.after[0])
        since, until = predicate.since, predicate.until
        if after is not None and selection.order is Order.ASC:
            since = after if since is None else max(since, after)
        return [
            part
            for month in self.archive.months
            for part in month.parts
            if (since is None or datetime.fromisoformat(part.part.last_occurred_at) >= since)
            and (until is None or datetime.fromisoformat(part.part.first_occurred_at) < until)
            and (
                after is None
                or selection.order is Order.ASC
                or datetime.fromisoformat(part.part.first_occurred_at) <= after
            )
        ]

    def _possible(
        self, window: Sequence[ArchivedPart], predicates: Sequence[ArchivePredicate]
    ) -> ArchivePredicate | None:
        """Return what events of some files satisfy: of alternatives, those that files have; None if they have none."""
        found = []
        for predicate in predicates:
            if not predicate.alternatives or self.engine.skips_by_alternatives:
                found.append(predicate)
            elif ways := [way for way in predicate.alternatives if self._has_some(window, way)]:
                found.append(replace(predicate, expression=partial(_one_of, ways), alternatives=()))
            else:
                return None
        return archive_predicates.conjunction(found)

    def _has_some(self, window: Sequence[ArchivedPart], condition: Expression) -> bool:
        table = self.table(window)
        with naming(window):
            batches = self.engine.batches(table.filter(condition(table)).select("event_id").limit(1))
            return any(batch.num_rows for batch in batches)

    def _window(
        self, window: Sequence[ArchivedPart], selection: ArchiveSelection, predicate: ArchivePredicate, missing: float
    ) -> Iterator[ArchivedEvent]:
        """Yield the events of some files, no more than are missing."""
        if missing == inf and self._comes_in_order(selection):
            return self._as_they_come(window, selection, predicate)
        return self._in_chunks(window, selection, predicate, missing)

    def _as_they_come(
        self, window: Sequence[ArchivedPart], selection: ArchiveSelection, predicate: ArchivePredicate
    ) -> Iterator[ArchivedEvent]:
        table, last = self.table(window), selection
        try:
            found = self.read(window, table.filter(self._condition(table, predicate, selection)))
            for event in _in_order(found, window):
                last = replace(selection, after=event.position)
                if _selects(predicate, event):
                    yield event
        except EngineMemoryError:
            yield from self._in_chunks(window, last, predicate, inf, CHUNK // FEWER)

    def _in_chunks(
        self, window: Sequence[ArchivedPart], selection: ArchiveSelection, predicate: ArchivePredicate, missing: float,
        most: int | None = None,
    ) -> Iterator[ArchivedEvent]:  # fmt: skip
        """Yield what query after query finds; where so much does not fit into the engine's memory, less at a time."""
        table, most = self.table(window), most or CHUNK
        while missing > 0:
            chunk = most if predicate.accepts is not None else int(min(missing, most))
            condition = self._condition(table, predicate, selection)
            count = 0
            try:
                for event in self.read(window, _ordered(table.filter(condition), selection.order).limit(chunk)):
                    count += 1
                    selection = replace(selection, after=event.position)
                    if _selects(predicate, event):
                        missing -= 1
                        yield event
            except EngineMemoryError as error:
                most = _fewer(chunk, window, error)
            else:
                if count < chunk:
                    return

    def _comes_in_order(self, selection: ArchiveSelection) -> bool:
        """Return whether the engine yields the events of a file in their order without sorting them."""
        is_one = len(self.archive.databases) <= 1
        return is_one and selection.order is Order.ASC and self.engine.keeps_order

    def table(self, window: Sequence[ArchivedPart]) -> Table:
        """Return a table over some files, which are there, with those of their events that the archive has.

        Raises:
            ArchiveError: One is missing, or was altered.
            OutputError: One cannot be read.
        """
        for part in window:
            self.engine.mount(part.files.filesystem)
            if part.path not in self._known:
                part.require()
                if self.checks_content:
                    require_content(part)
                self._known.add(part.path)
        with naming(window):
            events = self.engine.events([part.files.location(part.path) for part in window])
            return events.filter(~hot_targets.condition(events)) if self.archive.has_cold_events_only else events

    def read(self, window: Sequence[ArchivedPart], table: Table) -> Iterator[ArchivedEvent]:
        """Yield the events of an expression over some files, which has all their columns.

        Raises:
            ArchiveError: A file cannot be read.
        """
        with naming(window):
            for batch in self.engine.batches(table):
                yield from texts.of_batch(batch, self.labels)

    def _condition(self, table: Table, predicate: ArchivePredicate, selection: ArchiveSelection) -> BooleanValue:
        condition = predicate.expression(table)
        return condition if selection.after is None else condition & _after(table, selection.after, selection.order)


def _one_of(conditions: Sequence[Expression], events: Table) -> BooleanValue:
    return archive_predicates.any_of(condition(events) for condition in conditions)


def _slices(found: Sequence[ArchivedPart], *, is_merged: bool) -> list[list[ArchivedPart]]:
    """Divide files into groups one after the other in time: of one database each file, of several each month."""
    if not is_merged:
        return [[part] for part in found]
    by_month: dict[str, list[ArchivedPart]] = {}
    for part in found:
        by_month.setdefault(part.key.month, []).append(part)
    return [by_month[month] for month in sorted(by_month)]


def _ordered(table: Table, order: Order) -> Table:
    import ibis

    keys = (table.occurred_at, table.event_id, table.database)
    return table.order_by([ibis.desc(key) if order is Order.DESC else ibis.asc(key) for key in keys])


def _after(table: Table, position: Position, order: Order) -> BooleanValue:
    import ibis

    time = ibis.literal(_EPOCH + timedelta(microseconds=position[0]))
    before = gt if order is Order.ASC else lt
    rest = before(table.event_id, position[1]) | ((table.event_id == position[1]) & before(table.database, position[2]))
    condition = before(table.occurred_at, time) | ((table.occurred_at == time) & rest)
    # Implied, and what engines compare with the statistics of the files.
    bound = table.occurred_at >= time if order is Order.ASC else table.occurred_at <= time
    return bound & condition


def _selects(predicate: ArchivePredicate, event: ArchivedEvent) -> bool:
    return predicate.accepts is None or predicate.accepts(event.values)


def _fewer(chunk: int, window: Sequence[ArchivedPart], error: EngineMemoryError) -> int:
    """Return how many events to ask for where so many are too large; raises ArchiveError where one is."""
    if chunk > 1:
        return max(1, chunk // FEWER)
    names = ", ".join(part.files.shown(part.path) for part in window[:3])
    raise ArchiveError(
        f"an event is too large for the memory of the engine ({names})", hint="Bring the month back: restore-archive"
    ) from error


def _in_order(found: Iterator[ArchivedEvent], window: Sequence[ArchivedPart]) -> Iterator[ArchivedEvent]:
    last: Position | None = None
    for event in found:
        if last is not None and event.position[:2] <= last[:2]:
            names = ", ".join(part.files.shown(part.path) for part in window)
            raise ArchiveError(f"{names} was altered: its events are not in their order", hint=RESTORE)
        last = event.position
        yield event

"""Finds the transactions with enough selected events, last number first.

Decides only where to look. A transaction has one number, which it is given when it first writes: in whatever range of
numbers is searched, the counts are whole. Ranges grow until the page is full. Transactions that upkeep has counted are
taken from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from psycopg.sql import SQL

from auditctl.database import Connection
from auditctl.log import predicates, window_search
from auditctl.log.by_transaction import counting, large
from auditctl.log.by_transaction.counting import END, Cluster
from auditctl.log.by_transaction.model import Count
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Selection

FIRST_RANGE = 256
"""How many numbers the first range has."""

GROWTH = 4
"""How many times as long as the range before it a range is."""

MAX_GATHERED = 5000
"""Up to this many selected events are fetched and counted here, wherever they are."""

BATCH = 64
"""Of how many counted transactions the selected events are counted at once."""

MAX_SKIPPED = 50
"""How many counted transactions a range leaves out at most, instead of reading their events."""


@dataclass(slots=True)
class Search:
    """A search for transactions; must run inside `read_transaction`.

    Attributes:
        conn: The connection.
        conditions: Which events count.
        least: How many of them a transaction must have, at least 1.
        limit: How many transactions are looked for.
        state: How far upkeep has counted; None if it never did.
    """

    conn: Connection
    conditions: tuple[Predicate, ...]
    least: int
    limit: int
    state: large.State | None = None
    _times: list[Predicate] = field(init=False)

    def __post_init__(self) -> None:
        window_search.prepare(self.conn)
        self._times = [some for some in self.conditions if some.is_time]

    def run(self, cluster: Cluster, end: int, *, is_last: bool) -> Iterator[Count]:
        """Yield the transactions of a cluster, last number first, at most as many as are looked for.

        Args:
            cluster: Whose.
            end: The number before which they are.
            is_last: Whether the cluster still writes.
        """
        if (gathered := self._gathered(cluster, end)) is not None:
            yield from gathered
            return
        floor = self._counted_before(is_last=is_last) if self.least >= large.LEAST else 0
        yield from self._ranges(cluster, end, floor)
        if floor:
            yield from self._counted(cluster, min(end, floor))

    def _counted_before(self, *, is_last: bool) -> int:
        """Return the number before which all transactions of a cluster are counted; those of earlier ones all are."""
        if self.state is None:
            return 0
        return self.state.before if is_last else END

    def _gathered(self, cluster: Cluster, end: int) -> list[Count] | None:
        """Count the events that filters other than time select; None where there are none, or they select too many."""
        if len(self._times) == len(self.conditions):
            return None
        whole = [*self.conditions, *cluster.condition]
        possible = window_search.probe_summary(self.conn, Selection(tuple(whole)))
        if possible is None:
            return []
        selection = Selection((*predicates.prefer_summary(possible), *counting.between(0, end)))
        matches = window_search.fetch(self.conn, selection, counting.PLACE, MAX_GATHERED + 1)
        return None if len(matches) > MAX_GATHERED else counting.of_rows(matches, self.least)[: self.limit]

    def _ranges(self, cluster: Cluster, end: int, floor: int) -> Iterator[Count]:
        """Search ranges of numbers, from the last to the first that is not counted."""
        missing, width = self.limit, FIRST_RANGE
        newest = end if end < END else self._newest(cluster)
        if newest is None:
            return
        first = newest - width
        while end > floor and missing:
            first = max(first, floor)
            for count in self._in_range(cluster, first, end, missing):
                missing -= 1
                yield count
            width *= GROWTH
            first, end = first - width, first

    def _in_range(self, cluster: Cluster, first: int, end: int, limit: int) -> Sequence[Count]:
        skipped = []
        if not self.conditions and self.state:
            skipped = large.read(self.conn, cluster, first, end, self.least, MAX_SKIPPED)
        edges = [first, *(edge for count in skipped[::-1] for edge in (count.number, count.number + 1)), end]
        gaps = [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]
        bounds = [SQL("({})").format(predicates.conjunction(counting.between(*gap) or [_ALL])) for gap in gaps]
        if not bounds:
            return skipped[:limit]
        within = Predicate(SQL("({})").format(SQL(" or ").join(bounds)))
        found = counting.in_range(self.conn, [*self.conditions, *cluster.condition, within], self.least, limit)
        return sorted([*found, *skipped], key=lambda count: -count.number)[:limit]

    def _counted(self, cluster: Cluster, end: int) -> Iterator[Count]:
        """Search the transactions that upkeep has counted."""
        missing = self.limit
        size = missing if not self.conditions else BATCH
        while missing:
            places = large.read(self.conn, cluster, 0, end, self.least, size, self._times)
            if not places:
                return
            found = counting.at_places(self.conn, places, self.conditions, self.least) if self.conditions else places
            for count in found[:missing]:
                missing -= 1
                yield count
            end = places[-1].number

    def _newest(self, cluster: Cluster) -> int | None:
        """Return the number of the transaction that wrote a newest event; None without events of the time."""
        query = SQL(
            "select xact_id::text::numeric from auditctl.activity where {}"
            " order by created_on desc, event_id desc limit 1"
        )
        row = self.conn.execute(query.format(predicates.conjunction([*self._times, *cluster.written_by]))).fetchone()
        return int(row[0]) if row else None


_ALL = Predicate(SQL("true"))

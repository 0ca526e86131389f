"""Streams the events of consecutive blocks, as auditctl.evidence.visibility attributes them.

Trusts no function of the store: the queries use its tables and PostgreSQL's own functions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection
from auditctl.evidence import canonical
from auditctl.evidence.blocks import Block
from auditctl.evidence.canonical import Fields
from auditctl.evidence.visibility import NOTHING, Seen

_COPY = SQL(
    "copy (select {} from auditctl.event as e where {} order by e.event_id, e.occurred_at) to stdout (format binary)"
)

_PLACES = """
    select i.incarnation, i.last_sealed_event_id, i.adoption_event_id,
           (select f.snapshot::text from auditctl.block as f where f.incarnation = i.incarnation
             order by f.number limit 1),
           (select l.snapshot::text from auditctl.block as l where l.incarnation = i.incarnation
             order by l.number desc limit 1)
      from auditctl.incarnation as i
     order by i.incarnation
"""


@dataclass(frozen=True, slots=True)
class Place:
    """An incarnation of the log, as auditctl.incarnation and its blocks have it.

    Attributes:
        incarnation: Its number.
        sealed_before: The largest event_id sealed before it began.
        adoption: The event_id of the adoption that began it; 0 for the first.
        first: The snapshot of its first block.
        last: The snapshot of its last block.
    """

    incarnation: int
    sealed_before: int
    adoption: int
    first: str
    last: str

    def restored(self) -> Composable:
        """The condition of events that were there when it began, whatever the number of their transaction."""
        running = sorted(Seen.parse(self.first).running)
        return SQL("(e.event_id <= {}::bigint and e.xact_id <> all ({}::xid8[]))").format(
            Literal(self.adoption), Literal([str(number) for number in running])
        )


class Attribution:
    """The conditions by which events belong to blocks.

    Args:
        places: The incarnations, in their order; never empty.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = {place.incarnation: place for place in places}
        self._newest = places[-1]

    def condition(self, group: Sequence[Block]) -> Composable:
        """Return the condition of the events of consecutive blocks, which `blocks.groups` joined."""
        first, last = group[0], group[-1]
        parts = [self._sealed(first.incarnation, first.previous_snapshot, last.snapshot)]
        parts += [
            SQL("e.occurred_at {} {}::timestamptz").format(SQL(sign), Literal(time))
            for sign, time in ((">=", first.from_time), ("<", last.until_time))
            if time is not None
        ]
        return SQL(" and ").join(parts)

    def tail(self) -> Composable:
        """Return the condition of the events that no block has."""
        return SQL("{} and not {}").format(self._own(self._newest), _seen(self._newest.last))

    def _own(self, place: Place) -> Composable:
        """The events of an incarnation whose transactions its snapshots tell apart."""
        parts: list[Composable] = [SQL("true")]
        if place.adoption:
            parts.append(
                SQL("e.event_id > {}::bigint and not {}").format(Literal(place.sealed_before), place.restored())
            )
        if after := self._places.get(place.incarnation + 1):
            parts.append(SQL("e.event_id <= {}::bigint").format(Literal(after.sealed_before)))
        return SQL("({})").format(SQL(" and ").join(parts))

    def _sealed(self, incarnation: int, previous: str, snapshot: str) -> Composable:
        place = self._places.get(incarnation) or Place(incarnation, 0, 0, snapshot, snapshot)
        if previous != NOTHING:
            start = Literal(str(Seen.parse(previous).xmin))
            return SQL(
                "{} and e.xact_id::text::float8 >= {}::float8 and e.xact_id >= {}::xid8 and not {} and {}"
            ).format(self._own(place), start, start, _seen(previous), _seen(snapshot))
        here = SQL("{} and {}").format(self._own(place), _seen(snapshot))
        before = self._places.get(incarnation - 1)
        if before is None:
            restored = place.restored() if place.adoption else SQL("false")
            return SQL("(({}) or {})").format(here, restored)
        after = self._places.get(incarnation + 1)
        until = SQL("and e.event_id <= {}::bigint").format(Literal(after.sealed_before)) if after else SQL("")
        restored = SQL("e.event_id > {}::bigint {} and {}").format(
            Literal(place.sealed_before), until, place.restored()
        )
        late = SQL("{} and not {}").format(self._own(before), _seen(before.last))
        return SQL("(({}) or ({}) or ({}))").format(here, restored, late)


def _seen(snapshot: str) -> Composable:
    end = Literal(str(Seen.parse(snapshot).xmax))
    return SQL("(e.xact_id < {}::xid8 and pg_catalog.pg_visible_in_snapshot(e.xact_id, {}::pg_snapshot))").format(
        end, Literal(snapshot)
    )


def read_places(conn: Connection | None, blocks: Sequence[Block]) -> list[Place]:
    """Return the incarnations; from blocks, if their table has none, or without a connection."""
    rows = [row for row in conn.execute(_PLACES).fetchall() if row[3] is not None] if conn else []
    return [Place(*row) for row in rows] or [
        Place(block.incarnation, 0, 0, block.snapshot, block.snapshot) for block in blocks
    ]


def stream(conn: Connection, condition: Composable) -> Iterator[Fields]:
    """Return the events of a condition, in the order of leaves: in constant memory, apart from one event."""
    with conn.cursor() as cursor, cursor.copy(_COPY.format(canonical.projection("e"), condition)) as copy:
        yield from canonical.rows(copy)


class Divider:
    """Tells to which of the blocks of a group an event belongs.

    Args:
        group: The blocks, in their order.
    """

    def __init__(self, group: Sequence[Block]) -> None:
        self._seen = [block.seen for block in group]
        self._ends = [seen.xmax for seen in self._seen]
        self._is_one = len(group) == 1

    def place(self, transaction: bytes | None) -> int:
        """Return the place, in the group, of the block of an event with a transaction of 8 bytes."""
        if self._is_one or transaction is None:
            return 0
        number = int.from_bytes(transaction, "big")
        place = bisect_right(self._ends, number)
        last = len(self._seen) - 1
        while place < last and not self._seen[place].sees(number):
            place += 1
        return place if place <= last else 0

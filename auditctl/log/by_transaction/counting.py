"""Counts the selected events of transactions: of a range of numbers, or of given ones.

Decides no order and no limit but those of its callers. All must run inside `read_transaction`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.database import Connection
from auditctl.log import predicates
from auditctl.log.by_transaction.model import Count
from auditctl.log.filter_values import MAX_XACT
from auditctl.log.predicates import Predicate

END = MAX_XACT + 1
"""The number before which every transaction is."""

PLACE = SQL("xact_id::text::numeric, event_id, created_on")
"""The projection for `of_rows`."""

_NUMBERS: LiteralString = "xact_id::text::numeric"
_COUNT: LiteralString = (
    "pg_catalog.count(*), pg_catalog.min(event_id), pg_catalog.max(event_id),"
    " pg_catalog.min(created_on), pg_catalog.max(created_on)"
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A part of the log in which a number means one transaction.

    Attributes:
        first: The event_id of the first event that the cluster may have written; None without a bound.
        end: The event_id before which it wrote; None without a bound: it still writes.
    """

    first: int | None = None
    end: int | None = None

    @property
    def condition(self) -> list[Predicate]:
        """The conditions that select its events."""
        bounds = (("event_id >= {}::bigint", self.first), ("event_id < {}::bigint", self.end))
        texts: list[tuple[LiteralString, int | None]] = [*bounds]
        return [Predicate(SQL(text).format(Literal(bound))) for text, bound in texts if bound is not None]

    @property
    def written_by(self) -> list[Predicate]:
        """The same conditions, with the time by which nearly all of them were written."""
        if self.end is None:
            return self.condition
        sql = SQL("created_on <= (select e.occurred_at from auditctl.event as e where e.event_id = {}::bigint limit 1)")
        return [Predicate(sql.format(Literal(self.end)), is_time=True), *self.condition]


def clusters(conn: Connection) -> list[Cluster]:
    """Return the clusters that wrote the log, the last one first (queries/adoption.sql)."""
    adoptions = [number for number, _ in conn.execute(resources.sql_text("queries/adoption.sql").encode())]
    bounds = [None, *adoptions, None]
    return [Cluster(first, end) for first, end in pairwise(bounds)][::-1]


def between(first: int, end: int) -> list[Predicate]:
    """Return the condition that selects the transactions from one number up to, and without, another."""
    bounds: list[Predicate] = []
    # The summary has numbers as float8; above 2^53 several are one there.
    if first > 0:
        sql = SQL("xact_id >= {0}::text::xid8 and xact_id::text::float8 >= {0}::text::float8")
        bounds.append(Predicate(sql.format(Literal(str(first)))))
    if end <= MAX_XACT:
        sql = SQL("xact_id < {0}::text::xid8 and xact_id::text::float8 <= {0}::text::float8")
        bounds.append(Predicate(sql.format(Literal(str(end)))))
    return bounds


def of_rows(rows: Iterable[Sequence[Any]], least: int) -> list[Count]:
    """Count events that were fetched as `PLACE`, last number first; transactions with too few are left out."""
    found: dict[int, list[tuple[int, datetime]]] = {}
    for number, event_id, at in rows:
        found.setdefault(int(number), []).append((event_id, at))
    counts = []
    for number in sorted(found, reverse=True):
        ids, times = zip(*found[number], strict=True)
        if len(ids) >= least:
            counts.append(Count(number, len(ids), min(ids), max(ids), min(times), max(times)))
    return counts


def in_range(conn: Connection, conditions: Sequence[Predicate], least: int, limit: int) -> list[Count]:
    """Count the events of each transaction, last number first.

    Args:
        conn: The connection.
        conditions: Which events.
        least: How many a transaction must have.
        limit: How many transactions to return.
    """
    query = SQL(
        "select {number}, {count} from auditctl.activity as activity where {condition} group by xact_id"
        " having pg_catalog.count(*) >= {least} order by xact_id desc limit {limit}"
    ).format(
        number=SQL(_NUMBERS),
        count=SQL(_COUNT),
        condition=predicates.conjunction(conditions),
        least=Literal(least),
        limit=Literal(limit),
    )
    return [_count(row) for row in conn.execute(query)]


def at_places(conn: Connection, places: Sequence[Count], conditions: Sequence[Predicate], least: int) -> list[Count]:
    """Count the selected events of these transactions, in their order; those with too few are left out.

    Args:
        conn: The connection.
        places: Which transactions, and where all their events are.
        conditions: Which of the events.
        least: How many a transaction must have.
    """
    query = SQL(
        "select place.number, found.* from {places} cross join lateral"
        " (select {count} from auditctl.activity as activity where {condition}"
        " having pg_catalog.count(*) >= {least}) as found"
        " order by place.position"
    ).format(
        places=relation(places),
        count=SQL(_COUNT),
        condition=predicates.conjunction([*of_place(), *conditions]),
        least=Literal(least),
    )
    return [_count(row) for row in conn.execute(query)]


def relation(places: Sequence[Count]) -> Composable:
    """Return a relation `place` of transactions and where their events are; there is at least one."""
    rows = SQL(", ").join(
        SQL("({}, {}::numeric, {}::bigint, {}::bigint, {}::bigint, {}::timestamptz, {}::timestamptz)").format(
            *map(Literal, (position, place.number, place.events, place.first_event_id, place.last_event_id)),
            *map(Literal, (place.first_at, place.last_at)),
        )
        for position, place in enumerate(places)
    )
    return SQL(
        "(values {}) as place (position, number, events, first_event_id, last_event_id, first_at, last_at)"
    ).format(rows)


def of_place() -> list[Predicate]:
    """Return the conditions that select the events of a row of `relation`."""
    return [
        Predicate(SQL("created_on between place.first_at and place.last_at"), is_time=True),
        Predicate(SQL("xact_id = place.number::text::xid8")),
        Predicate(SQL("event_id between place.first_event_id and place.last_event_id")),
    ]


def _count(row: Sequence[Any]) -> Count:
    number, *others = row
    return Count(int(number), *others)

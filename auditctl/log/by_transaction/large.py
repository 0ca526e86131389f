"""Reads the transactions with many events that upkeep has counted (sql/functions/60_upkeep/transactions.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.actions import Action
from auditctl.database import Connection
from auditctl.log import predicates
from auditctl.log.by_transaction.counting import END, Cluster
from auditctl.log.by_transaction.model import Count, Part
from auditctl.log.predicates import Predicate

LEAST = 100
"""From how many events on upkeep counts a transaction."""

_STATE: LiteralString = """
    select t.counted_before::text::numeric, t.counted_at
    from auditctl.transaction_count as t
    join pg_catalog.pg_control_system() as c on c.system_identifier = t.system_identifier
    join pg_catalog.pg_database as d on d.oid = t.database and d.datname = pg_catalog.current_database()
"""

_READ: LiteralString = """
    select
        t.xact_id::text::numeric, t.events, t.first_event_id, t.last_event_id, t.first_at, t.last_at, t.parts,
        t.is_of_one_user
    from auditctl.large_transaction as t
    where {condition}
    order by t.xact_id desc
    limit {limit}
"""


@dataclass(frozen=True, slots=True)
class State:
    """How far upkeep has counted.

    Attributes:
        before: Every transaction before this number was counted.
        at: When.
    """

    before: int
    at: datetime


def state(conn: Connection) -> State | None:
    """Return how far upkeep has counted in this database; None if it never did here."""
    row = conn.execute(_STATE).fetchone()
    return State(int(row[0]), row[1]) if row else None


def read(
    conn: Connection, cluster: Cluster, first: int, end: int, least: int, limit: int, times: Sequence[Predicate] = ()
) -> list[Count]:
    """Return the counted transactions of a range of numbers, last number first.

    Args:
        conn: The connection.
        cluster: Whose.
        first: The number from which on they are.
        end: The number before which they are.
        least: How many events a transaction must have in all.
        limit: How many transactions to return.
        times: Ranges of time; transactions that can have no event in them are left out.
    """
    conditions = [
        SQL("t.events >= {}").format(Literal(least)),
        *(_bound("t.xact_id >= {}::text::xid8", str(first)) if first > 0 else []),
        *(_bound("t.xact_id < {}::text::xid8", str(end)) if end < END else []),
        *(_bound("t.last_event_id >= {}::bigint", cluster.first) if cluster.first is not None else []),
        *(_bound("t.last_event_id < {}::bigint", cluster.end) if cluster.end is not None else []),
        *map(_touches, times),
    ]
    query = SQL(_READ).format(condition=SQL(" and ").join(conditions), limit=Literal(limit))
    return [_count(row) for row in conn.execute(query)]


def totals(conn: Connection, counts: Sequence[Count]) -> dict[tuple[int, int], int]:
    """Return how many events the counted ones among these transactions have in all, by number and first event."""
    rows = conn.execute(
        "select t.xact_id::text::numeric, t.first_event_id, t.last_event_id, t.events"
        " from auditctl.large_transaction as t where t.xact_id = any (%s::text[]::xid8[])",
        [[str(count.number) for count in counts]],
    ).fetchall()
    return {
        (count.number, count.first_event_id): events
        for count in counts
        for number, first, last, events in rows
        if number == count.number and first <= count.first_event_id <= last
    }


def _bound(text: LiteralString, value: object) -> list[Composable]:
    return [SQL(text).format(Literal(value))]


def _touches(time: Predicate) -> Composable:
    """Return whether a transaction may have events in a range of time that has one end."""
    moments = (
        SQL("(select {} from (select t.{} as created_on) as moment)").format(predicates.conjunction([time]), SQL(name))
        for name in ("first_at", "last_at")
    )
    return SQL("({})").format(SQL(" or ").join(moments))


def _count(row: Sequence[Any]) -> Count:
    number, events, first_id, last_id, first_at, last_at, parts, is_of_one_user = row
    known = tuple(
        Part(
            part["target"], Action(part["action"]), part["events"],
            None if part["columns"] is None else tuple(part["columns"]),
        )
        for part in parts
    )  # fmt: skip
    return Count(int(number), events, first_id, last_id, first_at, last_at, known, is_of_one_user)

"""Reads a list of transactions: which there are, what they did, and the latest event of each.

A transaction counts only its events that the filters select. The order is that of its number, which it is given when it
first writes: last first. Transactions that commit meanwhile come where their number belongs, as events do in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.actions import Action
from auditctl.clock import day_text
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import filter_values, predicates, transactions
from auditctl.log.by_transaction import counting, large
from auditctl.log.by_transaction.counting import END, Cluster
from auditctl.log.by_transaction.model import Count, Group, Part
from auditctl.log.by_transaction.search import Search
from auditctl.log.predicates import Predicate
from auditctl.text import in_quotes

MAX_NAMED = 2000
"""Up to how many events of a transaction the changed columns are read, where upkeep has not read them."""

MAX_DESCRIBED = 500
"""How many transactions one query describes at most."""

LATE = timedelta(days=2)
"""After this time without upkeep its absence is said."""


@dataclass(frozen=True, slots=True)
class Groups:
    """A part of the list.

    Attributes:
        groups: The transactions, last number first.
        following: What `after` continues with; None where no more follow.
        hint: Why it took longer than it had to; empty without a reason.
    """

    groups: tuple[Group, ...]
    following: str | None = None
    hint: str = ""


def read(
    conn: Connection,
    conditions: tuple[Predicate, ...],
    projection: Composable,
    *,
    least: int = 1,
    limit: int = 50,
    after: str | None = None,
) -> Groups:
    """Return the transactions with enough selected events.

    Args:
        conn: The connection.
        conditions: Which events are selected.
        projection: What to return of each transaction's latest event.
        least: How many selected events a transaction must have, at least 1.
        limit: How many transactions to return, at least 1.
        after: The name of the transaction after which to continue; None to begin.

    Raises:
        UsageError: `after` names no transaction, or those of several clusters.
        DatabaseError: The login may not read the log, or the connection is lost.
    """
    place = _parse(after)
    with read_transaction(conn):
        of_log = counting.clusters(conn)
        if place is not None:
            place = transactions.resolve(conn, place)
        state = large.state(conn)
        found: list[tuple[Cluster, Count]] = []
        for position, cluster in enumerate(of_log):
            if place is not None and len(of_log) > 1 and _is_later(cluster, place):
                continue
            end = place.number if place and (len(of_log) == 1 or _has(cluster, place)) else END
            search = Search(conn, conditions, least, limit + 1 - len(found), state)
            found += [(cluster, count) for count in search.run(cluster, end, is_last=position == 0)]
            if len(found) > limit:
                break
        named = [(count, _name(count, cluster if len(of_log) > 1 else None)) for cluster, count in found]
        shown = named[:limit]
        parts = [shown[start : start + MAX_DESCRIBED] for start in range(0, len(shown), MAX_DESCRIBED)]
        groups = [group for part in parts for group in _described(conn, part, conditions, projection)]
    following = named[limit - 1][1] if len(named) > limit else None
    return Groups(tuple(groups), following, _hint(state) if least >= large.LEAST else "")


def _parse(after: str | None) -> filter_values.Transaction | None:
    if after is None:
        return None
    try:
        return filter_values.xact(after)
    except UsageError:
        raise UsageError(
            f"{in_quotes(after)} is not a cursor of transactions",
            hint="Copy it from the last message of the list: 4711",
        ) from None


def _has(cluster: Cluster, place: filter_values.Transaction) -> bool:
    return (cluster.first, cluster.end) == (place.first, place.end)


def _is_later(cluster: Cluster, place: filter_values.Transaction) -> bool:
    """Return whether a cluster wrote after the one of a transaction."""
    return cluster.first is not None and (place.first is None or cluster.first > place.first)


def _name(count: Count, cluster: Cluster | None) -> str:
    return str(count.number) if cluster is None else f"{count.number}@{count.first_event_id}"


def _hint(state: large.State | None) -> str:
    if state and datetime.now(UTC) - state.at < LATE:
        return ""
    when = f"since {day_text(state.at)}" if state else "yet"
    return f"Upkeep has not counted transactions {when}, which makes this list slow. Run daily: auditctl maintain"


def _described(
    conn: Connection,
    named: Sequence[tuple[Count, str]],
    conditions: tuple[Predicate, ...],
    projection: Composable,
) -> list[Group]:
    """Return the transactions with what they did; those of which events are gone are left out."""
    counts = [count for count, _ in named]
    newest = _newest(conn, counts, conditions, projection)
    known = _with_parts(conn, counts, conditions)
    totals = large.totals(conn, counts) if conditions else {}
    labels = _labels(conn, {part.target for count in known for part in count.parts or ()})
    groups = []
    for position, (count, (_, name)) in enumerate(zip(known, named, strict=True)):
        if position in newest:
            others = totals.get((count.number, count.first_event_id), 0) - count.events
            groups.append(Group(count, name, max(others, 0), newest[position], labels))
    return groups


def _newest(
    conn: Connection, counts: Sequence[Count], conditions: Sequence[Predicate], projection: Composable
) -> dict[int, tuple[Any, ...]]:
    """Return the latest selected event of each transaction, by position."""
    at_end = Predicate(SQL("created_on = place.last_at"), is_time=True)
    query = SQL(
        "select event.position, {projection} from (select place.position, latest.* from {places} cross join lateral"
        " (select * from auditctl.activity as activity where {condition} order by event_id desc limit 1) as latest"
        ") as event"
    ).format(
        projection=projection,
        places=counting.relation(counts),
        condition=predicates.conjunction([at_end, *counting.of_place(), *conditions]),
    )
    return {position: tuple(cells) for position, *cells in conn.execute(query)}


def _with_parts(conn: Connection, counts: Sequence[Count], conditions: Sequence[Predicate]) -> list[Count]:
    """Return the counts, each with its parts."""
    missing = [count for count in counts if count.parts is None]
    if not missing:
        return list(counts)
    query = SQL(resources.sql_text("queries/transaction_parts.sql")).format(
        places=counting.relation(missing),
        condition=predicates.conjunction([*counting.of_place(), *conditions]),
        most=Literal(MAX_NAMED),
    )
    parts: list[dict[tuple[str, Action], Part]] = [{} for _ in missing]
    users: list[set[tuple[str, str | None]]] = [set() for _ in missing]
    for position, target, action, columns, events, *actors in conn.execute(query):
        of_target = parts[position]
        part = Part(target, Action(action), events, None if columns is None else tuple(sorted(columns)))
        before = of_target.get((target, part.action))
        of_target[target, part.action] = _joined(before, part) if before else part
        users[position] |= {(actors[0], actors[2]), (actors[1], actors[3])}
    described = iter(
        replace(
            count,
            parts=tuple(sorted(some.values(), key=lambda part: (-part.events, part.target, part.action))),
            is_of_one_user=len(who) == 1,
        )
        for count, some, who in zip(missing, parts, users, strict=True)
    )
    return [next(described) if count.parts is None else count for count in counts]


def _joined(one: Part, other: Part) -> Part:
    is_known = one.columns is not None and other.columns is not None
    columns = tuple(sorted({*(one.columns or ()), *(other.columns or ())})) if is_known else None
    return replace(one, events=one.events + other.events, columns=columns)


def _labels(conn: Connection, names: set[str]) -> dict[str, str]:
    query = """
        select name.target, coalesce(case when t.target is null then e.label else t.label end, name.target)
        from pg_catalog.unnest(%s::text[]) as name (target)
        left join auditctl.target as t on t.target = name.target
        left join auditctl.event_type as e on e.name = name.target
    """
    return dict(conn.execute(query, [sorted(names)]).fetchall())

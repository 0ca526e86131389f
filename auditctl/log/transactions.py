"""Tells apart the transactions of several clusters that have one number, in a log that was restored from a dump.

A cluster counts its transactions by itself. The event of an adoption separates what was written before and after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

from auditctl import resources
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.filter_values import Transaction

_NEWEST = """
    select pg_catalog.max(e.event_id)
    from auditctl.event as e
    where e.xact_id = %(number)s::text::xid8 and e.xact_id::text::float8 = %(number)s::text::float8
    group by pg_catalog.width_bucket(e.event_id, %(adoptions)s::bigint[])
    order by 1 desc
"""


def resolve(conn: Connection, transaction: Transaction) -> Transaction:
    """Return the transaction with the range of events that one cluster wrote; unchanged in a log of one cluster.

    Args:
        conn: The connection; needs SELECT on auditctl.event (queries/adoption.sql).
        transaction: What was asked for; without an event, its number must be that of one transaction only.

    Raises:
        UsageError: Several clusters have a transaction of that number.
    """
    adoptions = [number for number, _ in conn.execute(resources.sql_text("queries/adoption.sql").encode())]

    def newest() -> list[int]:
        parameters = {"number": str(transaction.number), "adoptions": adoptions}
        return [number for (number,) in conn.execute(_NEWEST, parameters)]

    return within_cluster(transaction, adoptions, newest)


def within_cluster(
    transaction: Transaction, adoptions: Sequence[int], newest: Callable[[], Sequence[int]]
) -> Transaction:
    """Return the transaction with the range of events that one cluster wrote; unchanged in a log of one cluster.

    Args:
        transaction: What was asked for.
        adoptions: The events of adoptions, in order.
        newest: Returns the newest event of the transaction of that number of each cluster that has one.

    Raises:
        UsageError: Several clusters have a transaction of that number, and no event was named.
    """
    if not adoptions:
        return transaction
    event = transaction.event
    if event is None:
        found = newest()
        if len(found) > 1:
            ways = " or ".join(f"{transaction.number}@{number}" for number in found)
            raise UsageError(
                f"the log has transactions {transaction.number} of {len(found)} clusters, as it was restored",
                hint=f"Name an event of the one you mean: {ways}",
            )
        if not found:
            return transaction
        event = found[0]
    place = bisect_right(adoptions, event)
    return replace(
        transaction,
        first=adoptions[place - 1] if place else None,
        end=adoptions[place] if place < len(adoptions) else None,
    )

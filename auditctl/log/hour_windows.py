"""Finds the events of a window of the search in hours of the week that have few: by time, past all other hours.

The planner would not do so: it does not know how many events are in these hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.sql import SQL, Composable, Literal

from auditctl.database import Connection
from auditctl.log.predicates import Predicate
from auditctl.log.selection import ACTIVITY
from auditctl.log.time_predicates import common
from auditctl.log.week import HOUR, HOURS_OF_WEEK, WeekHours, microseconds, moment

MAX_SPANS = 2_000
"""About how many spans of time a window has at most; finding that one is empty takes microseconds."""

MAX_EVENTS = 5_000
"""Up to this many events are read one by one, in a hundredth of a second."""


def common_hours(some: Sequence[Predicate]) -> WeekHours | None:
    """Return the hours of the week that all predicates have; None where none has such a limit."""
    limits = [predicate.hours for predicate in some if predicate.hours is not None]
    return WeekHours(common(limits), limits[0].clock) if limits else None


def max_width(hours: WeekHours | None) -> int:
    """Return the most microseconds that a window with spans of these hours has."""
    weeks = MAX_SPANS // max(len(hours.runs), 1) if hours else 1_000_000
    return weeks * HOURS_OF_WEEK * HOUR


def within(spans: Sequence[tuple[int, int]]) -> Composable:
    """Return the relation of the events in spans of time, in microseconds since 1970 and [from, to), without a name."""
    starts, ends = ([moment(span[place]) for span in spans] for place in (0, 1))
    # The offset has each span looked up by its times, whatever other conditions there are.
    return SQL(
        "(select activity.* from unnest({}::timestamptz[], {}::timestamptz[]) as span (start, stop) cross join lateral"
        " (select * from {} where created_on >= span.start and created_on < span.stop offset 0) as activity)"
    ).format(Literal(starts), Literal(ends), ACTIVITY)


def few(conn: Connection, hours: WeekHours, first: datetime, last: datetime) -> Composable | None:
    """Return the relation of the events in hours of the week between two times; None if they are more than a few."""
    start, end = map(microseconds, (first, last))
    if end - start > max_width(hours):
        return None
    relation = within(hours.spans(start, end + 1))
    return relation if count(conn, relation) <= MAX_EVENTS else None


def count(conn: Connection, relation: Composable) -> int:
    """Return the number of events in a relation, or one more than `MAX_EVENTS` if there are more."""
    query = SQL("select count(*) from (select from {} as activity limit {}) as found").format(
        relation, Literal(MAX_EVENTS + 1)
    )
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0

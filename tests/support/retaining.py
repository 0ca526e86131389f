"""What the tests of upkeep share: months full of events, the passing of time, and all that a log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    import psycopg

MONTHS: LiteralString = """
    select to_char(m, 'YYYY-MM-DD')::date from generate_series(%s::date, %s::date, interval '1 month') as m
"""

FILL: LiteralString = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
    select %s::timestamptz + i * interval '1 hour', 'alice', 'application', %s, i::text, 'CREATE',
           jsonb_build_object('n', i)
      from generate_series(1, %s) as i
"""

LONG_AGO: LiteralString = """
    alter table auditctl.retention disable trigger all; alter table auditctl.hold disable trigger all;
    update auditctl.retention set since = since - interval '30 days', until = until - interval '30 days',
           noticed_at = until - interval '30 days';
    update auditctl.hold
       set placed_at = placed_at - interval '30 days', released_at = released_at - interval '30 days',
           noticed_at = released_at - interval '30 days';
    alter table auditctl.retention enable always trigger retention_guarded;
    alter table auditctl.retention enable always trigger retention_guarded_statement;
    alter table auditctl.retention enable always trigger retention_recorded;
    alter table auditctl.hold enable always trigger hold_guarded;
    alter table auditctl.hold enable always trigger hold_guarded_statement;
    alter table auditctl.hold enable always trigger hold_recorded
"""
"""Makes everything that was stated older than the time in which others may notice it."""

ALL: LiteralString = "select (e.*)::text from auditctl.event as e where {} order by e.event_id"
OTHERS: LiteralString = "e.target not like 'auditctl.%'"

PARTITIONS: LiteralString = """
    select c.relname::text from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
     where i.inhparent = 'auditctl.event'::regclass order by 1
"""


def fill(conn: psycopg.Connection, day: str, target: str, count: int = 10) -> None:
    """Put events into the log, an hour apart; where their month has no partition, into the DEFAULT partition."""
    conn.execute(FILL, [f"{day} 00:00+00", target, count])


def months(conn: psycopg.Connection, first: str, last: str) -> None:
    """Make partitions from one month to another."""
    for (day,) in conn.execute(MONTHS, [first, last]).fetchall():
        conn.execute("select auditctl_internal.create_partition(%s)", [day])


def keep(conn: psycopg.Connection, target: str, time: str | None, *, noticed: bool = True) -> None:
    """State how long a target is kept; unless it was noticed, now."""
    conn.execute("select auditctl.set_retention(%s, %s)", [target, time])
    if noticed:
        conn.execute(LONG_AGO)


def hold(conn: psycopg.Connection, target: str, target_id: str | None = None) -> int:
    """Hold a target or one object of it; returns the hold's number."""
    row = conn.execute("select auditctl.place_hold(%s, %s, 'case 7')", [target, target_id]).fetchone()
    assert row is not None
    number: int = row[0]
    return number


def recorded(conn: psycopg.Connection, where: LiteralString = OTHERS) -> list[str]:
    """Every event but auditctl's own, whole, as text."""
    return [row[0] for row in conn.execute(ALL.replace("{}", where)).fetchall()]


def partitions(conn: psycopg.Connection) -> list[str]:
    """The log's partitions by name."""
    return [row[0] for row in conn.execute(PARTITIONS).fetchall()]


def upkeep(dsn: str) -> list[dict[str, Any]]:
    """Do all steps of upkeep in a session of their own; returns what they say."""
    done = []
    with connect(dsn) as session:
        while (row := session.execute("select auditctl.maintain_step()").fetchone()) and row[0] is not None:
            done.append(row[0])
    return done


def index_a_part(conn: psycopg.Connection, month: str, until: str) -> None:
    """Give a month an index of the recorded values of its events before a time, as the current month gets one."""
    statements = conn.execute(
        """
        select array[
            auditctl_internal.value_index_statement(t || '_values_before_01_00', ('auditctl.' || t)::regclass, %s),
            format(
                'comment on index auditctl.%%I is %%L', t || '_values_before_01_00',
                auditctl_internal.value_index_comment()
            )
        ]
        from auditctl_internal.month_table(%s::date) as t
        """,
        [until, month],
    ).fetchone()
    assert statements is not None
    for statement in statements[0]:
        conn.execute(statement.encode())

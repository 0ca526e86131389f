"""The log that a page is read from: many tables, users and logins of very different frequency, and some long gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg

from auditctl import store

CHUNK = 250_000

FILL = """
    insert into auditctl.event (
        occurred_at, xact_id, actor, actor_kind, ip, db_user, target, target_id, action, old_values, new_values, context
    )
    select
        %(start)s::timestamptz + (i::float8 / %(events)s) * %(span)s::interval,
        {transaction},
        case kind when 'system' then null when 'database' then login else actor end,
        kind::auditctl.actor_kind,
        case when kind = 'application' then address::inet end,
        login,
        target,
        id::text,
        action::auditctl.action,
        case when action in ('UPDATE', 'DELETE') then jsonb_build_object('balance', i * 1.25, 'status', 'active') end,
        case when action in ('UPDATE', 'CREATE') then jsonb_build_object('balance', i * 1.5, 'status', status)
            || case when i %% (%(events)s / 3) = 29 then '{{"limit": 500}}' else '{{}}' end::jsonb end,
        jsonb_build_object('application_name', 'web', 'request_id', left(md5((i / 3)::text), 12))
            || case when i %% 1000 = 19 then jsonb_build_object('reason', 'ticket ' || i / 1000) else '{{}}' end
    from (
        select
            i,
            case when i %% (%(events)s / 3) = 7 then 'TRUNCATE' when i %% 10000 = 11 then 'EVENT'
                when r1 < 0.02 then 'DELETE' when r1 < 0.4 then 'CREATE' else 'UPDATE' end as action,
            case when r2 < 0.03 then 'system' when r2 < 0.031 then 'database' else 'application' end as kind,
            case when i < %(events)s / 8 and i %% 250 = 3 then 'departed'
                when i %% 200000 = 5 then 'visitor' else 'user' || floor(2000 * r3 ^ 4) end as actor,
            case when r2 >= 0.03 and r2 < 0.031 then 'dba' when i < %(events)s / 12 and r4 < 0.1 then 'app_old'
                when r4 < 0.8 then 'app_web' when r4 < 0.95 then 'app_batch' else 'app_api' end as login,
            case when i > %(events)s * 0.98 and r5 < 0.1 then 'shop.launch'
                when i < %(events)s * 0.6 and r5 < 0.1 then 'legacy.order'
                when i < %(events)s / 12 and i %% 20000 = 9 then 'legacy.closing'
                when i %% 100000 = 13 then 'shop.rare'
                else 'shop.table_' || floor(26 * r6 ^ 4) end as target,
            floor(100000 * r7)::integer as id,
            case when i %% 100000 = 23 then 'disputed' else 'closed' end as status,
            case when i %% 100000 = 17 then '203.0.113.7' else '10.0.' || i %% 20 || '.' || i %% 200 end as address
        from (
            select i, random() as r1, random() as r2, random() as r3, random() as r4, random() as r5, random() as r6,
                random() as r7
            from generate_series(%(first)s::integer, %(last)s::integer) as i
        ) as dice
    ) as drawn
"""


THREE_EVENTS = "(1000 + i / 3)::text::xid8"
"""Transactions of three events, most of which never were."""

REAL = "pg_current_xact_id()"
"""The transactions that fill the log, each of CHUNK events."""


def build(
    dsn: str, events: int, span: timedelta, *, end: datetime | None = None,
    transaction: LiteralString = THREE_EVENTS, report: Callable[[str], object] = lambda _: None,
) -> None:  # fmt: skip
    """Install the store and fill it with so many events, evenly over the time before `end`, or else before now."""
    store.install(dsn)
    now = end or datetime.now(UTC)
    start = now - span
    with psycopg.connect(dsn, autocommit=True) as conn:
        month = start
        while month < now:
            conn.execute("select auditctl_internal.create_partition(%s)", [month.date()])
            month += timedelta(days=27)
        conn.execute("select setseed(0.5)")
        for first in range(1, events + 1, CHUNK):
            last = min(first + CHUNK - 1, events)
            conn.execute(
                FILL.format(transaction=transaction),
                {"start": start, "span": span, "events": events, "first": first, "last": last},
            )
            report(f"{last:,} events")
        conn.execute("vacuum analyze auditctl.event")

"""Events for the tests of reading, put into the log directly, as only a superuser can."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

HEADER = (
    "event_id,created_on,ip_address,user,target,target_id,action,details,reason,old_values,new_values,"
    "db_user,actor_kind,xact_id,context"
)

INSERT = """
    insert into auditctl.event
           (occurred_at, xact_id, actor, actor_kind, ip, db_user, target, target_id, action,
            old_values, new_values, context)
    values (%s, %s::text::xid8, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb)
    returning event_id
"""


KEY_CHANGE = """
    insert into auditctl.key_change (event_id, occurred_at, target, previous_target_id, target_id)
    select event_id, occurred_at, target, context ->> 'previous_target_id', target_id
      from auditctl.event where event_id = any (%s) and context ? 'previous_target_id'
"""
"""What capture writes with the event of an update that changed a key."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an event holds; JSON columns as text."""

    at: datetime = START
    actor: str | None = "alice"
    kind: str = "application"
    ip: str | None = "203.0.113.7"
    db_user: str = "web"
    target: str = "billing.customer"
    target_id: str | None = "7"
    action: str = "UPDATE"
    old: str | None = '{"balance": 10.00}'
    new: str | None = '{"balance": 12.50}'
    context: str | None = None
    xact: int = 700

    def parameters(self) -> list[Any]:
        return [
            self.at, str(self.xact), self.actor, self.kind, self.ip, self.db_user, self.target, self.target_id,
            self.action, self.old, self.new, self.context,
        ]  # fmt: skip

    def changed(self, column: str) -> bool:
        return self.action == "UPDATE" and column in json.loads(self.new or "{}")


def record(conn: psycopg.Connection, *events: Recorded) -> list[int]:
    """Put events into the log; return their identities."""
    found = [conn.execute(INSERT, event.parameters()).fetchone() for event in events]
    numbers = [row[0] for row in found if row]
    conn.execute(KEY_CHANGE, [numbers])
    return numbers


def minutes(count: int) -> datetime:
    """The time so many minutes after the start."""
    return START + timedelta(minutes=count)


def switch_lookups_off(conn: psycopg.Connection) -> None:
    """Have nobody's look at the log recorded, where a test compares what several looks show."""
    conn.execute("insert into auditctl.event_type (name, enabled) values ('auditctl.lookup', false)")


def label(conn: psycopg.Connection, target: str, name: str | None = None) -> None:
    """Register a table as audited."""
    conn.execute("insert into auditctl.target (target, label) values (%s, %s)", [target, name])


def ids(lines: str) -> list[int]:
    """The identities of events in JSON Lines."""
    return [json.loads(line)["event_id"] for line in lines.splitlines()]


def bulk(conn: psycopg.Connection, count: int, target: str = "bulk.row") -> None:
    """Put many events into the log, a second apart."""
    conn.execute(
        """
        insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
        select timestamptz '2026-02-01 00:00+00' + i * interval '1 second', 'alice', 'application', %s, i::text,
               'CREATE', jsonb_build_object('n', i, 'text', repeat('x', 40))
          from generate_series(1, %s) as i
        """,
        [target, count],
    )


def documents(lines: str) -> list[dict[str, Any]]:
    """The events in JSON Lines."""
    return [json.loads(line) for line in lines.splitlines()]


def own_events(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """What the log says of exports when they begin, oldest first."""
    query = (
        "select new_values from auditctl.event where target = 'auditctl.export' and target_id is null order by event_id"
    )
    return [row[0] for row in conn.execute(query)]

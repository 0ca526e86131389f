"""Random events with odd values, in a temporary table with the columns of auditctl.event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

    import psycopg

TABLE = """
    create temporary table drawn (
        event_id bigint, occurred_at timestamptz, xact_id xid8, actor_kind auditctl.actor_kind, action auditctl.action,
        actor text, ip inet, db_user text, target text, target_id text,
        old_values jsonb, new_values jsonb, context jsonb
    )
"""
TIMES = (
    *("infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "0044-03-15 12:00:00.000001+00 BC"),
    *("294276-12-31 23:59:59.999999+00", "2026-10-25 02:30:00.5+02:00", "1999-12-31 23:59:59.999999+00"),
)
ADDRESSES = ("203.0.113.7", "10.0.0.0/8", "0.0.0.0/0", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "fe80::1/64")
TEXTS = ("", " ", "a", "Zoë", "名前", "\U0001f600\U00010348", 'it\'s "quoted" \\ \n\t\r', "ﬁ\u202e", "x" * 3000)
NUMBERS = ("0", "-0", "1.0", "1.00", "1e400", "-1.5e-300", "123456789012345678901234567890.10", "0.1e1", "1E+2")


def draw_json(draw: random.Random, depth: int = 0) -> str:
    """The text of a JSON value, with numbers as nothing in Python would write them."""
    kind = draw.randrange(7 if depth < 4 else 5)
    if kind == 0:
        return draw.choice(("null", "true", "false"))
    if kind in (1, 2):
        return draw.choice(NUMBERS)
    if kind in (3, 4):
        return json.dumps(draw.choice(TEXTS), ensure_ascii=draw.random() < 0.5)
    members = [draw_json(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 5:
        return f"[{','.join(members)}]"
    return "{" + ",".join(f"{json.dumps(draw.choice(TEXTS)[:40])} : {member}" for member in members) + "}"


def draw_event(draw: random.Random, number: int) -> tuple[Any, ...]:
    def maybe(value: str) -> str | None:
        return None if draw.random() < 0.3 else value

    seconds = draw.randrange(-(10**9), 2 * 10**9)
    return (
        draw.choice((number, number + 2**40)),
        draw.choice(TIMES) if draw.random() < 0.3 else f"epoch {seconds}",
        draw.choice((3, 2**32 + 5, 2**63 + 9)),
        draw.choice(("application", "database", "system")),
        draw.choice(("CREATE", "READ", "UPDATE", "DELETE", "TRUNCATE", "EVENT")),
        *(maybe(draw.choice(choices)) for choices in (TEXTS, ADDRESSES, TEXTS)),
        draw.choice(TEXTS),
        maybe(draw.choice(TEXTS)),
        *(maybe(draw_json(draw)) for _ in range(3)),
    )


def fill(conn: psycopg.Connection[Any], events: list[tuple[Any, ...]]) -> None:
    conn.execute(TABLE)
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into drawn select %s, case when t like 'epoch %%' then to_timestamp(substr(t, 7)::float8) else "
            "t::timestamptz end, %s::text::xid8, %s, %s, %s, %s::inet, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb "
            "from (values (%s::text)) as v (t)",
            [(event[0], *event[2:], event[1]) for event in events],
        )

"""Canonical bytes and leaves are the same in Python and in SQL, whatever the session's settings."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.sql import SQL

from auditctl.evidence import canonical
from auditctl.evidence.leaf import Salter, event_leaf

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = (
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'",
    "set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'; set extra_float_digits = -15; set lc_numeric = 'C'",
    "set timezone = 'America/St_Johns'; set datestyle = 'German'; set bytea_output = 'escape'",
)

TABLE = """
    create temporary table drawn (
        event_id bigint, occurred_at timestamptz, xact_id xid8, actor_kind auditctl.actor_kind, action auditctl.action,
        actor text, ip inet, db_user text, target text, target_id text,
        old_values jsonb, new_values jsonb, context jsonb
    )
"""
COPY = SQL("copy (select {} from drawn as event order by event_id) to stdout (format binary)").format(
    canonical.projection()
)
LEAVES = """
    select auditctl.event_leaf(row(d.*)::auditctl.event, auditctl.event_salt(%s, d.event_id, d.occurred_at))
      from drawn as d order by d.event_id
"""
SECRET = bytes(range(32))

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


def rows(conn: psycopg.Connection[Any]) -> Iterator[canonical.Fields]:
    with conn.cursor().copy(COPY) as copy:
        yield from canonical.rows(copy)


def compare(dsn: str, count: int, settings: str) -> int:
    """Return how many leaves are the same in SQL and in Python; raises if one differs."""
    draw = random.Random(16)
    with psycopg.connect(dsn) as conn:
        conn.execute(settings.encode())
        conn.execute("set client_encoding = 'UTF8'")
        fill(conn, [draw_event(draw, number) for number in range(count)])
        salter = Salter(SECRET)
        python = [event_leaf(row, salter.salt(row[0] or b"", row[1] or b""))[0] for row in rows(conn)]
        conn.execute("set client_encoding = 'LATIN1'" if count % 2 else "set client_encoding = 'UTF8'")
        sql = [bytes(leaf) for (leaf,) in conn.execute(LEAVES, [SECRET])]
    assert sql == python
    return len(sql)


@pytest.mark.parametrize("settings", SETTINGS)
def test_leaves_are_the_same_in_sql_and_python_under_all_settings(db: str, settings: str) -> None:
    assert compare(db, 151, settings) == 151


def test_leaves_do_not_depend_on_settings(db: str) -> None:
    leaves = set()
    for settings in SETTINGS:
        draw = random.Random(7)
        with psycopg.connect(db) as conn:
            fill(conn, [draw_event(draw, number) for number in range(40)])
            conn.execute(settings.encode())
            leaves.add(tuple(bytes(leaf) for (leaf,) in conn.execute(LEAVES, [SECRET])))
    assert len(leaves) == 1


def test_null_and_empty_text_have_different_leaves(db: str) -> None:
    event = draw_event(random.Random(1), 1)
    with psycopg.connect(db) as conn:
        fill(conn, [event])
        for column in canonical.UNITS[:1] + canonical.UNITS[2:4]:
            seen = []
            for value in (None, "", " "):
                conn.execute(f"update drawn set {column} = %s".encode(), [value])
                seen.append(conn.execute(LEAVES, [SECRET]).fetchone())
            assert len(set(seen)) == 3


def test_the_bytes_of_values_from_the_driver_are_those_of_copy(db: str) -> None:
    draw = random.Random(3)
    events = [event for number in range(120) if (event := draw_event(draw, number))[1] not in TIMES[2:5]]
    with psycopg.connect(db) as conn:
        fill(conn, events)
        values = conn.execute(
            "select event_id, case when isfinite(occurred_at) then occurred_at end, xact_id::text, actor_kind::text, "
            "action::text, actor, ip, db_user, target, target_id, old_values::text, new_values::text, context::text, "
            "occurred_at::text from drawn order by event_id"
        ).fetchall()
        computed = [canonical.from_row((row[0], row[1] or row[13], *row[2:13])) for row in values]
        assert computed == list(rows(conn))


@pytest.mark.slow
def test_values_of_ten_megabytes_have_the_same_leaf(db: str) -> None:
    draw = random.Random(4)
    long = json.dumps({"document": "名" * 3_500_000})
    events = [(*draw_event(draw, number)[:10], long, None, long) for number in range(2)]
    with psycopg.connect(db) as conn:
        fill(conn, events)
        salter = Salter(SECRET)
        python = [event_leaf(row, salter.salt(row[0] or b"", row[1] or b""))[0] for row in rows(conn)]
        assert [bytes(leaf) for (leaf,) in conn.execute(LEAVES, [SECRET])] == python


@pytest.mark.slow
def test_twenty_thousand_random_events_have_the_same_leaves(db: str) -> None:
    assert compare(db, 20_001, SETTINGS[2]) == 20_001

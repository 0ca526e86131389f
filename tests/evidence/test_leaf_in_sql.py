"""Canonical bytes and leaves are the same in Python and in SQL, whatever the session's settings."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.sql import SQL

from auditctl.evidence import canonical
from auditctl.evidence.leaf import Salter, event_leaf
from tests.support.drawn_events import TIMES, draw_event, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = (
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'",
    "set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'; set extra_float_digits = -15; set lc_numeric = 'C'",
    "set timezone = 'America/St_Johns'; set datestyle = 'German'; set bytea_output = 'escape'",
)

COPY = SQL("copy (select {} from drawn as event order by event_id) to stdout (format binary)").format(
    canonical.projection()
)
LEAVES = """
    select auditctl.event_leaf(row(d.*)::auditctl.event, auditctl.event_salt(%s, d.event_id, d.occurred_at))
      from drawn as d order by d.event_id
"""
SECRET = bytes(range(32))


def rows(conn: psycopg.Connection) -> Iterator[canonical.Fields]:
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

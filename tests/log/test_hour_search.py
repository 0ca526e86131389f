"""A search for hours of the week finds what one query over the log finds, and leaves out the hours between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL

from auditctl import database
from auditctl.database import read_transaction
from auditctl.log import hour_windows, window_search
from auditctl.log.filters import Filters
from auditctl.log.histogram import counts
from auditctl.log.histogram.read import read_histogram
from auditctl.log.selection import Cursor, Order, Selection
from tests.log.test_filter_plans import page_and_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.database import Connection

pytestmark = pytest.mark.slow

LOG = """
    insert into auditctl.event (occurred_at, actor, actor_kind, db_user, target, target_id, action, new_values)
    select timestamptz '2024-11-01 08:00+00' + day * interval '1 day' + minute * interval '15 minutes',
           'user' || minute %% 7, 'application'::auditctl.actor_kind, 'app',
           case minute %% 3 when 0 then 'shop.a' else 'shop.b' end,
           day || '-' || minute, (case minute %% 9 when 0 then 'DELETE' else 'UPDATE' end)::auditctl.action,
           '{"n": 1}'::jsonb
      from generate_series(0, %(days)s) as day, generate_series(0, 39) as minute
     union all
    select timestamptz '2024-11-05 03:30+00' + night * interval '1 week', 'owl', 'application', 'app', 'shop.b',
           'night-' || night, 'UPDATE', '{"n": 2}'
      from generate_series(0, 9) as night
"""
"""Forty events a day from 08:00 to 17:45, and one in each of ten nights at the beginning; all in UTC."""


@pytest.fixture
def log(db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A session over a log of events in working hours."""
    monkeypatch.setattr(window_search, "FIRST_WINDOW", 30)
    with database.connect(db) as conn:
        conn.execute("set timezone = 'Asia/Tokyo'")
        conn.execute(LOG, {"days": 500})
        conn.execute("vacuum analyze auditctl.event")
        yield conn


def test_an_hour_without_an_event_for_a_year_is_found_at_once(log: Connection) -> None:
    for texts, rows in (
        ({"hour": ["3"]}, 10),
        ({"hour": ["3"], "weekday": ["tue"]}, 10),
        ({"outside-hours": ["mon-sun 8-18"]}, 10),
        ({"hour": ["3"], "user": ["actor:owl"]}, 10),
        ({"hour": ["2"]}, 0),
        ({"hour": ["8"], "tz": ["Europe/Berlin"], "since": ["2025-06-01"], "until": ["2025-07-01"]}, 0),
        ({"hour": ["3"], "tz": ["Asia/Kolkata"]}, 0),
        ({"hour": ["17"], "weekday": ["sun"]}, 51),
    ):
        found, read = page_and_read(log, texts)
        assert (found, read < 20_000 // 8) == (rows, True), (texts, read)


@pytest.mark.parametrize("spans", [hour_windows.MAX_SPANS, 8])
def test_windows_of_any_length_find_what_one_query_finds(
    log: Connection, monkeypatch: pytest.MonkeyPatch, spans: int
) -> None:
    monkeypatch.setattr(hour_windows, "MAX_SPANS", spans)
    monkeypatch.setattr(window_search, "MAX_GATHERED", 60)
    source = random.Random(spans)
    zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
    for _ in range(25):
        first, last = source.sample(range(24), 2)
        texts = source.sample(
            [("weekday", "sat-mon"), ("hour", f"{first}-{last}"), ("outside-hours", "mon-fri 6-16"),
             ("target", "shop.a"), ("since", "2025-02-03"), ("until", "2026-01-01"), ("user", "user3"),
             ("action", "delete")], 4
        )  # fmt: skip
        given = {name: [text] for name, text in texts} | {"tz": [source.choice(zones)]}
        predicates = Filters.parse({"until": ["2026-10-01"], **given}).resolve(log).predicates()
        after = source.choice([None, Cursor.parse("2025-06-15T12:07:00.000000Z/7")])
        selection = Selection(predicates, source.choice(list(Order)), after, source.randint(1, 120))
        with read_transaction(log):
            found = list(window_search.rows(log, selection, SQL("event_id")))
        assert found == log.execute(selection.query(SQL("event_id"))).fetchall(), (given, selection.order, after)


def test_few_events_of_some_hours_are_counted_exactly_in_a_log_of_any_size(
    log: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MAX_FETCHED", 3)
    monkeypatch.setattr(counts, "MAX_SCANNED", 100)
    monkeypatch.setattr(counts, "EXACT_SECONDS", 0.001)
    found = read_histogram(log, Filters.parse({"hour": ["3"], "until": ["2026-10-01"]}).resolve(log))
    assert (found.events, found.is_estimate, dict(found.hours)) == (10, False, {24 + 3: 10})
    monkeypatch.setattr(hour_windows, "MAX_EVENTS", 9)
    assert read_histogram(log, Filters.parse({"hour": ["3"], "until": ["2026-10-01"]}).resolve(log)).is_estimate

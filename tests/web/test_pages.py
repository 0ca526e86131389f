"""Pages are what a plain scan of the whole log finds, however the log was searched for them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL

from auditctl import database
from auditctl.log import reader, window_search
from auditctl.log.filters import FILTERS, Filters
from auditctl.log.selection import Cursor, Order, Selection
from tests.support.filter_cases import RANDOM, random_events
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from auditctl.database import Connection

pytestmark = pytest.mark.slow

MONTHS = ("2026-03-01", "2026-04-01", "2026-06-01")
"""Months with a partition; events of the others are in the DEFAULT partition."""


END = datetime(2026, 11, 1, tzinfo=UTC)
"""Behind all of these events, and before those of the store."""


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows so short that a few hundred events fill many, and are too long for what is in them."""
    monkeypatch.setattr(window_search, "FIRST_WINDOW", 5)
    monkeypatch.setattr(window_search, "MAX_GATHERED", 3)
    monkeypatch.setattr(window_search, "SHRINKAGE", 2)


def uneven_events() -> list[Recorded]:
    """Events in bursts over some months, with a login that was alone at first."""
    source = random.Random(8)
    moment, made = START, []
    for count, event in enumerate(random_events(source)):
        moment += timedelta(seconds=source.choice([0, 1, 60])) if count % 50 else timedelta(days=source.randint(0, 40))
        made.append(replace(event, at=moment, db_user="batch" if count < 60 else event.db_user))
    return made


def pages(conn: Connection, filters: Filters, order: Order, limit: int) -> list[int]:
    """All pages of what filters select, one behind the other."""
    found: list[int] = []
    after = None
    while True:
        page = reader.Page(conn, Selection(filters.predicates(), order, after, limit), SQL("event_id"))
        rows = [row[0] for row in page]
        found += rows
        if page.following is None:
            return found
        assert len(rows) == limit
        after = Cursor.parse(str(page.following))


@pytest.mark.parametrize("examples", [15, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("short_windows")
def test_pages_in_any_order_are_what_plain_python_selects(db: str, examples: int) -> None:
    with database.connect(db) as conn:
        for month in MONTHS:
            conn.execute("select auditctl_internal.create_partition(%s)", [month])
        made = uneven_events()
        assert made[-1].at < END
        log = sorted(zip(record(conn, *made), made, strict=True), key=lambda item: (item[1].at, item[0]))
        conn.execute("vacuum analyze auditctl.event")

        @settings(max_examples=examples)
        @given(st.randoms(use_true_random=False), st.sampled_from(list(Order)), st.sampled_from([1, 3, 20, 200]))
        def are_what_is_selected(source: random.Random, order: Order, limit: int) -> None:
            texts, tests = {}, []
            for name in sorted(source.sample([row.name for row in FILTERS], source.randint(1, 3))):
                texts[name], test = RANDOM[name](source)
                tests.append(test)
            # The store's own events lie outside of the time of these.
            texts.setdefault("until", [END.isoformat()])
            expected = [identity for identity, event in log if all(test(event) for test in tests)]
            found = pages(conn, Filters.parse(texts).resolve(conn), order, limit)
            assert found == (expected if order is Order.ASC else expected[::-1]), texts

        are_what_is_selected()

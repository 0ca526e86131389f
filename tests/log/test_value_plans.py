"""A first page of what was recorded of an event reads a small part of the log, where the summary or an index has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.log import window_search
from auditctl.retention import maintain
from tests.log.test_filter_plans import FINE, page_and_read
from tests.support.retaining import index_a_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.database import Connection
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

EVENTS = 20_000

LOG = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values, context)
    select timestamptz '2026-03-01 00:00+00' + i * interval '1 minute', 'alice', 'application',
           case when i < 15000 then 'shop.stopped' else 'shop.order' end, i::text, 'UPDATE',
           jsonb_build_object('n', i, 'text', 'same') || case when i = 1234 then '{"limit": [1]}' else '{}' end::jsonb,
           jsonb_build_object('request_id', 'r' || i / 3, 'batch', i / 4)
               || case when i %% 9000 = 5 then '{"reason": "Ticket 4711"}' else '{}' end::jsonb
      from generate_series(1, %s) as i
"""

LITTLE = EVENTS // 20

PART = "2026-03-14 00:00+00"
"""Before when an index has only a part of the month."""

TAIL = EVENTS - 13 * 24 * 60

SUMMARIZED = [
    ({"context": ["request_id=r1777"]}, 3),
    ({"context": ["request_id=r777777"]}, 0),
    ({"context": ["request_id=r1777", "request_id=r1788"]}, 6),
    ({"context": ["request_id=r1777", "batch=1333"]}, 2),
]
"""What the summary of blocks has, and how many events there are."""

INDEXED = [
    ({"context": ["batch=1333"]}, 4),
    ({"context": ["batch=777777"]}, 0),
    ({"became": ["n=777"]}, 1),
    ({"became": ["limit=[1]"]}, 1),
    ({"changed": ["n=777", "n=1999"]}, 2),
    ({"was": ["n=777"]}, 0),
    ({"column": ["limit"]}, 1),
    ({"reason": ["ticket 4711"]}, 3),
    ({"became": ["n=777"], "user": ["alice"]}, 1),
    ({"became": ["text=same"]}, 51),
]
"""What an index of a month that is over has."""


@pytest.fixture
def reader_conn(db: str, login: MakeLogin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A session of an auditor, over a log of one month that is over, with a first window to match."""
    monkeypatch.setattr(window_search, "FIRST_WINDOW", 100)
    with database.connect(db) as conn:
        conn.execute("select auditctl_internal.create_partition('2026-03-01')")
        conn.execute(LOG, [EVENTS])
        conn.execute(FINE)
        conn.execute("vacuum analyze auditctl.event")
    with database.connect(login("auditor", roles=["auditctl_reader"]).dsn) as conn:
        yield conn


def test_a_first_page_of_a_value_reads_little(reader_conn: Connection, db: str) -> None:
    with database.connect(db) as conn:
        list(maintain.run(conn))
    found = [(texts, *page_and_read(reader_conn, texts)) for texts, _ in SUMMARIZED]
    with database.connect(db) as conn:
        index_a_part(conn, "2026-03-01", PART)
    past = [(texts, *page_and_read(reader_conn, texts)) for texts, _ in INDEXED]
    assert [(texts, rows) for texts, rows, _ in past] == INDEXED
    assert [row for row in past if row[2] > LITTLE + TAIL] == []
    with database.connect(db) as conn:
        assert [done.step for done in maintain.run(conn, index_values=True)] == ["index", "unindex"]
    found += [(texts, *page_and_read(reader_conn, texts)) for texts, _ in INDEXED]
    assert [(texts, rows) for texts, rows, _ in found] == [*SUMMARIZED, *INDEXED]
    assert [row for row in found if row[2] > LITTLE] == []

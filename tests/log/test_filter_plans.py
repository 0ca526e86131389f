"""A first page reads a small part of the log, whatever is looked for, also what is rare, old or absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL

from auditctl import database
from auditctl.database import read_transaction
from auditctl.log import window_search
from auditctl.log.filters import Filters
from auditctl.log.selection import Selection
from auditctl.retention import maintain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.database import Connection
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

EVENTS = 60_000

LOG = """
    insert into auditctl.event (
        occurred_at, xact_id, ip, actor, actor_kind, db_user, target, target_id, action, new_values
    )
    select timestamptz '2026-03-01 00:00+00' + i * interval '1 minute',
           (1000 + i / 3)::text::xid8,
           case i when 777 then '192.0.2.9/24' when 7777 then '2001:db8::7'
                else case when i %% 20000 = 5 then '203.0.113.7' else '10.0.' || i %% 20 || '.' || i %% 200 end
           end::inet,
           case when i %% 5000 = 7 then 'visitor' when i < 9000 and i %% 50 = 1 then 'departed'
                else 'user' || i %% 20 end,
           'application',
           case when i < 2000 then 'app_old' else 'app' end,
           case when i < 30000 and i %% 3 = 0 then 'shop.stopped' when i %% 6000 = 8 then 'shop.rare'
                else 'shop.table_' || i %% 4 end,
           i::text,
           (case when i = 40000 then 'TRUNCATE' when i %% 4000 = 9 then 'EVENT' when i %% 50 = 2 then 'DELETE'
                 else 'UPDATE' end)::auditctl.action,
           jsonb_build_object('n', i, 'text', repeat('x', 40))
      from generate_series(1, %s) as i
"""

FINE = """
    do $$
    declare
        v_part regclass;
    begin
        for v_part in select relid from pg_partition_tree('auditctl.event_summary_idx') where isleaf loop
            execute format('alter index %s set (pages_per_range = 3)', v_part);
            execute format('reindex index %s', v_part);
        end loop;
    end $$
"""
"""A summary as fine as if the log were forty times as large."""

LITTLE = EVENTS // 50
SOME = EVENTS // 4
"""What it takes to find where something ended."""

CASES: list[tuple[dict[str, list[str]], int, int]] = [
    ({}, 51, LITTLE),
    ({"target": ["shop.table_1"]}, 51, LITTLE),
    ({"target": ["shop.rare"]}, 10, LITTLE),
    ({"target": ["shop.stopped"]}, 51, SOME),
    ({"id": ["777"]}, 1, LITTLE),
    ({"id": ["nothing"]}, 0, LITTLE),
    ({"user": ["visitor"]}, 12, LITTLE),
    ({"user": ["departed"]}, 51, LITTLE),
    ({"user": ["nobody"]}, 0, LITTLE),
    ({"user": ["login:nobody"]}, 0, LITTLE),
    ({"user": ["System"]}, 0, LITTLE),
    ({"user": ["app_old"]}, 51, SOME),
    ({"action": ["read"]}, 0, LITTLE),
    ({"action": ["create"]}, 0, LITTLE),
    ({"action": ["truncate"]}, 1, LITTLE),
    ({"action": ["event"]}, 15, LITTLE),
    ({"action": ["delete"]}, 51, LITTLE),
    ({"until": ["2026-03-08"]}, 51, LITTLE),
    ({"since": ["2026-03-08T10:00Z"], "until": ["2026-03-08T10:05Z"]}, 5, LITTLE),
    ({"since": ["2020-01-01"], "until": ["2020-02-01"]}, 0, LITTLE),
    ({"target": ["shop.stopped"], "action": ["truncate"]}, 0, LITTLE),
    ({"target": ["shop.stopped"], "action": ["create"]}, 0, LITTLE),
    ({"target": ["shop.table_1"], "user": ["visitor"]}, 0, LITTLE),
    ({"target": ["shop.table_1"], "user": ["nobody"]}, 0, LITTLE),
    ({"user": ["departed"], "action": ["create"]}, 0, LITTLE),
    ({"user": ["app_old"], "action": ["truncate"]}, 0, LITTLE),
    ({"user": ["visitor"], "until": ["2026-03-05"]}, 2, LITTLE),
    ({"id": ["777"], "user": ["nobody"]}, 0, LITTLE),
    ({"xact": ["1777"]}, 3, LITTLE),
    ({"xact": ["777"]}, 0, LITTLE),
    ({"xact": ["18446744073709551615"]}, 0, LITTLE),
    ({"ip": ["10.0.7.7"]}, 51, 2 * SOME),
    ({"ip": ["203.0.113.7"]}, 3, LITTLE),
    ({"ip": ["203.0.113.0/24"]}, 3, LITTLE),
    ({"ip": ["192.0.2.9"]}, 1, LITTLE),
    ({"ip": ["10.0.7.250"]}, 0, LITTLE),
    ({"ip": ["198.51.100.0/24"]}, 0, LITTLE),
    ({"ip": ["2001:db8::/32"]}, 1, LITTLE),
    ({"ip": ["203.0.113.7"], "xact": ["1777"]}, 0, LITTLE),
]


@pytest.fixture
def reader_conn(db: str, login: MakeLogin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A session of an auditor, over a log of sixty thousand events, with a first window to match."""
    monkeypatch.setattr(window_search, "FIRST_WINDOW", 100)
    with database.connect(db) as conn:
        conn.execute(
            "select auditctl_internal.create_partition('2026-03-01'), auditctl_internal.create_partition('2026-04-01')"
        )
        conn.execute(LOG, [EVENTS])
        conn.execute(FINE)
        conn.execute("vacuum analyze auditctl.event")
        list(maintain.run(conn))
    with database.connect(login("auditor", roles=["auditctl_reader"]).dsn) as conn:
        yield conn


READ_SO_FAR = """
    select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)
      from pg_stat_xact_user_tables where schemaname = 'auditctl' and relname ^@ 'event'
"""


def page_and_read(conn: Connection, texts: dict[str, list[str]]) -> tuple[int, int]:
    """How many events a page has, and how many were read for it."""
    filters = Filters.parse({"until": ["2026-10-01"], **texts}).resolve(conn)
    with read_transaction(conn):
        (before,) = conn.execute(READ_SO_FAR).fetchone() or (0,)
        rows = list(window_search.rows(conn, Selection(filters.predicates(), limit=51), SQL("event_id")))
        (after,) = conn.execute(READ_SO_FAR).fetchone() or (0,)
    return len(rows), int(after - before)


def test_a_first_page_reads_little(reader_conn: Connection) -> None:
    found = [(texts, *page_and_read(reader_conn, texts)) for texts, _, _ in CASES]
    assert [(texts, rows) for texts, rows, _ in found] == [(texts, rows) for texts, rows, _ in CASES]
    most = [limit for _, _, limit in CASES]
    assert [row for row, limit in zip(found, most, strict=True) if row[2] > limit] == []

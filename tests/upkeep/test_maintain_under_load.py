"""Upkeep while two hundred sessions write and read: each event is in the log once, then and afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from auditctl import store
from auditctl.demo.server import EmbeddedServer
from tests.fixtures.databases import connect, create_database
from tests.support.capturing import audit
from tests.support.retaining import fill, keep, months

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow  # two hundred sessions at once

WRITERS, READERS, CHANGES = 150, 50, 12
DOUBLE = "select count(*) - count(distinct event_id) from auditctl.event where target = 'public.work'"
CURRENT = "select format('auditctl.event_%s', to_char(now() at time zone 'UTC', 'YYYY_MM'))"


@pytest.fixture
def crowded(server: EmbeddedServer) -> Iterator[str]:
    """A database with the store, on a server of its own that takes many sessions."""
    with EmbeddedServer(server.bindir, settings={"fsync": "off", "max_connections": "230"}) as own:
        dsn = own.dsn(create_database(own, "crowded"))
        store.install(dsn)
        yield dsn


def write(dsn: str, writer: int, start: threading.Barrier) -> list[str]:
    """Commit changes one by one, and roll some back; returns the keys of those committed."""
    committed = []
    with connect(dsn) as session:
        start.wait()
        for number in range(CHANGES):
            key = f"{writer}-{number}"
            session.execute("begin")
            session.execute("insert into public.work values (%s)", [key])
            if number % 5 == 4:
                session.execute("rollback")
            else:
                session.execute("commit")
                committed.append(key)
    return committed


def read(dsn: str, start: threading.Barrier, done: threading.Event) -> list[int]:
    """Look again and again how many events there are, in a column and in duplicate."""
    seen = [0]
    with connect(dsn) as session:
        start.wait()
        while not done.is_set():
            for query in (DOUBLE, "select count(*) from auditctl.event where target = 'public.work'"):
                row = session.execute(query.encode()).fetchone()
                assert row is not None
                if query is DOUBLE:
                    assert row == (0,)
                else:
                    seen.append(row[0])
    return seen


def test_two_hundred_sessions_lose_and_double_nothing(crowded: str, auditctl: RunAuditctl) -> None:
    with connect(crowded) as conn:
        conn.execute("create table public.work (key text primary key)")
        audit(crowded, "public.work")
        (current,) = conn.execute(CURRENT).fetchone() or ("",)
        conn.execute(f"drop table {current}".encode())  # so that everything goes to the DEFAULT partition
        for day in ("2001-02-03", "2002-02-03", "2031-12-01"):
            fill(conn, day, "billing.customer", 500)
        months(conn, "2020-01-01", "2020-02-01")
        fill(conn, "2020-01-10", "billing.invoice")
        keep(conn, "*", "20 years")
        start, done = threading.Barrier(WRITERS + READERS + 1), threading.Event()
        with ThreadPoolExecutor(WRITERS + READERS) as pool:
            readers = [pool.submit(read, crowded, start, done) for _ in range(READERS)]
            writers = [pool.submit(write, crowded, number, start) for number in range(WRITERS)]
            start.wait()
            runs = [auditctl("maintain", dsn=crowded) for _ in range(2)]
            committed = sorted(key for writer in writers for key in writer.result())
            done.set()
            for reader in readers:
                assert reader.result() == sorted(reader.result())
        assert {run.code for run in runs} <= {0, 5}
        auditctl("maintain", dsn=crowded, check=0)
        found = conn.execute("select new_values ->> 'key' from auditctl.event where target = 'public.work' order by 1")
        assert sorted(key for (key,) in found.fetchall()) == committed
        assert conn.execute("select count(*) from only auditctl.event_default").fetchone() == (0,)
        left = conn.execute("select count(*), count(distinct event_id) from auditctl.event where target ~ '^billing'")
        assert left.fetchone() == (510, 510)

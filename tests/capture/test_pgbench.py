"""Real load: pgbench's own tables and its standard script, from four clients at once."""

from __future__ import annotations

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit, pending

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow  # ten thousand transactions

SCALE = 2
CLIENTS = 4
TRANSACTIONS = 2500

BALANCES = (("accounts", "aid", "abalance"), ("branches", "bid", "bbalance"), ("tellers", "tid", "tbalance"))

SCHEMA = """
    create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84)) with (fillfactor = 100);
    create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84)) with (fillfactor = 100);
    create table pgbench_branches (bid int not null, bbalance int, filler char(88)) with (fillfactor = 100);
    insert into pgbench_branches (bid, bbalance) select b, 0 from generate_series(1, 2) as b;
    insert into pgbench_tellers (tid, bid, tbalance) select t, (t - 1) / 10 + 1, 0 from generate_series(1, 20) as t;
    insert into pgbench_accounts (aid, bid, abalance, filler)
        select a, (a - 1) / 100000 + 1, 0, '' from generate_series(1, 200000) as a;
    alter table pgbench_branches add primary key (bid);
    alter table pgbench_tellers add primary key (tid);
    alter table pgbench_accounts add primary key (aid)
"""
"""What `pgbench -i -s 2` makes, for a server without its client programs."""

SCRIPT = """
    update pgbench_accounts set abalance = abalance + %(delta)s where aid = %(aid)s;
    select abalance from pgbench_accounts where aid = %(aid)s;
    update pgbench_tellers set tbalance = tbalance + %(delta)s where tid = %(tid)s;
    update pgbench_branches set bbalance = bbalance + %(delta)s where bid = %(bid)s;
    insert into pgbench_history (tid, bid, aid, delta, mtime)
        values (%(tid)s, %(bid)s, %(aid)s, %(delta)s, current_timestamp)
"""
"""pgbench's standard script, `tpcb-like`, between its begin and end."""

COUNTS = """
    select target, action::text, count(*) from auditctl.event
     where target like 'public.pgbench%' group by 1, 2 order by 1, 2
"""

RECOMPUTED = """
    with moved as (
        select target_id::int as id,
               sum((new_values ->> %(column)s)::bigint - (old_values ->> %(column)s)::bigint) as balance,
               (array_agg((new_values ->> %(column)s)::bigint order by event_id desc))[1] as last
          from auditctl.event where target = %(target)s and action = 'UPDATE' group by 1
    )
    select count(*) from moved full join {table} as t on t.{key} = moved.id
     where t.{column} <> coalesce(moved.balance, 0) or moved.last <> t.{column}
"""


def initialize(server: EmbeddedServer, dsn: str) -> None:
    program = server.bindir / "pgbench"
    if program.exists():
        command: list[str | Path] = [program, "-i", "-s", str(SCALE), "-q", dsn]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return
    with connect(dsn) as conn:
        conn.execute(SCHEMA)


def run(server: EmbeddedServer, dsn: str) -> None:
    """Run the standard script, by pgbench where the server has it."""
    program = server.bindir / "pgbench"
    if program.exists():
        command: list[str | Path] = [program, "-n", "-c", str(CLIENTS), "-t", str(TRANSACTIONS), "-M", "prepared", dsn]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
        assert f"actually processed: {CLIENTS * TRANSACTIONS}/{CLIENTS * TRANSACTIONS}" in done.stdout
        return
    with ThreadPoolExecutor(CLIENTS) as pool:
        for client in [pool.submit(transact, dsn, seed) for seed in range(CLIENTS)]:
            client.result(240)


def transact(dsn: str, seed: int) -> None:
    chance = random.Random(seed)
    with connect(dsn) as conn:
        statements = [part.strip() for part in SCRIPT.split(";")]
        for _ in range(TRANSACTIONS):
            values = {
                "aid": chance.randint(1, 100000 * SCALE),
                "bid": chance.randint(1, SCALE),
                "tid": chance.randint(1, 10 * SCALE),
                "delta": chance.randint(-5000, 5000),
            }
            with conn.transaction():
                for statement in statements:
                    conn.execute(statement.encode(), values)


def rolled_back(dsn: str) -> None:
    """Transactions that leave nothing: rolled back as a whole, to a savepoint, and by an error."""
    values = {"aid": 1, "bid": 1, "tid": 1, "delta": 999_999}
    with connect(dsn) as conn:
        for _ in range(20):
            with conn.transaction(force_rollback=True):
                for part in SCRIPT.split(";"):
                    conn.execute(part.encode(), values)
        with conn.transaction(), conn.transaction(force_rollback=True):
            conn.execute("update pgbench_branches set bbalance = bbalance + 999999")
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("update pgbench_branches set bbalance = bbalance / 0")


def test_the_log_of_ten_thousand_transactions_equals_the_changes_exactly(
    server: EmbeddedServer, db: str, conn: psycopg.Connection
) -> None:
    initialize(server, db)
    audit(db, "public.pgbench_*")
    run(server, db)
    rolled_back(db)

    total = CLIENTS * TRANSACTIONS
    row = conn.execute("select count(*), count(*) filter (where delta = 0) from pgbench_history").fetchone()
    assert row is not None
    assert row[0] == total
    changed = total - row[1]  # an update by nothing is no change
    assert conn.execute(COUNTS.encode()).fetchall() == [
        ("public.pgbench_accounts", "UPDATE", changed),
        ("public.pgbench_branches", "UPDATE", changed),
        ("public.pgbench_history", "CREATE", total),
        ("public.pgbench_tellers", "UPDATE", changed),
    ]
    for table, key, column in BALANCES:
        query = RECOMPUTED.format(table=f"pgbench_{table}", key=key, column=column)
        values = {"column": column, "target": f"public.pgbench_{table}"}
        assert (table, conn.execute(query.encode(), values).fetchone()) == (table, (0,))

    # The history that the script wrote is the log's, row for row, and so is who moved what in one transaction.
    assert conn.execute("""
        select count(*) from (
            select (new_values ->> 'tid')::int, (new_values ->> 'bid')::int, (new_values ->> 'aid')::int,
                   (new_values ->> 'delta')::int, (new_values ->> 'mtime')::timestamp
              from auditctl.event where target = 'public.pgbench_history'
            except all
            select tid, bid, aid, delta, mtime from pgbench_history
        ) as invented
    """).fetchone() == (0,)
    assert conn.execute("""
        select count(*) from (
            select xact_id, count(*) as events from auditctl.event where target like 'public.pgbench%' group by 1
        ) as one where events not in (4, 1)
    """).fetchone() == (0,)
    conn.execute("truncate pgbench_history")
    assert conn.execute(COUNTS.encode()).fetchall()[3] == ("public.pgbench_history", "TRUNCATE", 1)
    assert pending(db) == []

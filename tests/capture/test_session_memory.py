"""What a session keeps of each table that it writes to: compiled functions and plans stay until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit, events

if TYPE_CHECKING:
    import psycopg

COLUMNS: LiteralString = """
    id int primary key, c1 int, c2 text, c3 numeric, c4 timestamptz, c5 boolean, c6 date, c7 uuid, c8 bigint, c9 jsonb,
    c10 text[], c11 int, c12 text, c13 numeric, c14 timestamptz, c15 boolean
"""
WRITES: LiteralString = """
    do $$ begin for i in 1..12 loop
        insert into {0} (id, c1, c9, c10) values (i, i, '{{}}', '{{a}}');
        update {0} set c1 = c1 + 1, c2 = 'x' where id = i;
        delete from {0} where id = i;
    end loop; end $$
"""
MEMORY: LiteralString = """
    select sum(total_bytes)::int, count(*) filter (where name = 'CachedPlan')
    from pg_backend_memory_contexts
    where name in ('PL/pgSQL function', 'CachedPlan', 'CachedPlanSource', 'CachedPlanQuery', 'SPI Plan')
"""
"""Without the catalog's caches, which grow by large blocks and take 25 kB more for a table."""


def memory_of(conn: psycopg.Connection) -> tuple[int, int]:
    """Bytes and plans."""
    size, plans = conn.execute(MEMORY).fetchone() or (0, 0)
    return int(size), int(plans)


def test_a_session_keeps_seven_plans_and_220_kilobytes_of_a_table_of_sixteen_columns(
    db: str, conn: psycopg.Connection
) -> None:
    for name in ("t1", "t2", "t3"):
        conn.execute(f"create table public.{name} ({COLUMNS})".encode())
    audit(db, "public.*")
    with connect(db) as session:
        for name in ("t1", "t2"):
            session.execute(WRITES.format(f"public.{name}").encode())
        size, plans = memory_of(session)
        session.execute(WRITES.format("public.t3").encode())
        more_size, more_plans = memory_of(session)
    assert more_plans - plans <= 7
    assert more_size - size <= 220_000


@pytest.mark.parametrize("changed", ["n = 2", "v = 2.0", "n = 2, v = 2.0"])
def test_an_update_of_a_row_whose_key_is_null_is_recorded_without_a_key(
    db: str, conn: psycopg.Connection, changed: str
) -> None:
    conn.execute("create table public.loose (k text, n int, v numeric)")
    audit(db, "public.loose", key=("k",))
    conn.execute("insert into public.loose values (null, 1, 1)")
    conn.execute(f"update public.loose set {changed}".encode())
    columns = {part.split()[0] for part in changed.split(", ")}
    _, (_, _, target_id, old_values, new_values) = events(conn, "public.loose")
    assert target_id is None
    assert set(old_values) == set(new_values) == columns

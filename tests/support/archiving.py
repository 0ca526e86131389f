"""What the tests of archives share: months to archive, and a reader of hot and cold events that is not auditctl."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import duckdb

from auditctl.archive.layout import MonthKey
from tests.support.retaining import months

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

FILL: LiteralString = """
    insert into auditctl.event (occurred_at, actor, actor_kind, ip, target, target_id, action, new_values, context)
    select %s::timestamptz + i * interval '1 hour', 'alice', 'application', '203.0.113.7', 'shop.item', i::text,
           'CREATE', jsonb_build_object('n', i, 'price', 1.50), '{"request_id": "r"}'
      from generate_series(1, %s) as i
"""

OWN: LiteralString = """
    select event_id from auditctl.event
     where target like 'auditctl.%%' and to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = %s order by 1
"""

FILL_OWN: LiteralString = """
    insert into auditctl.event (occurred_at, actor_kind, target, target_id, action, new_values)
    select %s::timestamptz + n * interval '1 hour', 'system', t.target, n::text, 'EVENT', '{"a": 1}'
      from unnest(%s::text[]) with ordinality as t (target, n)
"""

HOT: LiteralString = """
    select event_id, (extract(epoch from occurred_at) * 1000000)::bigint, target, target_id, new_values::text
      from auditctl.event where target not like 'auditctl.%' order by 2, 1
"""

COLD = """
    select event_id, epoch_us(occurred_at), target, target_id, new_values
      from read_parquet('{}/*/*/part-*.parquet') where target not like 'auditctl.%' order by 2, 1
"""

Row = tuple[object, ...]


def fill(conn: psycopg.Connection, *names: str, count: int = 20) -> None:
    """Make months, such as 2020-01, with events an hour apart."""
    for name in names:
        months(conn, f"{name}-01", f"{name}-01")
        conn.execute(FILL, [f"{name}-03 00:00+00", count])


def fill_own(conn: psycopg.Connection, month: str, *targets: str) -> list[int]:
    """Put events of auditctl itself into a month that has others; return the numbers of all that it has."""
    conn.execute(FILL_OWN, [f"{month}-04 00:30+00", list(targets)])
    return own(conn, month)


def own(conn: psycopg.Connection, month: str) -> list[int]:
    """The numbers of the events of auditctl itself that the table has of a month."""
    return [number for (number,) in conn.execute(OWN, [month]).fetchall()]


def hot(conn: psycopg.Connection) -> list[Row]:
    """The events in the table, but auditctl's own."""
    return conn.execute(HOT).fetchall()


def cold(folder: Path) -> list[Row]:
    """The events in the files, as DuckDB reads them."""
    if not list(folder.glob("*/*/part-*.parquet")):
        return []
    with duckdb.connect() as engine:
        return list(engine.sql(COLD.format(folder)).fetchall())


def names(folder: Path) -> list[str]:
    """The files of an archive, by their paths in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def month_folder(conn: psycopg.Connection, folder: Path, month: str = "2020-01") -> Path:
    """The folder of a month of the connection's database."""
    return folder / MonthKey(conn.info.dbname, month).folder


def recorded(conn: psycopg.Connection) -> list[Row]:
    """What the log has of archived months: month, rows, whether it was dropped, and whether it ended."""
    return conn.execute(
        "select month, rows, dropped_at is not null, ended_at is not null from auditctl.archived_month "
        "order by archive_id"
    ).fetchall()

"""An archived event reads as the event in the log did, in every format, byte for byte."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from psycopg.sql import SQL

from auditctl.archive import events, texts
from auditctl.archive.texts import time_text
from auditctl.database import read_transaction
from auditctl.log.formats import FORMATS, Layout
from auditctl.log.selection import Order, Selection
from tests.support.drawn_events import draw_event, fill
from tests.support.recorded import label

if TYPE_CHECKING:
    import psycopg

    from auditctl.log.event_texts import EventTexts
    from auditctl.log.formats import Format

POSSIBLE = """
    update drawn set db_user = 'app' where db_user is null;
    update drawn set event_id = event_id + 1000000;
    update drawn set action = 'EVENT'
     where 'object' <> any (array[jsonb_typeof(old_values), jsonb_typeof(new_values), jsonb_typeof(context)]);
    update drawn set context = context || '{"reason": "because", "outcome": "failed", "application_name": "a\\u0001b"}'
     where jsonb_typeof(context) = 'object' and event_id % 3 = 0;
    update drawn set context = context || '{"reason": {"a": [1.00, null]}, "baseline": true}'
     where jsonb_typeof(context) = 'object' and event_id % 5 = 0;
    update drawn set target_id = '  =1+1', actor = '@x' where event_id % 7 = 0;
    insert into auditctl.event overriding system value select * from drawn
"""

LONG = """
    insert into auditctl.event (occurred_at, actor_kind, db_user, target, action, old_values, new_values, context)
    select '2026-05-01', 'system', 'x', 'long', 'UPDATE', jsonb_build_object('a', repeat(c, 5000)),
           jsonb_build_object('a', repeat(c, 5001)), jsonb_build_object('reason', repeat(c, 4100))
      from unnest(array['x', 'ä', '😀']) as c
"""

COPY = SQL(
    "copy (select {} from auditctl.event as e where e.event_id > 1000000 or e.target = 'long'"
    " order by occurred_at, event_id) to stdout (format binary)"
)


ALL = SQL("(select * from auditctl.activity where event_id > 1000000 or target_name = 'long') as activity")
DATED = SQL(
    "(select * from auditctl.activity where (event_id > 1000000 or target_name = 'long') and isfinite(created_on)"
    " and created_on < '10000-01-01') as activity"
)
WRITTEN = "to_char(t at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def archived(conn: psycopg.Connection) -> list[EventTexts]:
    """The events as an archive has them."""
    with conn.cursor().copy(COPY.format(events.projection("e"))) as copy:
        batch = events.to_batch(list(events.rows(copy)))
    databases = pa.array(["shop"] * batch.num_rows)
    labels = {"shop": {"a": "Labelled"}}
    return [event.texts for event in texts.of_batch(batch.append_column("database", databases), labels)]


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda one: one.name)
def test_every_format_shows_an_archived_event_as_the_log_does(conn: psycopg.Connection, output_format: Format) -> None:
    draw = random.Random(8)
    fill(conn, [draw_event(draw, number) for number in range(1, 200)])
    conn.execute(POSSIBLE)
    conn.execute(LONG)
    label(conn, "a", "Labelled")
    # OCSF has a time as a number, and infinity is none; near its end the server itself rounds.
    is_dated = output_format.name == "ocsf"
    found = [one for one in archived(conn) if not is_dated or (one["created_on"] or "294276").find("-") == 4]
    query = Selection(order=Order.ASC, source=DATED if is_dated else ALL)
    columns = ("user", "details", "reason", "context", "old_values") if output_format.has_columns else None
    with read_transaction(conn):
        for layout in (Layout(), Layout(width=None), Layout(columns=columns)):
            for safe in (True, False):
                rows = conn.execute(query.query(output_format.listed(safe, layout))).fetchall()
                project = output_format.listed_texts(safe, layout)
                assert [project(one) for one in found] == rows
                rows = conn.execute(query.query(output_format.projection(safe, layout.columns))).fetchall()
                project = output_format.projection_of_texts(safe, layout.columns)
                assert [project(one) for one in found] == rows


@pytest.mark.parametrize(
    "time",
    [
        "1970-01-01", "1969-12-31 23:59:59.999999", "0001-01-01", "9999-12-31 23:59:59.999999", "10000-01-01",
        "0001-12-31 BC", "0044-03-15 12:00:00.000001 BC", "4714-11-24 BC", "290000-02-29", "2000-02-29",
    ],
)  # fmt: skip
def test_a_time_is_written_as_the_server_does(conn: psycopg.Connection, time: str) -> None:
    row = conn.execute(
        f"select (extract(epoch from t) * 1000000)::bigint, {WRITTEN}"
        " from (select %s::timestamp at time zone 'UTC' as t) as v".encode(),
        [time],
    ).fetchone()
    assert row is not None
    assert time_text(row[0]) == row[1]

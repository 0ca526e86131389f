"""`auditctl maintain --index-values` indexes the recorded values of the current month up to its last full hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from auditctl import database
from auditctl.names import VALUE_INDEX_LOCK
from auditctl.retention import maintain, value_index
from tests.fixtures.databases import connect
from tests.log.test_filters import found
from tests.upkeep.test_value_index import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from auditctl.database import Connection
    from tests.fixtures.databases import MakeLogin

SOON = """
    create or replace function auditctl_internal.value_index_growth() returns integer language sql immutable
        set search_path = pg_catalog, pg_temp as 'select 5';
    create or replace function auditctl_internal.value_index_until() returns timestamptz language sql stable
        set search_path = pg_catalog, pg_temp as $$
            select date_trunc('month', now(), 'UTC') + interval '1 hour' * (1 + count(*))
            from auditctl.event where target = 'auditctl.partition'
        $$;
"""
"""Five events are enough, and one more hour is over whenever upkeep has recorded something."""

FILL = """
    insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action, new_values)
    select date_trunc('month', now(), 'UTC') + %s * interval '1 hour' + i * interval '1 us', 'alice', 'application',
           'shop.order', i::text, 'CREATE', jsonb_build_object('n', i)
      from generate_series(1, %s) as i
"""

INDEXES = """
    select x.indexrelid::regclass::text, x.indisvalid, obj_description(x.indexrelid, 'pg_class') is not null
      from pg_index as x join pg_class as i on i.oid = x.indexrelid where i.relname like '%values%' order by 1
"""


@pytest.fixture
def upkeep(db: str, conn: psycopg.Connection) -> Iterator[Connection]:
    """A superuser's session that does upkeep, over a current month with five events."""
    conn.execute(SOON.encode())
    conn.execute(FILL, [0, 5])
    with database.connect(db) as session:
        yield session


def run(conn: Connection, wanted: bool | None = True) -> list[str]:
    return [done.sentence.partition(": ")[2] for done in maintain.run(conn, index_values=wanted)]


def indexes(conn: psycopg.Connection) -> list[Any]:
    return conn.execute(INDEXES).fetchall()


def test_past_events_of_the_current_month_are_indexed_and_again_when_enough_have_come(
    conn: psycopg.Connection, upkeep: Connection
) -> None:
    due = maintain.due(upkeep, index_values=True)
    assert [(one.step, one.reason[:31]) for one in due] == [("index", "Its values have no index from 2")]
    assert run(upkeep, wanted=None) == []
    (sentence,) = run(upkeep)
    assert sentence.startswith("values indexed of the events before 2")
    first = indexes(conn)
    assert [row[1:] for row in first] == [(True, True)]
    assert conn.execute(STATISTICS).fetchone() == (1,)
    conn.execute(FILL, [1, 4])
    assert run(upkeep) == []
    assert len(found(conn, became="n=4")) == 2
    conn.execute(FILL, [1, 1])
    assert len(run(upkeep)) == 1
    assert run(upkeep, wanted=False) == ["indexes of values dropped."]
    assert indexes(conn) == []
    recorded = conn.execute("""
        select new_values ->> 'step', new_values ? 'until', (new_values ->> 'bytes')::bigint > 0
          from auditctl.event where target = 'auditctl.partition' order by event_id
    """).fetchall()
    assert recorded == [("index", True, True), ("index", True, True), ("unindex", False, True)]


def test_a_transaction_that_does_not_end_puts_it_off_and_what_is_incomplete_is_made_again(
    db: str, conn: psycopg.Connection, upkeep: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_index, "PATIENCE", "50ms")
    with connect(db) as writer, writer.transaction():
        writer.execute(FILL, [0, 1])
        (done,) = maintain.run(upkeep, index_values=True)
        assert "did not end within a minute" in done.obstacle
        assert [row[1:] for row in indexes(conn)] == [(False, False)]
        # Nobody waits meanwhile.
        conn.execute("set lock_timeout = '10ms'")
        conn.execute(FILL, [0, 1])
    assert upkeep.execute("select current_user::text, current_setting('lock_timeout')").fetchone() == ("postgres", "0")
    assert len(run(upkeep)) == 1
    assert [row[1:] for row in indexes(conn)] == [(True, True)]


def test_an_index_is_recorded_although_the_one_that_it_replaces_cannot_be_dropped_yet(
    db: str, conn: psycopg.Connection, upkeep: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(upkeep)
    conn.execute(FILL, [1, 5])
    steps = value_index.run(upkeep, lambda: maintain._ask(upkeep, True, ()))
    with connect(db) as reader:
        assert next(steps)["step"] == "index"
        monkeypatch.setattr(value_index, "PATIENCE", "50ms")
        with reader.transaction():
            reader.execute("select from auditctl.event where new_values @> '{\"n\": 1}'")
            (skipped,) = steps
    assert "did not end within a minute" in skipped["reason"]
    assert len(indexes(conn)) == 2
    assert run(upkeep) == []
    assert [row[1:] for row in indexes(conn)] == [(True, True)]
    steps_recorded = "select new_values ->> 'step' from auditctl.event where target = 'auditctl.partition' order by 1"
    assert conn.execute(steps_recorded).fetchall() == [("index",), ("index",)]


def test_of_two_runs_one_indexes(db: str, conn: psycopg.Connection, upkeep: Connection) -> None:
    with connect(db) as other:
        other.execute("select pg_advisory_lock(%s)", [VALUE_INDEX_LOCK])
        assert run(upkeep) == ["another session is indexing its values."]
    assert indexes(conn) == []
    assert len(run(upkeep)) == 1


def test_the_session_has_its_settings_again(conn: psycopg.Connection, db: str, upkeep: Connection) -> None:
    conn.execute(sql.SQL("alter database {} set lock_timeout = '2s'").format(sql.Identifier(conn.info.dbname)))
    with database.connect(db) as session:
        assert len(run(session)) == 1
        query = "select current_user::text, current_setting('lock_timeout'), current_setting('default_tablespace')"
        assert session.execute(query).fetchone() == ("postgres", "0", "")


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Kolkata", "Asia/Manila"])
def test_no_setting_of_a_reader_moves_the_time_up_to_which_values_are_indexed(
    conn: psycopg.Connection, upkeep: Connection, zone: str
) -> None:
    run(upkeep)
    usual = conn.execute("select extract(epoch from auditctl.values_indexed_until())").fetchone()
    conn.execute("set datestyle = 'SQL, DMY'")
    conn.execute("select set_config('timezone', %s, false)", [zone])
    assert conn.execute("select extract(epoch from auditctl.values_indexed_until())").fetchone() == usual


def test_an_administrator_who_may_not_change_the_log_is_told_who_may(
    conn: psycopg.Connection, upkeep: Connection, login: MakeLogin
) -> None:
    with database.connect(login("admin", roles=["auditctl_admin"]).dsn) as admin:
        (done,) = maintain.run(admin, index_values=True)
    assert (done.step, done.obstacle) == ("skip", "")
    assert done.sentence.endswith(
        ": its values are indexed once the month is over; before, it takes a superuser, or where none installed, the "
        "login that did."
    )
    assert indexes(conn) == []

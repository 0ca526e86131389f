"""`auditctl baseline`: the rows that were there, as capture would have recorded them, each once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import database, reconcile
from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

ROWS = """
    create type mood as enum ('sad', 'glad');
    create table t (
        id int primary key, f float8, a text[], j jsonb, js json, b bytea, at timestamptz, m mood, secret text,
        hidden text, big text
    );
    create table other (like t including all)
"""

VALUES = """
    (1, '-0', '[0:1]={a,b}', 'null', '{"a" : 1}', '\\x00ff', '2026-01-01', 'sad', 's', 'h', repeat(chr(1), 60000)),
    (2, null, null, null, null, null, null, null, null, null, repeat('x', 300000)),
    (3, 'NaN', '{}', '{"$masked": true}', '[]', '', 'infinity', 'glad', '', '',
     repeat('x', 200000) || repeat(chr(2), 20000))
"""


def recorded(conn: psycopg.Connection, target: str) -> list[Any]:
    return conn.execute(
        "select target_id, action::text, old_values, new_values from auditctl.event where target = %s order by 1",
        [target],
    ).fetchall()


def test_rows_are_recorded_as_capture_records_them_by_those_without_rights_on_the_table(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    admin, reader = login("admin", roles=["auditctl_admin"]), login("reader", roles=["auditctl_reader"])
    conn.execute("""
        create or replace function auditctl_internal.event_limit() returns bigint language sql immutable
        as $$ select 262144::bigint $$
    """)
    conn.execute(ROWS)
    conn.execute(f"insert into t values {VALUES}".encode())
    audit(db, "t", "other", exclude=("hidden",), mask=("secret",))
    conn.execute(f"insert into other values {VALUES}".encode())
    result = auditctl("baseline", "t", "--reason", "ticket 1", "--format", "json", dsn=admin.dsn, check=0)
    assert json.loads(result.out) == {"target": "public.t", "rows": 3}
    assert recorded(conn, "public.t") == recorded(conn, "public.other")
    who = conn.execute(
        "select distinct actor, actor_kind::text, context from auditctl.event where target = 'public.t'"
    ).fetchall()
    assert who == [(admin.name, "database", {"application_name": "auditctl", "reason": "ticket 1", "baseline": True})]
    assert auditctl("reconcile", dsn=reader.dsn, check=0).out == ""
    assert auditctl("baseline", "t", dsn=reader.dsn, check=5).err.endswith(f"auditctl grant admin {reader.name}\n")


def test_a_row_with_events_is_skipped_and_one_after_its_end_is_not(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("create table t (id int primary key, v text); insert into t values (1, 'v'), (2, 'v'), (3, 'v')")
    audit(db, "t")
    conn.execute("update t set v = 'w' where id = 1; delete from t where id = 2; truncate t")
    conn.execute("insert into t values (1, 'x')")
    conn.execute("insert into t values (2, 'x'); update t set id = 5 where id = 2")
    assert json.loads(auditctl("baseline", "t", "--format", "json", check=0).out)["rows"] == 0
    assert auditctl("reconcile", check=0).out == ""
    summary = "select new_values, context ->> 'summary' from auditctl.event where target = 'auditctl.baseline'"
    assert conn.execute(summary).fetchall() == [({"rows": 0}, "baseline of public.t: 0 rows recorded")]


def test_a_baseline_is_shown_as_there_and_never_counted_as_created(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("create table t (id int primary key, v text); insert into t values (1, 'v')")
    audit(db, "t")
    auditctl("baseline", "public.t", check=0)
    conn.execute("insert into t values (2, 'w'); update t set v = 'x' where id = 1")
    shown = auditctl("history", "t", "1", "--format", "jsonl", check=0).out.splitlines()
    assert [json.loads(line)["details"] for line in shown] == ["was there: id: 1; v: v", "v: v → x"]
    for action, key in (("create", "2"), ("baseline", "1")):
        listed = auditctl("log", "--target", "t", "--action", action, "--format", "json", check=0).out
        assert [(one["target_id"], one["action"]) for one in json.loads(listed)] == [(key, "CREATE")]
        exported = auditctl("export", "--target", "t", "--action", action, "--format", "jsonl", check=0).out
        assert [json.loads(line)["target_id"] for line in exported.splitlines()] == [key]
        total = json.loads(auditctl("stats", "--target", "t", "--action", action, "--format", "json", check=0).out)
        assert [(group["action"], group["events"]) for group in total["groups"]] == [(action.upper(), 1)]


def test_no_application_can_claim_that_a_row_was_there(conn: psycopg.Connection, db: str, login: MakeLogin) -> None:
    conn.execute("create table t (id int primary key); grant select, insert on t to public")
    audit(db, "t")
    with connect(login("app", roles=["auditctl_app"]).dsn) as session:
        for text in ('{"baseline": true}', '{"\\u0062aseline": true, "x": "' + "x" * 600 + '"}'):
            session.execute("select set_config('auditctl.context', %s, false)", [text])
            session.execute("insert into t select coalesce(max(id), 0) + 1 from t")
    assert conn.execute("select bool_or(context ? 'baseline') from auditctl.event").fetchone() == (False,)


def test_an_interrupted_baseline_goes_on(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute("create table t (id int primary key, v text)")
    conn.execute("insert into t select g, repeat('v', 1000) from generate_series(1, 30) as g")
    audit(db, "t")
    monkeypatch.setattr(reconcile, "_FIRST_PAGES", 1)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with database.connect(db) as session, pytest.raises(KeyboardInterrupt):
        reconcile.record_baseline(session, "public.t", lock_timeout="1s", report=interrupt)
    first = len(recorded(conn, "public.t"))
    assert 0 < first < 30
    result = auditctl("baseline", "t", "--format", "json", check=0)
    assert json.loads(result.out)["rows"] == 30 - first
    assert len(recorded(conn, "public.t")) == 30


def test_a_row_that_is_being_changed_is_waited_for_and_then_left_for_the_next_run(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b')")
    audit(db, "t")
    with connect(db) as session, session.transaction():
        session.execute("update t set v = 'c' where id = 1")
        result = auditctl("baseline", "t", "--lock-timeout", "1ms", check=5)
        assert "What was recorded stays. Run the same command again" in result.err
    auditctl("baseline", "t", check=0)
    assert [row[:2] for row in recorded(conn, "public.t")] == [("1", "UPDATE"), ("2", "CREATE")]

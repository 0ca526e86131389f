"""No setting that a session may change for itself silences capture, alters what it records, or makes a write fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

LIMITS = {
    "idle_in_transaction_session_timeout": "ends a session that waits",
    "idle_session_timeout": "ends a session that waits",
    "lock_timeout": "a limit on the time of every statement",
    "statement_timeout": "a limit on the time of every statement, and what capture costs counts",
    "transaction_timeout": "a limit on the time of every transaction, and what capture costs counts",
}
"""Settings whose very meaning is that work fails beyond a limit; why each is left out."""

ENDS_SESSIONS = "exit_on_error"
"""Turns every error, also one that a function handles, into the end of the session."""

TEXTS = {
    "DateStyle": ["German, DMY", "SQL, MDY", "Postgres, YMD"],
    "TimeZone": ["Asia/Kathmandu", "<x>-167:59:59", "infinity"],
    "application_name": ["", "x" * 63, "ä"],
    "client_encoding": ["SQL_ASCII", "LATIN1", "SJIS", "WIN1251", "EUC_JP"],
    "createrole_self_grant": ["set, inherit"],
    "default_table_access_method": ["heap"],
    "default_tablespace": ["pg_default", "nowhere"],
    "default_text_search_config": ["pg_catalog.simple", "nowhere"],
    "lc_monetary": ["C", "C.UTF-8"],
    "plpgsql.extra_errors": ["all", "none"],
    "plpgsql.extra_warnings": ["all", "none"],
    "restrict_nonsystem_relation_kind": ["view, foreign-table"],
    "search_path": ["", "pg_temp", "own, pg_temp, pg_catalog, auditctl", '"$user", nowhere'],
    "temp_tablespaces": ["pg_default", "nowhere"],
    "timezone_abbreviations": ["India", "Australia"],
}
"""Values to try for settings that are text."""

COLUMNS: LiteralString = """
    id integer primary key, t text, n numeric, at timestamptz, f double precision, fs real[], i interval, b bytea,
    j jsonb, js json, c money, x char(3), r tstzrange, ip inet, d date, mood own.mood, word own.word
"""

WRITES: tuple[LiteralString, ...] = (
    r"insert into {0} values (1, e'a\\b''', 1.0, '2026-02-01 10:00+02', 0.1, '{{1.1,-0}}', '1 day 2 hours', "
    r"'\x00ff'::pg_catalog.bytea, '[1.0]', '{{}}', 12.5::pg_catalog.numeric, 'x', null, '203.0.113.7', "
    "pg_catalog.make_date(2026, 2, 3), 'glad', 'w')",
    "update {0} set t = null, n = 1.00, at = at + pg_catalog.make_interval(secs => 1), f = f + 1e-15, fs = null, "
    r"i = pg_catalog.make_interval(hours => 26), b = '\x00'::pg_catalog.bytea, j = '[1.00]', js = '[]', c = c * 2, "
    "r = pg_catalog.tstzrange(at, null), d = d + 1, mood = 'sad', word = 'v'",
    "update {0} set id = 2",
    "delete from {0}",
    "truncate {0}",
)

TABLES = ("own.fresh", "own.stale")

FOUND = """
    select target, action::text, target_id, old_values::text, new_values::text, actor, host(ip),
           context - 'application_name'
      from auditctl.event where event_id > %s and target = any (%s) order by event_id
"""


def read_settings(conn: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Every setting of a session's own, with every value worth a try but the one that it has."""
    # PL/pgSQL's own settings are there once it was used.
    conn.execute("do 'begin end'")
    query: LiteralString = """
        select name, setting, vartype, min_val, max_val, enumvals from pg_settings where context = 'user' order by name
    """
    for name, usual, kind, least, most, words in conn.execute(query):
        if name in LIMITS or name == ENDS_SESSIONS:
            continue
        values = {"bool": ["on", "off"], "enum": words, "string": TEXTS.get(name, ["", "x"])}
        for value in dict.fromkeys(values.get(kind, [least, most])):
            if value != usual:
                yield name, value


def make_tables(db: str) -> None:
    """A table that is not audited, and two that are: as it was when enabled, and changed since."""
    with connect(db) as conn:
        conn.execute("create schema own; grant usage on schema own to public")
        conn.execute("create type own.mood as enum ('glad', 'sad'); create domain own.word as text check (value <> '')")
        for table in ("own.plain", *TABLES):
            conn.execute(f"create table {table} ({COLUMNS}); grant all on {table} to public".encode())
    audit(db, "own.fresh", "own.stale")
    with connect(db) as conn:
        conn.execute("alter table own.stale add column late integer; alter table own.plain add column late integer")


def try_writes(session: psycopg.Connection, name: str, value: str) -> tuple[bool, str]:
    """Write under a setting; return whether a table that is not audited took it, and what failed where others did."""
    plain = False
    try:
        session.execute("reset all")
        session.execute("select auditctl.set_context('alice', '203.0.113.9', '{\"a\": 1}', null, false)")
        session.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])
        session.execute("; ".join(WRITES).format("own.plain").encode())
        plain = True
        for table in TABLES:
            session.execute("; ".join(WRITES).format(table).encode())
    except psycopg.Error as error:
        return plain, str(error)
    return plain, ""


def newest(conn: psycopg.Connection) -> int:
    row = conn.execute("select coalesce(max(event_id), 0) from auditctl.event").fetchone()
    assert row is not None
    return int(row[0])


def recorded(conn: psycopg.Connection, after: int) -> list[tuple[Any, ...]]:
    return conn.execute(FOUND, [after, list(TABLES)]).fetchall()


def test_no_setting_of_a_session_silences_capture_or_alters_an_event_or_fails_a_write(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    make_tables(db)
    session = connect(login("web", roles=["auditctl_app"]).dsn)
    session.prepare_threshold = None
    before = newest(conn)
    assert try_writes(session, "application_name", "usual") == (True, "")
    usual = recorded(conn, before)
    assert len(usual) == len(TABLES) * len(WRITES)
    faults, tried = [], set()
    for name, value in read_settings(conn):
        before = newest(conn)
        plain, fault = try_writes(session, name, value)
        if not plain:
            continue  # refused as a value, or the write fails without auditing too
        tried.add(name)
        found = recorded(conn, before)
        if fault or found != usual:
            faults.append((name, value, fault, [row for row in found if row not in usual]))
    session.close()
    assert faults == []
    assert len(tried) > 90


def test_every_text_that_is_tried_is_a_setting_of_a_session(conn: psycopg.Connection) -> None:
    conn.execute("do 'begin end'")
    found = {name for (name,) in conn.execute("select name from pg_settings where context = 'user'")}
    later = {"restrict_nonsystem_relation_kind": 150008, "createrole_self_grant": 160000}
    assert {name for name in TEXTS if conn.info.server_version >= later.get(name, 0)} <= found


def test_a_session_that_ends_on_every_error_writes_as_long_as_capture_meets_none(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    make_tables(db)
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        before = newest(conn)
        session.execute(
            "set exit_on_error = on; select auditctl.set_context('alice', '203.0.113.9', null, null, false)"
        )
        session.execute("; ".join(WRITES).format("own.fresh").encode())
    assert len(recorded(conn, before)) == len(WRITES)

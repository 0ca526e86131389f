"""The spellings of a key: every text that the key's types read as the same value names the same row, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl import database
from auditctl.errors import UsageError
from auditctl.log import reader, selection
from auditctl.log.filter_text import text_of
from auditctl.log.filters import Filters
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.database import Connection
    from auditctl.demo.server import EmbeddedServer

pytestmark = pytest.mark.slow

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"

Case = tuple[LiteralString, LiteralString, tuple[str, ...], tuple[str, ...]]

CASES: dict[str, Case] = {
    "whole": ("id bigint", "7", ("7", "007", " 7", "7\n", "+7"), ("8", "70")),
    "fixed": ("id numeric(12,2)", "1", ("1.00", "1", "1.0", "1.000", "1e0", "01"), ("1.001", "2")),
    "free": ("id numeric", "1.0", ("1.0", "1", "1.00", "1.000000", "10e-1"), ("1.01", "10")),
    "flag": ("id boolean", "true", ("t", "true", "yes", "on", "1", "TRUE"), ("f", "no")),
    "ident": ("id uuid", f"'{UUID}'", (UUID, UUID.upper(), f"{{{UUID}}}", UUID.replace("-", ""), f" {UUID} "), ()),
    "day": ("id date", "'2026-02-01'", ("2026-02-01", "20260201", "Feb 1, 2026"), ("2026-01-02",)),
    "moment": (
        "id timestamptz", "'2026-02-01 10:00+02'",
        ("2026-02-01 08:00:00+00", "2026-02-01T08:00:00Z", "2026-02-01 09:00+01", "2026-02-01 08:00"),
        ("2026-02-01 10:00",),
    ),
    "span": ("id interval", "'1 day'", ("1 day", "24 hours", "24:00:00", "P1D"), ("2 days",)),
    "ratio": ("id float8", "'-0'", ("-0", "0", "0.0"), ("1",)),
    "padded": ("id char(5)", "'ab'", ("ab", "ab   ", "ab  "), (" ab", "AB")),
    "loose": ("id bpchar", "'ab '", ("ab ", "ab", "ab    "), ("AB",)),
    "word": ("id text", "' Ab\"[1]'", (' Ab"[1]',), ('Ab"[1]', ' ab"[1]', " Ab\"[1] ")),
    "short": ("id varchar(4)", "'abcd'", ("abcd",), ("abcde", "abcd ")),
    "bytes": ("id bytea", r"'\x5c27'", ("\\x5c27", "\\x5C27", "\\\\'"), ("\\x5c",)),
    "place": ("id inet", "'203.0.113.7'", ("203.0.113.7", "203.0.113.7/32"), ("203.0.113.7/24",)),
    "mood": ("id mood", "'so, so'", ("so, so",), ("ok",)),
    "amount": ("id amount", "1.5", ("1.50", "1.5", "01.500"), ("1.51",)),
    "shout": ("id shout", "'HEY'", ("HEY",), ("hey",)),
    "list": ("id integer[]", "'{1,2}'", ("{1,2}", "{ 1, 02 }"), ("{2,1}",)),
    "range": ("id numrange", "'[1.0,2)'", ("[1.0,2)", "[1.00, 2.0)"), ("[1,2]",)),
    "document": ("id jsonb", """'{"b": 1.0, "a": 2}'""", ('{"b": 1.0, "a": 2}', '{"a":2,"b":1}'), ('{"a":2}',)),
    "pair": (
        "plan text, currency char(3), primary key (plan, currency)", "'pr\u00fc', 'EUR'",
        ('["pr\u00fc", "EUR"]', '["pr\u00fc","EUR"]', '["pr\\u00fc","EUR"]', '[ "pr\u00fc",\n"EUR" ]'),
        ('["pr\u00fc", "eur"]', '["EUR", "pr\u00fc"]'),
    ),
    "mixed": (
        "n integer, at timestamptz, yes boolean, v numeric, u uuid, w text, primary key (n, at, yes, v, u, w)",
        f"7, '2026-02-01 10:00+02', true, 1.0, '{UUID}', '7'",
        (
            f'[7, "2026-02-01T08:00:00+00:00", true, 1.0, "{UUID}", "7"]',
            f'["007","2026-02-01 09:00+01","yes",1,"{UUID.upper()}",7]',
        ),
        (f'[7, "2026-02-01T08:00:00+00:00", true, 1.0, "{UUID}", "07"]',),
    ),
    "nested": ("a integer[], t text, primary key (a, t)", "'{1,2}', '[1]'", ('[[1, 2], "[1]"]', '["{1,2}","[1]"]'), ()),
    "empty": ("id text", "''", ("",), (" ", '""')),
}  # fmt: skip
"""For each table: its key, a row's key as SQL, texts that name the row, and texts of other keys."""

OPTIONAL: dict[str, Case] = {
    "anycase": ("id citext", "'Ann B'", ("Ann B", "ANN B", "ann b"), ("Ann  B", "annb")),
    "insensitive": ("id text collate insensitive", "'Ann'", ("Ann", "ANN"), ("Anna",)),
}
NEEDS: dict[str, LiteralString] = {
    "anycase": "create extension citext",
    "insensitive": "create collation insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
}


TYPES: LiteralString = """
    create type mood as enum ('ok', 'so, so');
    create domain amount as numeric(10, 2) check (value < 1000);
    create domain shout as text check (value = upper(value))
"""


def prepare(dsn: str) -> None:
    """Make a table for each case, with one row, which is its only event."""
    with connect(dsn) as conn:
        conn.execute(TYPES)
        cases = dict(CASES)
        for name, case in OPTIONAL.items():
            try:
                conn.execute(NEEDS[name])
            except psycopg.Error:
                continue
            cases[name] = case
        for name, (columns, _, _, _) in cases.items():
            key = columns if "primary key" in columns else f"{columns} primary key"
            conn.execute(f"create table t_{name} ({key})")
        audit(dsn, "public.t_*")
        for name, (_, row, _, _) in cases.items():
            conn.execute(f"insert into t_{name} values ({row})")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with an audited table for each case."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def session(db: str) -> Iterator[Connection]:
    with database.connect(db) as conn:
        yield conn


def available(conn: Connection) -> dict[str, Case]:
    rows = conn.execute("select target from auditctl.target").fetchall()
    return {name: case for name, case in {**CASES, **OPTIONAL}.items() if (f"public.t_{name}",) in rows}


def listed(conn: Connection, key: str, **targets: str) -> int:
    """Return how many events `log --id` finds; none where the key is not valid."""
    texts = {"id": [text_of(key)], **{name: [text] for name, text in targets.items()}}
    try:
        predicates = Filters.parse(texts).resolve(conn).predicates()
    except UsageError:
        return 0
    found = selection.Selection(predicates, limit=10)
    return len(list(reader.Page(conn, found, selection.cells(safe=False))))


def lived(conn: Connection, target: str, key: str) -> int:
    """Return how many events `history` finds; none where the key is not valid."""
    try:
        return len(
            list(
                reader.Page(conn, reader.history(reader.target_of(conn, target, key), key), selection.cells(safe=False))
            )
        )
    except UsageError:
        return 0


def held(conn: Connection, target: str, key: str) -> int:
    """Return how many events a hold keeps that is in force already, in whatever form it was stored."""
    conn.execute("insert into auditctl.hold (target, target_id, reason) values (%s, %s, 'case 7')", [target, key])
    row = conn.execute("select count(*) from auditctl_internal.held_events('-infinity', 'infinity')").fetchone()
    conn.execute("truncate auditctl.hold")
    return row[0] if row else 0


def found(conn: Connection, name: str, key: str) -> tuple[int, ...]:
    target = f"public.t_{name}"
    sql = "select count(*) from auditctl.history(%s, %s)"
    row = conn.execute(sql, [target, key]).fetchone() or (0,)
    return listed(conn, key, target=target), lived(conn, target, key), row[0], held(conn, target, key)


def test_every_spelling_of_a_key_names_its_row_everywhere(session: Connection) -> None:
    session.execute("alter table auditctl.hold disable trigger all")
    cases = available(session)
    asked = [(name, key) for name, case in cases.items() for key in case[2]]
    assert {pair: result for pair in asked if (result := found(session, *pair)) != (1, 1, 1, 1)} == {}


def test_another_key_finds_nothing_anywhere(session: Connection) -> None:
    session.execute("alter table auditctl.hold disable trigger all")
    cases = available(session)
    asked = [(name, key) for name, case in cases.items() for key in case[3]]
    assert {pair: result for pair in asked if (result := found(session, *pair)) != (0, 0, 0, 0)} == {}


def test_a_key_without_a_table_is_read_by_the_types_of_each(session: Connection) -> None:
    assert (listed(session, "007"), listed(session, UUID.upper()), listed(session, "Ab")) == (1, 1, 0)


def test_events_recorded_about_a_row_have_its_key_in_the_form_that_capture_writes(session: Connection) -> None:
    cases = available(session)
    for name, (_, _, keys, _) in cases.items():
        session.execute("select auditctl.record_event(%s, %s, 'shown')", [f"public.t_{name}", keys[-1]])
    exact = {"loose", "free", "mixed", "span", "ratio", "range", "document", "anycase", "insensitive"}
    different = session.execute(
        "select distinct target from auditctl.event where target ^@ 'public.t_' group by target "
        "having count(distinct target_id) > 1 order by 1"
    ).fetchall()
    assert {name for (name,) in different} <= {f"public.t_{name}" for name in exact}
    for name, (_, _, keys, _) in cases.items():
        assert (name, listed(session, keys[0], target=f"public.t_{name}")) == (name, 2)

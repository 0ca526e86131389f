"""Rows of any size: the write succeeds, and what the log holds of it can be read by everyone with every reader."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with

if TYPE_CHECKING:
    import psycopg

LIMIT = 1 << 18
"""Of an event's old and new values in these tests, in bytes of JSON text: with the real one they would take minutes."""


def lower_limit(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(f"""
            create or replace function auditctl_internal.event_limit() returns bigint language sql immutable
            as $$ select {LIMIT}::bigint $$
        """)


db_template = begin_with(lower_limit)


def audit(dsn: str, name: str, **options: Any) -> None:
    with database.connect(dsn) as conn:
        apply.enable(conn, Rule(name, options.pop("actions", DEFAULT), **options))


def sizes(conn: psycopg.Connection) -> list[int]:
    """The bytes of JSON text of each event's values."""
    rows = conn.execute(
        "select coalesce(octet_length(old_values::text), 0) + coalesce(octet_length(new_values::text), 0) "
        "from auditctl.event where target = 'public.t' order by event_id"
    )
    return [row[0] for row in rows]


def created(conn: psycopg.Connection) -> dict[str, Any]:
    row = conn.execute("select new_values from auditctl.event where target = 'public.t'").fetchone()
    assert row is not None
    return dict(row[0])


LARGE: dict[str, tuple[LiteralString, LiteralString]] = {
    "control characters": ("text", "repeat(chr(1), 100000)"),
    "quotes": ("varchar", "repeat('\"', 5000000)"),
    "letters": ("text", "repeat('x', 300000)"),
    "bytes": ("bytea", "convert_to(repeat('x', 200000), 'UTF8')"),
    "a document": ("jsonb", "jsonb_build_object('a', jsonb_build_array(repeat(chr(1), 100000)))"),
    "a short document of long numbers": ("jsonb", "to_jsonb(array_fill('1e131071'::numeric, '{20}'))"),
    "long numbers": ("numeric[]", "array_fill('1e131071'::numeric, '{20}')"),
    "fractions of many digits": ("numeric[]", "array_fill('1e-16383'::numeric, '{20}')"),
    "text of JSON": ("json", "to_json(repeat('\"', 5000000))"),
    "texts": ("text[]", "array_fill(repeat(chr(1), 1000), '{100}')"),
    "documents": ("jsonb[]", "array_fill(to_jsonb(repeat(chr(1), 300)), '{200}')"),
    "xml": ("xml", "('<a>' || repeat('x', 300000) || '</a>')::xml"),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_value_is_recorded_by_its_start_length_and_hash(conn: psycopg.Connection, db: str, kind: str) -> None:
    kind_of_column, value = LARGE[kind]
    conn.execute(f"create table t (id integer primary key, v {kind_of_column}, w text)")
    audit(db, "t")
    conn.execute(f"insert into t values (1, {value}, 'whole')")
    conn.execute("update t set v = null")
    conn.execute(f"update t set v = {value}")
    conn.execute("delete from t")
    expected = conn.execute(
        f"select octet_length(x.v::{'bytea' if kind == 'bytes' else 'text'}), left(x.v::text, 200) "
        f"from (select ({value})::{kind_of_column} as v) as x"
    ).fetchone()
    assert expected is not None
    for recorded in conn.execute(
        "select new_values -> 'v' as v from auditctl.event where target = 'public.t' and action = 'CREATE' union all "
        "select old_values -> 'v' from auditctl.event where target = 'public.t' and action in ('UPDATE', 'DELETE') "
        "and old_values ->> 'v' is not null union all "
        "select new_values -> 'v' from auditctl.event where target = 'public.t' and new_values ->> 'v' is not null"
    ):
        assert (recorded[0]["$bytes"], recorded[0]["$head"]) == expected
        assert len(recorded[0]["$sha256"]) == 64
    assert max(sizes(conn)) < 3000
    assert len(sizes(conn)) == 4
    assert created(conn)["w"] == "whole"


def test_the_hash_of_a_large_value_is_that_of_its_text_or_bytes(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text, w bytea)")
    audit(db, "t")
    conn.execute("insert into t values (1, repeat('ä', 500000), decode(repeat('00ff', 300000), 'hex'))")
    assert created(conn) == {
        "id": 1,
        "v": {
            "$head": "ä" * 200,
            "$bytes": 1_000_000,
            "$sha256": hashlib.sha256(("ä" * 500_000).encode()).hexdigest(),
        },
        "w": {
            "$head": r"\x" + "00ff" * 49 + "00",
            "$bytes": 600_000,
            "$sha256": hashlib.sha256(b"\x00\xff" * 300_000).hexdigest(),
        },
    }


def test_values_that_fit_into_an_event_together_are_whole(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text, w jsonb)")
    audit(db, "t")
    conn.execute("insert into t values (1, repeat(chr(1), 20000), to_jsonb(repeat('x', 140000)))")
    assert sizes(conn)[0] == pytest.approx(260_000, rel=0.01)
    assert created(conn) == {"id": 1, "v": "\1" * 20_000, "w": "x" * 140_000}


def test_both_sides_of_an_update_share_the_limit(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text)")
    conn.execute("insert into t values (1, repeat('x', 150000))")
    audit(db, "t")
    conn.execute("update t set v = repeat('y', 150000)")
    conn.execute("update t set v = 'z'")
    assert sizes(conn)[0] < 3000
    assert sizes(conn)[1] > 150_000


@pytest.mark.parametrize("key", ["", "primary key"])
def test_many_large_columns_are_cut_to_equal_shares(conn: psycopg.Connection, db: str, key: str) -> None:
    columns = ", ".join(f"c{number} text" for number in range(60))
    conn.execute(f"create table t (id integer {key}, {columns})")
    audit(db, "t")
    values = ", ".join(["repeat(chr(1), 2100)"] * 60)
    conn.execute(f"insert into t values (1, {values})")
    conn.execute("update t set " + ", ".join(f"c{number} = repeat(chr(2), 2100)" for number in range(60)))
    assert len(sizes(conn)) == 2
    assert max(sizes(conn)) <= LIMIT


def test_many_columns_of_long_numbers_stay_within_the_limit(conn: psycopg.Connection, db: str) -> None:
    columns = ", ".join(f"c{number} numeric" for number in range(11))
    conn.execute(f"create table t (id integer primary key, {columns})")
    audit(db, "t")
    conn.execute("insert into t values (1, {})".format(", ".join(["'1e131071'"] * 11)))
    assert max(sizes(conn)) <= LIMIT


def test_a_large_mask_or_exclude_is_never_recorded(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text, m text, x text)")
    audit(db, "t", mask=("m",), exclude=("x",))
    conn.execute("insert into t values (1, repeat('v', 300000), repeat('m', 300000), repeat('x', 300000))")
    row = created(conn)
    assert row["m"] == {"$masked": True}
    assert "x" not in row
    assert row["v"]["$head"] == "v" * 200


def test_a_rule_of_any_size_leaves_a_readable_event(conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into auditctl.rule (name, position, label, actions) values ('s.t', 1, repeat(chr(1), 100000), '{}')"
    )
    row = conn.execute(
        "select new_values -> 'label' ->> '$bytes', octet_length(new_values::text) "
        "from auditctl.event where target = 'auditctl.rule'"
    ).fetchone()
    assert row is not None
    assert row[0] == "100000"
    assert row[1] < 3000


def test_details_show_how_a_large_value_begins(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text)")
    audit(db, "t")
    conn.execute("insert into t values (1, repeat('x', 300000))")
    conn.execute("""insert into t values (2, '{"$head": "broken, "$bytes": , "$sha256": }')""")
    first, second = conn.execute(
        "select details from auditctl.activity where target = 'public.t' order by event_id"
    ).fetchall()
    assert first == ("id: 1; v: " + "x" * 80 + "… (300000 bytes)",)
    assert second[0].startswith("id: 2; v: ")


def test_a_large_event_says_the_same_in_its_sentence_as_a_small_one(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text, w jsonb, n text, m text)")
    audit(db, "t", mask=("m",))
    for pad in ("x", "(select string_agg(md5(i::text), '') from generate_series(1, 200) as i)"):
        value = pad if pad != "x" else "repeat('x', 110)"
        conn.execute(f"insert into t values (1, {value}, '{{\"a\": null}}', null, 's')")
        conn.execute("update t set v = null, w = 'null', n = 'n', m = 'u'")
        conn.execute(f"update t set v = {value}, n = ''")
        conn.execute("delete from t")
    rows = conn.execute(
        "select details, pg_column_size(coalesce(new_values, old_values)) > 1500 from auditctl.activity "
        "where target_name = 'public.t' order by event_id"
    ).fetchall()
    head = "c4ca4238a0b923820dcc509a6f75849bc81e728d9d4c2f636f067f89cc14862ceccbc87e4b5ce2fe28308fd9f2a7baf3a87f"
    small = [row[0].replace("x" * 99, head[:99]) for row in rows[:4]]
    assert [row[0] for row in rows[4:]] == small
    assert [row[1] for row in rows[4:]] == [True, False, True, True]


def test_a_large_document_is_shown_by_its_kind_and_size(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v jsonb, w jsonb)")
    audit(db, "t")
    conn.execute(
        "insert into t values (1, to_jsonb(array_fill(1, '{10000}')), jsonb_build_object('a', repeat('x', 110000)))"
    )
    (details,) = conn.execute("select details from auditctl.activity where target_name = 'public.t'").fetchone() or (
        "",
    )
    assert details == "id: 1; v: […] (120008 bytes); w: {…} (110017 bytes)"


def test_the_context_of_an_imported_read_is_bounded(conn: psycopg.Connection) -> None:
    row = conn.execute(
        "select context -> 'query' ->> '$bytes', octet_length(context::text) from (select "
        "auditctl_internal.imported_context(jsonb_build_object('query', repeat(chr(1), 100000))) as context) as read"
    ).fetchone()
    assert row is not None
    assert row[0] == "100000"
    assert row[1] < 3000

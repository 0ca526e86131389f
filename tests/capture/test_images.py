"""What an event holds: the stored image of each value, whatever the session's settings."""

from __future__ import annotations

import hashlib
from typing import Any, LiteralString

import psycopg
import pytest

from auditctl import database
from auditctl.actions import DEFAULT, Action
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect

DISTORTED = (
    "-c TimeZone=Asia/Kathmandu -c DateStyle=German -c IntervalStyle=sql_standard -c extra_float_digits=-15 "
    "-c bytea_output=escape -c standard_conforming_strings=off -c quote_all_identifiers=on -c search_path=pg_temp"
)


def audit(dsn: str, name: str, **options: Any) -> None:
    with database.connect(dsn) as conn:
        apply.enable(conn, Rule(name, options.pop("actions", DEFAULT), **options))


COLLATION = "create collation insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"


def builds_with(conn: psycopg.Connection, statement: LiteralString) -> bool:
    """Whether the server was built with what a statement needs; the statement's effect stays."""
    try:
        conn.execute(statement)
    except psycopg.errors.FeatureNotSupported:
        return False
    return True


def events(conn: psycopg.Connection, target: str) -> list[tuple[Any, ...]]:
    """Action, target_id, old and new values of a table's events; numbers as text, so that 1.0 is not 1.00."""
    return conn.execute(
        "select action::text, target_id, old_values::text, new_values::text from auditctl.event "
        "where target = %s order by event_id",
        [target],
    ).fetchall()


VALUES = [
    ("smallint", "1", "1"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("numeric", "1.00", "1.00"),
    ("numeric", "'NaN'", '"NaN"'),
    ("double precision", "0.1::float8 + 0.2", "0.30000000000000004"),
    ("double precision", "'-0'", '"-0"'),
    ("double precision[]", "'{0.5,-0,-0.5}'::float8[]", '"{0.5,-0,-0.5}"'),
    ("real[]", "array[0.5, -0.5]", "[0.5, -0.5]"),
    ("double precision", "'Infinity'", '"Infinity"'),
    ("real", "1.1", "1.1"),
    ("money", "'$1,234.50'", '"$1,234.50"'),
    ("boolean", "true", "true"),
    ("text", "''", '""'),
    ("text", "null", "null"),
    ("text", "e'tab\\t \"quote\" \\\\ ü'", '"tab\\t \\"quote\\" \\\\ ü"'),
    ("char(5)", "'ab'", '"ab   "'),
    ("varchar(3)", "'abc'", '"abc"'),
    ("bytea", "'\\xdeadbeef'::bytea", '"\\\\xdeadbeef"'),
    ("date", "'2026-02-01'::date", '"2026-02-01"'),
    ("date", "'infinity'::date", '"infinity"'),
    ("timestamp", "'2026-02-01 10:00:00.5'::timestamp", '"2026-02-01T10:00:00.5"'),
    ("timestamptz", "'2026-02-01 10:00:00+02'::timestamptz", '"2026-02-01T08:00:00+00:00"'),
    ("timestamptz", "'-infinity'::timestamptz", '"-infinity"'),
    ("timetz", "'10:00+02'::timetz", '"10:00:00+02"'),
    ("interval", "make_interval(days => 1, hours => 2)", '"1 day 02:00:00"'),
    ("uuid", "'6d0907e6-bdd3-433d-a7d1-b2e5530abc26'::uuid", '"6d0907e6-bdd3-433d-a7d1-b2e5530abc26"'),
    ("inet", "'203.0.113.7'::inet", '"203.0.113.7"'),
    ("bit(3)", "b'101'", '"101"'),
    ("xml", "'<a/>'::xml", '"<a/>"'),
    ("json", '\'{"a":  1.0, "a": 2}\'::json', '"{\\"a\\":  1.0, \\"a\\": 2}"'),
    ("json", '\'{"a": "\\u0000"}\'::json', '"{\\"a\\": \\"\\\\u0000\\"}"'),
    ("json", "'1e400000'::json", '"1e400000"'),
    ("jsonb", "'{\"a\": 1.00}'::jsonb", '{"a": 1.00}'),
    ("integer[]", "array[[1,2],[3,4]]", "[[1, 2], [3, 4]]"),
    ("timestamptz[]", "array['2026-02-01 10:00:00+02'::timestamptz]", '["2026-02-01T08:00:00+00:00"]'),
    ("json[]", "array['{\"a\": 1}'::json]", '"{\\"{\\\\\\"a\\\\\\": 1}\\"}"'),
    ("tstzrange", "'[2026-02-01 10:00:00+02,)'::tstzrange", '"[\\"2026-02-01 08:00:00+00\\",)"'),
    ("int4multirange", "'{[1,3),[5,7)}'::int4multirange", '"{[1,3),[5,7)}"'),
    ("point", "point(0.1, 0.2)", '"(0.1,0.2)"'),
    ("mood", "'bad'", '"bad"'),
    ("mood[]", "array['bad']::public.mood[]", '"{bad}"'),
    ("amount", "5", "5.00"),
    ("pair", "row(1, 'x y')::public.pair", '"(1,\\"x y\\")"'),
    ("floats", "'[0.1,0.2)'::public.floats", '"[0.1,0.2)"'),
    ("regclass", "'pg_class'::regclass", '"pg_class"'),
]


@pytest.fixture
def typed(db: str) -> str:
    """A table with one column for each of VALUES."""
    columns = ", ".join(f"c{index} {_type(name)}" for index, (name, _, _) in enumerate(VALUES))
    with connect(db) as conn:
        if not builds_with(conn, "select '<a/>'::xml"):
            VALUES[:] = [entry for entry in VALUES if entry[0] != "xml"]
            columns = ", ".join(f"c{index} {_type(name)}" for index, (name, _, _) in enumerate(VALUES))
        conn.execute("create type mood as enum ('ok', 'bad')")
        conn.execute("create domain amount as numeric(10, 2)")
        conn.execute("create type pair as (a integer, b text)")
        conn.execute("create type floats as range (subtype = float8, subtype_diff = float8mi)")
        conn.execute(f"create table typed (id integer primary key, {columns})")
    audit(db, "typed")
    return db


def _type(name: str) -> str:
    return f"public.{name}" if name.removesuffix("[]") in ("mood", "amount", "pair", "floats") else name


@pytest.mark.parametrize("options", ["", DISTORTED], ids=["default settings", "distorting settings"])
def test_every_type_is_recorded_exactly_under_any_settings(typed: str, options: str) -> None:
    values = ", ".join(value for _, value, _ in VALUES)
    with psycopg.connect(typed, autocommit=True, options="-c lc_monetary=C") as conn:
        conn.execute("create table staged as table public.typed with no data")
        conn.execute(f"insert into staged values (1, {values})")
        for setting in options.replace("-c ", "").split():
            conn.execute("select set_config(%s, %s, false)", setting.split("="))
        conn.execute("insert into public.typed select * from public.staged")
        conn.execute("update public.typed set id = 2")
        conn.execute("delete from public.typed")
        conn.execute("reset all")
        rows = conn.execute(
            "select action::text, each.key, each.value::text from auditctl.event, "
            "jsonb_each(coalesce(new_values, old_values)) as each where target = 'public.typed'"
        ).fetchall()
    images = {f"c{index}": image for index, (_, _, image) in enumerate(VALUES)}
    assert {key: value for action, key, value in rows if action == "CREATE"} == images | {"id": "1"}
    assert {key: value for action, key, value in rows if action == "DELETE"} == images | {"id": "2"}
    assert [(key, value) for action, key, value in rows if action == "UPDATE"] == [("id", "2")]


CHANGES_EQUALITY_CANNOT_SEE = [
    ("numeric", "1.0", "1.00"),
    ("double precision", "'0'", "'-0'"),
    ("interval", "'1 day'", "'24 hours'"),
    ("jsonb", "'1.0'", "'1.00'"),
    ("json", "'[1]'", "'[1 ]'"),
    ("numeric[]", "array[1.0]", "array[1.00]"),
    ("real", "'0'", "'-0'"),
    ("double precision[]", "'{0}'", "'{-0}'"),
    ("interval[]", "'{1 day}'", "'{24:00:00}'"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("bpchar", "'ab'", "'ab '"),
    ("numrange", "'[1.0,2)'", "'[1.00,2)'"),
    ("nummultirange", "'{[1.0,2)}'", "'{[1.00,2)}'"),
    ("tsvector", "'a:1'", "'a:2'"),
    ("weight", "1.0", "1.00"),
    ("parcel", "row(1.0, null)", "row(1.00, null)"),
    ("parcel[]", "array[row(1.0, '1 day')::parcel]", "array[row(1.0, '24 hours')::parcel]"),
    ("citext", "'Ann'", "'ANN'"),
    ("text collate insensitive", "'Ann'", "'ANN'"),
]


@pytest.mark.parametrize(("type_name", "before", "after"), CHANGES_EQUALITY_CANNOT_SEE)
def test_a_change_of_the_stored_image_is_recorded_although_the_values_are_equal(
    conn: psycopg.Connection, db: str, type_name: str, before: str, after: str
) -> None:
    if "insensitive" in type_name and not builds_with(conn, COLLATION):
        return  # a server built without ICU has no such collation, and so no such change
    if type_name == "citext" and not builds_with(conn, "create extension citext"):
        return  # a server without the extensions that come with PostgreSQL
    conn.execute("create domain weight as numeric; create type parcel as (weight numeric, age interval)")
    conn.execute(f"create table t (id integer primary key, v {type_name})")
    conn.execute(f"insert into t values (1, {before})")
    audit(db, "t")
    conn.execute(f"update t set v = {after}")
    conn.execute(f"update t set v = {after}")
    ((action, key, old, new),) = events(conn, "public.t")
    assert (action, key, old != new) == ("UPDATE", "1", True)


def test_an_update_holds_the_changed_columns_alone_on_both_sides(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, a text, b text, c numeric)")
    audit(db, "t")
    conn.execute("insert into t values (7, 'x', null, 10.00)")
    conn.execute("update t set a = a, b = 'y', c = 12.50")
    conn.execute("update t set a = a")
    conn.execute("delete from t")
    conn.execute("truncate t")
    assert events(conn, "public.t") == [
        ("CREATE", "7", None, '{"a": "x", "b": null, "c": 10.00, "id": 7}'),
        ("UPDATE", "7", '{"b": null, "c": 10.00}', '{"b": "y", "c": 12.50}'),
        ("DELETE", "7", '{"a": "x", "b": "y", "c": 12.50, "id": 7}', None),
        ("TRUNCATE", None, None, None),
    ]


def test_update_of_excluded_columns_alone_records_nothing_and_they_are_never_stored(
    conn: psycopg.Connection, db: str
) -> None:
    conn.execute("create table t (id integer primary key, a text, updated_at timestamptz)")
    audit(db, "t", exclude=("updated_at",))
    conn.execute("insert into t values (1, 'x', now())")
    conn.execute("update t set updated_at = clock_timestamp()")
    conn.execute("update t set updated_at = clock_timestamp(), a = 'y'")
    conn.execute("delete from t")
    assert events(conn, "public.t") == [
        ("CREATE", "1", None, '{"a": "x", "id": 1}'),
        ("UPDATE", "1", '{"a": "x"}', '{"a": "y"}'),
        ("DELETE", "1", '{"a": "y", "id": 1}', None),
    ]


def test_a_masked_column_shows_that_it_changed_and_never_its_value(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, card text)")
    audit(db, "t", mask=("card",))
    conn.execute("insert into t values (1, '4111')")
    conn.execute("update t set card = '4222'")
    conn.execute("update t set card = null")
    conn.execute("alter table t add column late text")
    conn.execute("update t set card = '4333', late = 'l'")
    conn.execute("delete from t")
    masked = '{"$masked": true}'
    assert events(conn, "public.t") == [
        ("CREATE", "1", None, f'{{"id": 1, "card": {masked}}}'),
        ("UPDATE", "1", f'{{"card": {masked}}}', f'{{"card": {masked}}}'),
        ("UPDATE", "1", f'{{"card": {masked}}}', f'{{"card": {masked}}}'),
        ("UPDATE", "1", f'{{"card": {masked}, "late": null}}', f'{{"card": {masked}, "late": "l"}}'),
        ("DELETE", "1", f'{{"id": 1, "card": {masked}, "late": "l"}}', None),
    ]


def test_a_changed_key_is_followed_by_the_key_before(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (a integer, b text, primary key (b, a))")
    audit(db, "t")
    conn.execute("insert into t values (1, 'x')")
    conn.execute("update t set a = 2")
    assert conn.execute(
        "select target_id, context ->> 'previous_target_id' from auditctl.event "
        "where target = 'public.t' order by event_id"
    ).fetchall() == [('["x", 1]', None), ('["x", 2]', '["x", 1]')]


def test_a_row_without_a_key_is_recorded_whole_before_its_update(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (a integer, b text)")
    audit(db, "t")
    conn.execute("insert into t values (1, 'x')")
    conn.execute("update t set b = 'y'")
    assert events(conn, "public.t") == [
        ("CREATE", None, None, '{"a": 1, "b": "x"}'),
        ("UPDATE", None, '{"a": 1, "b": "x"}', '{"b": "y"}'),
    ]


@pytest.mark.slow  # Makes and compares values of hundreds of megabytes.
def test_a_value_too_large_for_jsonb_is_recorded_as_start_length_and_hash(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v text, w bytea)")
    audit(db, "t", actions=(Action.CREATE,))
    conn.execute("insert into t values (1, repeat('a', 268435456), null)")
    conn.execute("insert into t values (2, null, convert_to(repeat('b', 135000000), 'UTF8'))")
    text = (
        f'{{"$head": "{"a" * 200}", "$bytes": 268435456, "$sha256": "{hashlib.sha256(b"a" * 268435456).hexdigest()}"}}'
    )
    start = r"\\x" + "62" * 99
    binary = f'{{"$head": "{start}", "$bytes": 135000000, "$sha256": "{hashlib.sha256(b"b" * 135000000).hexdigest()}"}}'
    assert events(conn, "public.t") == [
        ("CREATE", "1", None, f'{{"v": {text}, "w": null, "id": 1}}'),
        ("CREATE", "2", None, f'{{"v": null, "w": {binary}, "id": 2}}'),
    ]


def test_tables_of_300_and_1600_columns_are_recorded_whole(conn: psycopg.Connection, db: str) -> None:
    for count in (300, 1600):
        columns = ", ".join(f"c{index} integer" for index in range(1, count))
        conn.execute(f"create table wide{count} (c0 integer primary key, {columns})")
        audit(db, f"wide{count}")
        conn.execute(f"insert into wide{count} values ({', '.join(map(str, range(count)))})")
        conn.execute(f"update wide{count} set c{count - 1} = 0, c1 = 0")
        created, updated = conn.execute(
            "select new_values, old_values from auditctl.event where target = %s order by event_id",
            [f"public.wide{count}"],
        ).fetchall()
        assert created[0] == {f"c{index}": index for index in range(count)}
        assert updated[1] == {"c1": 1, f"c{count - 1}": count - 1}


def test_a_key_too_long_for_the_index_is_shortened_and_the_write_succeeds(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id text primary key)")
    audit(db, "t")
    conn.execute("insert into t values (repeat('k', 5000))")
    assert conn.execute(
        "select left(target_id, 100), target_id ~ ' sha256:[0-9a-f]{64}$', new_values ->> 'id' = repeat('k', 5000) "
        "from auditctl.event where target = 'public.t'"
    ).fetchone() == ("k" * 100, True, True)

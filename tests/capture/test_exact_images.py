"""Values and changes that a plain conversion to JSON would lose: each is recorded so that it can be read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.capture.test_images import builds_with, events
from tests.capture.test_replay import assert_rebuilt, tables, turn_through
from tests.fixtures.databases import GUARD_OFF
from tests.support import capturing
from tests.support.capturing import audit
from tests.support.kinds import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditctl.database import Connection
    from tests.support.kinds import Kind

__all__ = ["tables"]

DOMAINS = """
    create domain kinds.real_number as float8;
    create domain kinds.real_numbers as float8[];
    create domain kinds.words as text[];
    create domain kinds.day as date;
    create domain kinds.days as date[]
"""

CAREFUL_WAYS = """
    select format('alter function %s rename to gone', p.oid::regprocedure)
      from pg_proc as p
     where p.pronamespace = 'auditctl_internal'::regnamespace and p.proname = 'careful_change'
"""

KINDS = {
    "arrays whose bounds begin elsewhere": texts(
        "integer[]", "{1,2}", "[2:3]={1,2}", "[0:1]={1,2}", "[2:2][3:3]={{1}}"
    ),
    "text arrays whose bounds begin elsewhere": texts("text[]", "{a,b}", "[2:3]={a,b}"),
    "a JSON null": texts("jsonb", "null", "1"),
    "an object that looks like a mask": texts("jsonb", '{"$masked": true}', "1"),
    "an object that looks like a hash": texts("jsonb", '{"$bytes": 1, "$sha256": "x"}', "1"),
    "an object that looks like an envelope": texts("jsonb", '{"$json": null}', '{"$json": {"$json": 1}}', '{"$a": 1}'),
    "an array of JSON": texts("jsonb[]", '{NULL,"null"}', '{"[1,2]"}', "{{1,2}}", '{"{\\"a\\": 1}"}', '{"\\"a\\""}'),
    "a domain's negative zero": texts("kinds.real_number", "-0", "0"),
    "a negative zero in a domain's array": texts("kinds.real_numbers", "{-0,1}", "{0,1}"),
    "a null in a domain's array": texts("kinds.words", "{NULL}", "{null,NULL}", '{"NULL"}'),
    "a domain's date": texts("kinds.day", "0031-02-01", "0012-11-10", "2026-02-01"),
    "dates in a domain's array": texts("kinds.days", "{0031-02-01,0012-11-10}", "{2026-02-01}"),
    "a vector": texts("int2vector", "1 2", ""),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_value_is_rebuilt_after_changes_under_each_setting(
    tables: tuple[Connection, Sequence[Kind]], kind: Kind
) -> None:
    conn, _ = tables
    conn.execute(DOMAINS)
    turn_through(conn, [kind])
    assert_rebuilt(conn)


def test_an_update_to_other_bounds_shows_them(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v integer[])")
    audit(db, "public.t")
    conn.execute("insert into t values (1, '[0:1]={1,2}')")
    conn.execute("update t set v = '{1,2}'")
    assert events(conn, "public.t") == [
        ("CREATE", "1", None, '{"v": "[0:1]={1,2}", "id": 1}'),
        ("UPDATE", "1", '{"v": "[0:1]={1,2}"}', '{"v": [1, 2]}'),
    ]


def test_a_json_null_is_told_from_no_value(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v jsonb)")
    audit(db, "public.t")
    conn.execute("insert into t values (1, 'null')")
    conn.execute("update t set v = null")
    assert events(conn, "public.t") == [
        ("CREATE", "1", None, '{"v": {"$json": null}, "id": 1}'),
        ("UPDATE", "1", '{"v": {"$json": null}}', '{"v": null}'),
    ]


def test_a_column_cannot_pass_for_a_masked_one(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key, v jsonb)")
    audit(db, "public.t")
    conn.execute("""insert into t values (1, '{"$masked": true}')""")
    assert events(conn, "public.t") == [("CREATE", "1", None, '{"v": {"$json": {"$masked": true}}, "id": 1}')]


def test_the_declaration_of_an_xml_document_is_recorded(conn: psycopg.Connection, db: str) -> None:
    try:
        conn.execute("create table t (id integer primary key, v xml default '<a/>')")
    except psycopg.errors.FeatureNotSupported:
        return  # a server built without XML
    audit(db, "public.t")
    conn.execute("""insert into t values (1, '<?xml version="1.0" encoding="UTF-8"?><a/>')""")
    conn.execute("update t set v = '<a/>'")
    assert events(conn, "public.t")[1] == (
        "UPDATE",
        "1",
        '{"v": "<?xml version=\\"1.0\\" encoding=\\"UTF-8\\"?><a/>"}',
        '{"v": "<a/>"}',
    )


@pytest.mark.parametrize(
    ("type_name", "value", "image"),
    [
        ("double precision", "0.30000000000000004", "0.30000000000000004"),
        ("timestamptz", "2026-02-01 10:00+02", '"2026-02-01T08:00:00+00:00"'),
        ("interval", "1 day 02:00", '"1 day 02:00:00"'),
        ("bytea", "\\x00ff", '"\\\\x00ff"'),
        ("money", "1234.50", '"$1,234.50"'),
        ("daterange", "[2026-02-01,2026-03-02)", '"[2026-02-01,2026-03-02)"'),
        ("regclass", "pg_class", '"pg_class"'),
    ],
)
def test_a_column_added_later_is_recorded_the_same_under_any_settings(
    conn: psycopg.Connection, db: str, type_name: str, value: str, image: str
) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "public.t")
    conn.execute(f"alter table t add late {type_name}".encode())
    for setting in (
        "TimeZone=Asia/Kathmandu", "DateStyle=German, DMY", "IntervalStyle=sql_standard", "extra_float_digits=-15",
        "bytea_output=escape", "quote_all_identifiers=on",
    ):  # fmt: skip
        conn.execute("select set_config(%s, %s, false)", setting.split("=", 1))
    conn.execute(f"insert into t values (1, '{value}')".encode())
    assert events(conn, "public.t") == [("CREATE", "1", None, f'{{"id": 1, "late": {image}}}')]


def test_a_float_that_changes_in_a_digit_nobody_sees_is_recorded_in_an_altered_table(
    conn: psycopg.Connection, db: str
) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "public.t")
    conn.execute("alter table t add late float8 default 0.3")
    conn.execute("insert into t values (1)")
    conn.execute("set extra_float_digits = -15")
    conn.execute("update t set late = 0.1::float8 + 0.2")
    assert events(conn, "public.t")[1:] == [("UPDATE", "1", '{"late": 0.3}', '{"late": 0.30000000000000004}')]


@pytest.mark.parametrize(
    ("type_name", "before", "after"),
    [("jsonb", "null", None), ("integer[]", "{1,2}", "[0:1]={1,2}"), ("kinds.real_number", "0", "-0")],
)
def test_a_change_of_the_image_is_recorded_in_an_altered_table(
    conn: psycopg.Connection, db: str, type_name: str, before: str, after: str | None
) -> None:
    conn.execute("create schema kinds")
    conn.execute("create domain kinds.real_number as float8")
    conn.execute(f"create table t (id integer primary key, v {type_name})".encode())
    conn.execute("insert into t values (1, %s)", [before])
    audit(db, "public.t")
    conn.execute("alter table t add late integer")
    conn.execute("update t set v = %s", [after])
    assert [event[0] for event in events(conn, "public.t")] == ["UPDATE"]


def test_a_key_that_became_a_date_is_written_the_same_under_any_settings(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "public.t")
    conn.execute("alter table t alter id type date using date '2026-03-01' + id")
    conn.execute("set DateStyle = 'German, DMY'")
    conn.execute("insert into t values ('2026-03-02')")
    assert events(conn, "public.t") == [("CREATE", "2026-03-02", None, '{"id": "2026-03-02"}')]


def test_an_xml_domain_is_recorded_whatever_the_session_takes_for_xml(db: str, conn: psycopg.Connection) -> None:
    if not builds_with(conn, "select '<a/>'::xml"):
        return  # a server built without XML has no such values
    conn.execute("create domain page as xml; create table a (id integer primary key, v page)")
    audit(db, "a")
    conn.execute("insert into a values (1, 'x<b/>')")
    conn.execute("set xmloption = document; delete from a")
    assert capturing.events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, {"id": 1, "v": "x<b/>"}),
        ("public.a", "DELETE", "1", {"id": 1, "v": "x<b/>"}, None),
    ]


def test_domains_over_types_with_a_length_are_whole_on_the_careful_way(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create domain code as char(4); create domain flags as bit(4); create domain page as xml")
    conn.execute("create table a (id integer primary key, c code, f flags, v page)")
    audit(db, "a")
    page = "x<b/>" if builds_with(conn, "select '<a/>'::xml") else None
    conn.execute("insert into a values (1, 'abcd', '1011', %s)", [page])
    conn.execute(GUARD_OFF)
    conn.execute("set xmloption = document; alter table a add column w integer; delete from a")
    image = {"id": 1, "c": "abcd", "f": "1011", "v": page}
    assert capturing.events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, image),
        ("public.a", "DELETE", "1", {**image, "w": None}, None),
    ]


def test_domains_of_information_schema_take_the_fast_way(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key, n information_schema.cardinal_number)")
    conn.execute("alter table a add t information_schema.sql_identifier, add w information_schema.time_stamp")
    audit(db, "a")
    conn.execute(GUARD_OFF)
    for (way,) in conn.execute(CAREFUL_WAYS).fetchall():
        conn.execute(way)
    conn.execute("insert into a values (1, 2, 't', '2026-01-01Z'); update a set n = 3; update a set t = 'u'")
    conn.execute("delete from a")
    image = {"id": 1, "n": 2, "t": "t", "w": "2026-01-01T00:00:00+00:00"}
    assert capturing.events(conn, "public.a") == [
        ("public.a", "CREATE", "1", None, image),
        ("public.a", "UPDATE", "1", {"n": 2}, {"n": 3}),
        ("public.a", "UPDATE", "1", {"t": "t"}, {"t": "u"}),
        ("public.a", "DELETE", "1", {**image, "n": 3, "t": "u"}, None),
    ]

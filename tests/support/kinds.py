"""Every kind of column, with values at the ends of its range, and values that are equal but not the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from hypothesis import strategies as st

Values = st.SearchStrategy[str]

TYPES: tuple[LiteralString, ...] = (
    "create schema kinds",
    "create type kinds.mood as enum ('ok', 'so, so', '\"bad\"')",
    "create domain kinds.amount as numeric(10, 2) check (value > -1000)",
    "create domain kinds.shout as text check (value <> 'quiet')",
    "create domain kinds.pages as integer[] check (cardinality(value) < 9)",
    "create domain kinds.moment as timestamptz",
    "create domain kinds.span as interval",
    "create domain kinds.loose as jsonb",
    "create domain kinds.exact as json",
    'create type kinds."a pair" as (a integer, "b ""c""" text)',
    'create type kinds.nest as (one kinds."a pair", moods kinds.mood[], at timestamptz, x float8, took interval)',
    'create domain kinds.some_pair as kinds."a pair" check ((value).a is distinct from 0)',
    "create type kinds.floats as range (subtype = float8, subtype_diff = float8mi)",
    'create table kinds."odd ""name""" (id integer)',
)
"""What the kinds need of every server."""

OPTIONAL: dict[str, LiteralString] = {
    "xml": "select '<a/>'::xml",
    "citext": "create extension citext schema kinds",
    "hstore": "create extension hstore schema kinds",
    "icu": "create collation kinds.insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "infinite interval": "select 'infinity'::interval",
}
"""What only some servers can, each with a statement that tells."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column.

    Attributes:
        type: Its type, as a table's definition states it.
        fixed: Expressions of that type which no test may leave out.
        more: Others, drawn at random.
        needs: What the server must be able to do, a key of `OPTIONAL`.
        is_key: Whether a primary key may be made of it.
    """

    type: str
    fixed: tuple[str, ...]
    more: Values = field(default_factory=st.nothing, repr=False)
    needs: str | None = None
    is_key: bool = False

    @property
    def values(self) -> Values:
        """All values."""
        return st.sampled_from(self.fixed) | self.more


def quoted(text: str) -> str:
    """A literal that means the same in every encoding and under every setting."""
    return "E'" + "".join(_escaped(character) for character in text) + "'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return "\\" + character if character == "\\" else "''"
    if " " <= character <= "~":
        return character
    return f"\\U{ord(character):08x}"


def texts(
    type_name: str, *values: str, more: Values | None = None, needs: str | None = None, is_key: bool = False
) -> Kind:
    """A kind from its values as the input function reads them."""

    def typed(text: str) -> str:
        return f"{quoted(text)}::{type_name.partition(' collate ')[0]}"

    drawn = st.nothing() if more is None else more.map(typed)
    return Kind(type_name, tuple(map(typed, values)), drawn, needs, is_key)


def expressions(type_name: str, *values: str) -> Kind:
    """A kind from expressions that are cast to it."""
    return Kind(type_name, tuple(f"({value})::{type_name}" for value in values))


def integers(bits: int) -> Values:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str)


def floats(width: int) -> Values:
    return st.floats(width=width).map(repr)  # type: ignore[arg-type]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
BYTES = st.binary(max_size=12).map(lambda value: "\\x" + value.hex())
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
DATES = st.dates().map(str)
MOMENTS = st.datetimes().map(str)
WORDS = ("", " ", "null", "NULL", '"', "\\", "a,b", "{}", "[1]", '{"$masked": true}', "\t\n\r\x01", "é", "😀", "  x  ")
JSONS = (
    '{"a":  1.0, "b": [null, "é😀\\n", -0.0]}',
    "[1.0]",
    "[1.00]",
    '"[1]"',
    '"null"',
    "1e100",
    "{}",
    "[]",
    "true",
    '""',
)
SOURCES = ('{"b": 1, "a":  2, "a": 3}', '"\\u0000"', "1e400000", "null", "[" * 300 + "]" * 300, " 1")

NUMBERS = [
    texts("smallint", "0", "-32768", "32767", more=integers(16), is_key=True),
    texts("integer", "0", "-2147483648", more=integers(32), is_key=True),
    texts("bigint", "9223372036854775807", more=integers(64), is_key=True),
    texts("numeric", "1", "1.0", "1.00", "0.00", "NaN", "Infinity", "-Infinity", "1e5000", "-1e-900", more=DECIMALS),
    texts("numeric(12,3)", "1", "0.1", "NaN", is_key=True),
    texts("real", "0", "-0", "1.1", "16777217", "1e-45", "3.4028235e38", "NaN", "Infinity", more=floats(32)),
    texts("double precision", "0", "-0", "0.3", "0.30000000000000004", "5e-324", "NaN", "-Infinity", more=floats(64)),
    expressions("money", "12.34", "-0.01", "92233720368547758.07"),
    texts("boolean", "true", "false", is_key=True),
    texts("bit(3)", "000", "101"),
    texts("varbit", "", "0", "00", "1010101010"),
    texts("oid", "0", "4294967295", is_key=True),
    texts("xid8", "18446744073709551615"),
    texts("pg_lsn", "0/0", "FFFFFFFF/FFFFFFFF"),
]
STRINGS = [
    texts("text", *WORDS, more=TEXT, is_key=True),
    expressions(
        "text", "repeat('0123456789', 900)", "(select string_agg(n::text, '-') from generate_series(1, 3000) n)"
    ),
    texts("varchar(14)", *WORDS, is_key=True),
    texts("char(5)", "", "ab", "ab   ", "é", is_key=True),
    texts("bpchar", "ab", "ab ", "ab  "),
    texts("name", "x", "n" * 63, "é"),
    texts('"char"', "", "a", '"', "\\"),
    texts('text collate "C"', *WORDS),
    texts("bytea", "", "\\x00", "\\xdeadbeef", "\\x5c27", more=BYTES, is_key=True),
    texts("uuid", "6d0907e6-bdd3-433d-a7d1-b2e5530abc26", "00000000-0000-0000-0000-000000000000", is_key=True),
    texts("text collate kinds.insensitive", "Ann", "ANN", "ann ", needs="icu", is_key=True),
    texts("tsvector", "", "'a b':1A,3 'it''s'", "a:2 b"),
    texts("tsquery", "", "a & !b | 'c d':*A", "a <2> b"),
]
TIMES = [
    texts("date", "0044-03-15 BC", "0031-02-01", "5874897-12-31", "infinity", "-infinity", more=DATES, is_key=True),
    texts("timestamp", "0044-03-15 10:00 BC", "294276-12-31 23:59:59.999999", "infinity", more=MOMENTS, is_key=True),
    texts(
        "timestamptz",
        "4713-01-01 10:00 BC UTC",
        "2026-03-29 01:30:00.000001+00",
        "-infinity",
        "0099-01-01 +12",
        more=MOMENTS.map(lambda text: text + "+05:45"),
        is_key=True,
    ),
    texts("time", "24:00:00", "00:00:00.000001", is_key=True),
    texts("timetz", "10:00+02", "08:00+00", "24:00:00-15:59:59", "10:00:00.5+05:45"),
    expressions(
        "interval",
        "'1 day'",
        "'24 hours'",
        "'30 days'",
        "'1 mon'",
        "'178000000 years'",
        "make_interval()",
        "make_interval(months => -1, days => 1)",
        "make_interval(days => -1, hours => 2, secs => -0.000001)",
    ),
    texts("interval", "infinity", "-infinity", needs="infinite interval"),
    texts("tstzrange", "empty", "(,)", "[2026-02-01 10:00:00+02,infinity)", "[0044-03-15 10:00:00+00 BC,)"),
    texts("daterange", "empty", "[0031-02-01,2026-02-01)", "(,infinity)"),
    texts("tsmultirange", "{}", "{[2026-02-01 10:00,2026-02-01 11:00),[2026-03-01 10:00,)}"),
]
NESTED = [
    texts("jsonb", *JSONS),
    texts("json", *JSONS, *SOURCES),
    texts("jsonpath", '$.a[*] ? (@.b == "x")', "strict $"),
    texts("xml", "", "<a b='c'>é<!-- d --></a>", "x", needs="xml"),
    texts("integer[]", "{}", "{1,NULL}", "{{1,NULL},{3,4}}", "{{{1}}}"),
    texts("text[]", "{}", '{NULL,"NULL","null",""}', '{"a,b","{x}","\\"","\\\\"}', "{{a,b},{c,NULL}}", "{é}"),
    texts("varchar(4)[]", "{abcd}"),
    texts("bpchar[]", '{"a ","a"}'),
    texts("char(3)[]", "{ab}"),
    texts("numeric[]", "{1.0}", "{1.00}", "{NaN,Infinity,1e100}"),
    texts("float8[]", "{0}", "{-0}", "{0.1,-0,NaN}", "{0.30000000000000004}"),
    texts("real[]", "{1.1,NULL}", "{-0}"),
    texts("boolean[]", "{t,f,NULL}"),
    texts("bytea[]", '{"\\\\x00",NULL}'),
    texts("bit(2)[]", "{01,10}"),
    texts("date[]", '{infinity,"0044-03-15 BC"}'),
    texts("timestamptz[]", '{"2026-02-01 10:00+02",-infinity}'),
    texts("interval[]", '{"1 day"}', '{"24:00:00"}'),
    texts("inet[]", "{10.0.0.1/24,::1}"),
    texts("point[]", '{"(0.1,-0)"}'),
    texts("box[]", "{(1,1),(0,0);(2,2),(1,1)}"),
    texts("json[]", '{"{\\"a\\":  1}",NULL}'),
    texts("int4range[]", '{empty,"[1,3)"}'),
    texts("int4range", "empty", "[1,3)", "(,)"),
    texts("int8multirange", "{}", "{[1,3),[5,)}"),
    texts("numrange", "[1.0,2)", "[1.00,2)"),
    texts("nummultirange", "{[1.0,2)}"),
]
PLACES = [
    texts("inet", "203.0.113.7", "203.0.113.7/24", "::1", is_key=True),
    texts("cidr", "10.0.0.0/8", "::/0"),
    texts("macaddr", "08:00:2b:01:02:03"),
    texts("macaddr8", "08:00:2b:01:02:03:04:05"),
    texts("point", "(0.1,0.2)", "(0,0)", "(-0,0)", "(NaN,Infinity)"),
    texts("line", "{1,-1,0.30000000000000004}"),
    texts("lseg", "[(0,0),(1,0.1)]"),
    texts("box", "(1,1),(-0,0)"),
    texts("path", "[(0,0),(1,1)]", "((0,0),(1,1))"),
    texts("polygon", "((0,0),(1,1),(1,0.1))"),
    texts("circle", "<(0,0),0.1>"),
    texts("regclass", "pg_class", 'kinds."odd ""name"""', "-"),
    texts("regtype", "kinds.mood", "integer[]"),
    texts("regnamespace", "kinds"),
    texts("regprocedure", "pg_catalog.abs(bigint)"),
    texts("regrole", "pg_monitor"),
    texts("regoperator", "pg_catalog.+(integer,integer)"),
    texts("regconfig", "english"),
    texts("regcollation", '"C"'),
]
USERS = [
    texts("kinds.mood", "ok", "so, so", '"bad"', is_key=True), texts("kinds.mood[]", '{ok,"so, so",NULL}', "{}"),
    texts("kinds.amount", "1", "1.10", "NaN"), texts("kinds.amount[]", "{1,1.10}"),
    texts("kinds.shout", *WORDS, is_key=True), texts("kinds.pages", "{}", "{1,2}", "{{1},{2}}"),
    texts("kinds.moment", "2026-02-01 10:00+02", "infinity"), texts("kinds.span", "1 day", "24 hours"),
    texts("kinds.loose", *JSONS), texts("kinds.exact", *JSONS, *SOURCES), texts("kinds.exact[]", '{"[1 ]","[1]"}'),
    texts('kinds."a pair"', "(,)", '(1,"")', '(1,"x ""y"" \\\\ z")'),
    texts('kinds."a pair"[]', '{"(1,\\"x y\\")",NULL}'),
    texts("kinds.some_pair", "(,)", "(1,x)"),
    texts("kinds.nest", "(,,,,)", '("(1,\\"x y\\")","{ok,NULL}","2026-02-01 10:00:00+02",-0,"1 day")',
          '("(1,\\"x y\\")",{},"2026-02-01 08:00:00+00",0,"24:00:00")'),
    texts("kinds.floats", "[-0,0.1)", "[0,0.1)", "(,)"), texts("kinds.floats[]", '{"[0.1,0.2)"}'),
    texts("kinds.citext", "Ann", "ANN", "ann ", needs="citext", is_key=True),
    texts("kinds.citext[]", "{Ann}", "{ANN}", needs="citext"),
    texts("kinds.hstore", "", 'a=>"b c", d=>NULL', needs="hstore"),
]  # fmt: skip
KINDS = (*NUMBERS, *STRINGS, *TIMES, *NESTED, *PLACES, *USERS)
"""All kinds."""


def create(conn: psycopg.Connection) -> tuple[Kind, ...]:
    """Create the types; return the kinds that this server has."""
    for statement in TYPES:
        conn.execute(statement)
    able = {need for need, statement in OPTIONAL.items() if _succeeds(conn, statement)}
    return tuple(kind for kind in KINDS if kind.needs is None or kind.needs in able)


def _succeeds(conn: psycopg.Connection, statement: LiteralString) -> bool:
    try:
        conn.execute(statement)
    except psycopg.Error:
        return False
    return True

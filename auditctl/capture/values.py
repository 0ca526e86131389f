"""How a column's value goes into an event, and which session settings could change it.

A trigger function runs with the rights of audit_owner, so nothing in it may run code that a table's owner can write:
no cast and no operator on a type that is not PostgreSQL's own. Such values are recorded by their output function, as
text. `format('%s', x)` calls output functions only, whatever casts exist.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from auditctl.model import Column

FIRST_NORMAL_OID = 16384
"""Object ids below this belong to PostgreSQL itself (FirstNormalObjectId in access/transam.h)."""

_FLOATS = frozenset({700, 701, 1021, 1022})
"""Object ids of real, double precision and their arrays."""

MASKED = sql.SQL("""'{"$masked": true}'::jsonb""")

SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
}
"""The session settings that change how a value is written, with the value under which capture runs."""

_INSENSITIVE = frozenset(
    "bool int2 int4 int8 oid numeric text varchar bpchar name char uuid json jsonb date timestamp time timetz "
    "inet cidr macaddr macaddr8 bit varbit xml tsvector".split()
)
_SENSITIVE = {
    "timestamptz": ("TimeZone",),
    "interval": ("IntervalStyle",),
    "float4": ("extra_float_digits",),
    "float8": ("extra_float_digits",),
    "bytea": ("bytea_output",),
    "money": ("lc_monetary",),
}
_PLAIN_TEXT = frozenset({"smallint", "integer", "bigint", "oid", "uuid", "text", "character varying", "numeric"})
"""Types whose cast to text is their output function."""

_EQUAL_IS_IDENTICAL = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "oid",
        "boolean",
        "uuid",
        "bytea",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)
"""Types whose operator = holds identical images equal, and no others."""

_TEXTS = frozenset({"text", "character varying"})

_DATES_AS_TEXT = frozenset({"date", "timestamp", "timestamptz"})
_SHORT_KEYS = frozenset({"int2", "int4", "int8", "oid", "uuid", "date", "timestamp", "timestamptz", "bool"})


def field(row: str, column: Column) -> sql.Composable:
    """Return `new.column` or `old.column`."""
    return sql.SQL("{}.{}").format(sql.SQL(row), sql.Identifier(column.name))


def is_checked(column: Column) -> bool:
    """Whether the value goes to JSONB as it is, so that the generated code must check that its type is still that."""
    return column.is_plain and column.type_oid < FIRST_NORMAL_OID


def value(row: str, column: Column) -> sql.Composable:
    """Return the expression whose value is recorded."""
    if is_checked(column):
        return _signed_zero_kept(row, column) if column.base_oid in _FLOATS else field(row, column)
    text = text_or_null(row, column, nullable=True)
    if column.is_plain and column.base_type not in ("text", "character varying", "bpchar"):
        return sql.SQL("({})::{}").format(text, sql.SQL(column.base_type))
    return text


def _signed_zero_kept(row: str, column: Column) -> sql.Composable:
    """JSON numbers have no negative zero in JSONB: a value with one is recorded as its text."""
    name = field(row, column)
    return sql.SQL(
        "case when format('%s', {}) ~ '(^|[{{,])-0($|[,}}])' then to_jsonb(format('%s', {})) else to_jsonb({}) end"
    ).format(name, name, name)


def text_or_null(row: str, column: Column, *, nullable: bool) -> sql.Composable:
    """Return the expression for the value's text by its output function, null for null."""
    name = field(row, column)
    if not nullable:
        return sql.SQL("format('%s', {})").format(name)
    return sql.SQL("case when num_nulls({}) = 0 then format('%s', {}) end").format(name, name)


def is_short_key(column: Column) -> bool:
    """Whether the text of any value surely fits an index entry."""
    return column.constituents <= _SHORT_KEYS


def differs(column: Column) -> sql.Composable:
    """Return the condition that the stored image changed, which `=` cannot see for many types."""
    old, new = field("old", column), field("new", column)
    if is_checked(column) and column.base_type in _TEXTS:
        # Byte for byte, whatever collation the column has or gets.
        return sql.SQL('{} collate "C" is distinct from {} collate "C"').format(old, new)
    if is_checked(column) and column.base_type in _EQUAL_IS_IDENTICAL:
        return sql.SQL("{} is distinct from {}").format(old, new)
    return sql.SQL("record_image_ne(row({}), row({}))").format(old, new)


def key_text(row: str, column: Column, *, nullable: bool) -> sql.Composable:
    """Return the expression for a key of one column: its text, null for null."""
    if is_checked(column) and column.base_type in _PLAIN_TEXT:
        return sql.SQL("{}::text").format(field(row, column))
    return text_or_null(row, column, nullable=nullable)


def settings(columns: Iterable[Column], key: Iterable[Column]) -> dict[str, str]:
    """Return the settings that a function capturing these columns must pin, in the order of `SETTINGS`.

    Args:
        columns: The columns whose value is recorded.
        key: The columns that make the event's target_id; their dates are written as text.
    """
    needed: set[str] = set()
    for column in columns:
        needed |= _sensitivity(column.constituents, as_text=not column.is_plain)
    for column in key:
        needed |= _sensitivity(column.constituents, as_text=True)
    return {name: setting for name, setting in SETTINGS.items() if name in needed}


def _sensitivity(types: frozenset[str], *, as_text: bool) -> set[str]:
    needed: set[str] = set()
    for name in types:
        if name in _SENSITIVE:
            needed.update(_SENSITIVE[name])
        elif name not in _INSENSITIVE:
            needed.update(SETTINGS)
        if as_text and name in _DATES_AS_TEXT:
            needed.add("DateStyle")
    return needed

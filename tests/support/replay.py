"""What a table holds, from its events alone: the reference reader, as docs/reference/schema.md describes values.

It shares no code with auditctl and asks the database only for the events and for the columns of the table to fill.
Events are taken in the order of `event_id`. An event names its row by `target_id`, an UPDATE of the key by the
`previous_target_id` of its context; a row without a key is found by its old values, one of several identical ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

Image = dict[str, str]
"""Values by column, each as the text of its JSON, so that no number is rounded and no depth is too deep."""

EVENTS = """
    select action::text,
           target_id,
           coalesce(context ->> 'previous_target_id', target_id),
           context ->> 'partition',
           coalesce((select json_object_agg(key, value::text) from jsonb_each(old_values)), '{}'),
           coalesce((select json_object_agg(key, value::text) from jsonb_each(new_values)), '{}')
      from auditctl.event
     where target = %s and action in ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE')
     order by event_id
"""

COLUMNS = """
    with recursive base as (
        select a.attnum, a.attname, a.atttypid as declared, a.atttypid as oid
          from pg_attribute as a
         where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        union all
        select b.attnum, b.attname, b.declared, t.typbasetype
          from base as b join pg_type as t on t.oid = b.oid where t.typtype = 'd'
    )
    select b.attname::text, format_type(b.declared, -1), format_type(b.oid, -1),
           case when t.typlen = -1 and t.typelem <> 0 then format_type(t.typelem, -1) end
      from base as b join pg_type as t on t.oid = b.oid and t.typtype <> 'd'
     order by b.attnum
"""

READING = {
    "search_path": "pg_catalog",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "xmloption": "content",
    "array_nulls": "on",
    "client_encoding": "UTF8",
}
"""The settings under which recorded text means what it says; they do not change what numbers and bytes mean."""


OWN_FORMS = ('{"$masked": ', '{"$bytes": ', '{"$head": ')
"""How the recorded forms begin that stand for a value and do not hold it."""


class Contradiction(Exception):
    """The log says something of a row that it had not said before: an event is missing or wrong."""


class Lost(Exception):
    """The log holds a value's hash or mask, or a form that stands for several values."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change; `key` is the row's key after it, `previous_key` before it."""

    action: str
    key: str | None
    previous_key: str | None
    partition: str | None
    old: Image
    new: Image


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the events so far describe it."""

    key: str | None
    partition: str | None
    image: Image


@dataclass(frozen=True, slots=True)
class Column:
    """A column to fill: its type, what its type is underneath if that is a domain, and of which elements, if any."""

    name: str
    type: str
    base: str
    element: str | None


@dataclass(slots=True)
class Replay:
    """The rows of one table after some of its events."""

    rows: list[Row] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Carry out one event."""
        if event.action == "CREATE":
            self.rows.append(Row(event.key, event.partition, event.new))
        elif event.action == "UPDATE":
            before = self._remove(event)
            self.rows.append(Row(event.key, before.partition, before.image | event.new))
        elif event.action == "DELETE":
            self._remove(event)
        else:  # TRUNCATE, of the whole table or of one partition
            self.rows = [row for row in self.rows if event.partition not in (None, row.partition)]

    def _remove(self, event: Event) -> Row:
        for position, row in enumerate(self.rows):
            if row.key == event.previous_key and event.old.items() <= row.image.items():
                return self.rows.pop(position)
        raise Contradiction(f"{event} changes a row that no event before it made")


def events(conn: psycopg.Connection, target: str) -> list[Event]:
    """The changes of a table, oldest first."""
    return [Event(*row) for row in conn.execute(EVENTS, [target])]


def replay(changes: Iterable[Event]) -> list[Row]:
    """What the table holds after the changes, beginning with nothing."""
    table = Replay()
    for change in changes:
        table.take(change)
    return table.rows


def rebuild(conn: psycopg.Connection, target: str, into: sql.Identifier) -> None:
    """Fill an empty table, which is defined as the target is, with what the log says the target holds."""
    conn.execute("reset all")
    for name, value in READING.items():
        conn.execute("select set_config(%s, %s, false)", [name, value])
    columns = [Column(*row) for row in conn.execute(COLUMNS, [into.as_string(conn)])]
    for row in replay(events(conn, target)):
        conn.execute(_insert(into, columns, row.image))


def _insert(into: sql.Identifier, columns: list[Column], image: Image) -> sql.Composed:
    if not columns:
        return sql.SQL("insert into {} default values").format(into)
    return sql.SQL("insert into {} ({}) overriding system value values ({})").format(
        into,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(literal(column, image[column.name]) for column in columns),
    )


def literal(column: Column, image: str) -> sql.Composable:
    """Turn a recorded value, given as the text of its JSON, into an expression of the column's type.

    1. A JSON null is SQL's null.
    2. The value of a jsonb column is the JSON itself. What would be read otherwise, a JSON null and an object with a
       key $masked, $sha256 or $json, stands in `{"$json": ...}`.
    3. A string, a number and a boolean are what the type's input function reads, letter by letter.
    4. An array is an array whose bounds begin with 1; any other array is a string, as in 3.
    5. Any other object says that the value is not in the log.
    """
    if image == "null":
        return sql.SQL("null")
    if column.base == "jsonb":
        return _typed(_unwrapped(column, image), column.type)
    value = json.loads(image, parse_int=str, parse_float=str)
    if isinstance(value, dict):
        raise Lost(f"{column.name}: {image:.200}")
    if isinstance(value, list):
        if column.element is None or column.element in ("json", "jsonb"):
            raise Lost(f"{column.name}: {image:.200}")
        return sql.SQL("{}::{}").format(_array(value, column.element), sql.SQL(column.type))
    return _typed(_text(value), column.type)


def _unwrapped(column: Column, image: str) -> str:
    if image.startswith('{"$json": '):
        return image[len('{"$json": ') : -1]
    if image.startswith(OWN_FORMS):
        raise Lost(f"{column.name}: {image:.200}")
    return image


def _array(values: list[Any], element: str) -> sql.Composable:
    if not values:
        return sql.SQL("'{{}}'").format()
    return sql.SQL("array[{}]").format(sql.SQL(", ").join(_element(value, element) for value in values))


def _element(value: Any, element: str) -> sql.Composable:
    if isinstance(value, list):
        return _array(value, element)
    return sql.SQL("null::{}").format(sql.SQL(element)) if value is None else _typed(_text(value), element)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _typed(text: str, type_name: str) -> sql.Composable:
    return sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(type_name))

"""Builds the queries of log, show, history, export and the web page.

A `Selection` defines which events are read, in which order and after which cursor; a projection defines their columns.
All are read from view auditctl.activity, in the order (created_on, event_id), and never by OFFSET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from auditctl.errors import UsageError
from auditctl.log import predicates
from auditctl.log.columns import COLUMNS, Columns
from auditctl.log.predicates import Predicate
from auditctl.text import in_quotes, iso_utc

CREATED_ON: LiteralString = "pg_catalog.to_char(created_on at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
"""ISO 8601 in UTC with microseconds."""

_TEXT: dict[str, LiteralString] = {
    "event_id": "event_id::text",
    "created_on": CREATED_ON,
    "ip_address": "pg_catalog.abbrev(ip_address)",
    "user": "user_name",
    "target": "target",
    "target_id": "target_id",
    "action": "action::text",
    "details": "details",
    "reason": "reason",
    "old_values": "old_values::text",
    "new_values": "new_values::text",
    "db_user": "db_user",
    "actor_kind": "actor_kind::text",
    "xact_id": "xact_id::text",
    "context": "context::text",
}

_JSON: dict[str, LiteralString] = {
    **_TEXT,
    "event_id": "event_id",
    "old_values": "old_values",
    "new_values": "new_values",
    "xact_id": "xact_id::text::numeric",
    "context": "context",
}

# An event's values may have megabytes, of which a list shows how they begin. No character takes more than four bytes.
_HEAD: dict[str, LiteralString] = {
    **_TEXT,
    "details": "case when pg_catalog.octet_length(details) > 4000"
    " then pg_catalog.left(details, 999) || pg_catalog.chr(8230) else details end",
    "reason": "case when pg_catalog.octet_length(reason) > 4000"
    " then pg_catalog.left(reason, 999) || pg_catalog.chr(8230) else reason end",
    "old_values": "pg_catalog.left(old_values::text, 1000)",
    "new_values": "pg_catalog.left(new_values::text, 1000)",
    "context": "pg_catalog.left(context::text, 1000)",
}

# A large event may take a second. One that is not read takes none.
_IN_TIME: LiteralString = """(
    coalesce(
        greatest(pg_catalog.pg_column_size(old_values), pg_catalog.pg_column_size(new_values),
                 pg_catalog.pg_column_size(context)), 0
    ) <= 1500
    or pg_catalog.clock_timestamp() < pg_catalog.transaction_timestamp() + {time}
)"""

# The sentence is called here in place of the view's own. Above the offset it is evaluated once.
_BRIEF: dict[str, LiteralString] = {
    "details": """case when {in_time} then (
        select case
            when pg_catalog.octet_length(text.details) > 4000
            then pg_catalog.left(text.details, 999) || pg_catalog.chr(8230) else text.details
        end
        from (
            select sentence.details from auditctl.sentence(action, old_values, new_values, context) as sentence offset 0
        ) as text
    ) end""",
    "old_values": "case when {in_time} then pg_catalog.left(old_values::text, 1000) else pg_catalog.chr(8230) end",
    "new_values": "case when {in_time} then pg_catalog.left(new_values::text, 1000) else pg_catalog.chr(8230) end",
    "context": "case when {in_time} then pg_catalog.left(context::text, 1000) else pg_catalog.chr(8230) end",
}

# The code points of: tab, line feed, carriage return, + - = @, and their full-width twins.
_STARTS_FORMULA: LiteralString = "9, 10, 13, 43, 45, 61, 64, 65291, 65293, 65309, 65312"

FORMULA_STARTS = tuple(chr(int(code)) for code in _STARTS_FORMULA.split(","))
"""The characters with which a formula begins, after spaces, as spreadsheets read it."""

_CURSOR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)/([1-9][0-9]{0,18})", re.ASCII)
LARGEST_EVENT_ID = 2**63 - 1


class Order(StrEnum):
    """The order of events by time, and by identity within a microsecond."""

    ASC = "asc"
    DESC = "desc"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of an event in the log's order (created_on, event_id), as a text that people can copy.

    It stays valid for ever: events are neither changed nor renumbered.

    Attributes:
        created_on: When the event was captured; aware, in UTC, in microseconds.
        event_id: Its identity, 1 to 2^63 - 1.
    """

    created_on: datetime
    event_id: int

    def __str__(self) -> str:
        return f"{iso_utc(self.created_on, microseconds=True)}/{self.event_id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Parse what `str(cursor)` returns, and nothing else.

        Raises:
            UsageError: It is not a cursor.
        """
        try:
            if (match := _CURSOR.fullmatch(text)) and (event_id := int(match[2])) <= LARGEST_EVENT_ID:
                return cls(datetime.fromisoformat(match[1]), event_id)
        except ValueError:
            pass
        raise UsageError(
            f"{in_quotes(text)} is not a cursor",
            hint="Copy it from the last message of `auditctl log`: 2026-11-23T20:38:19.123456Z/42",
        )


ACTIVITY = SQL("auditctl.activity")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events to read, and in which order.

    Attributes:
        predicates: The conditions, all of which an event satisfies; empty for every event.
        order: Oldest or newest first.
        after: The event after which to continue, in that order; None to start at the beginning.
        limit: The maximum number of events; None for all.
        source: A relation with the columns of the view, under a name; None for the view.
    """

    predicates: tuple[Predicate, ...] = ()
    order: Order = Order.DESC
    after: Cursor | None = None
    limit: int | None = None
    source: Composable | None = None

    def query(self, projection: Composable) -> Composed:
        """Return the select statement that reads a projection of the events, in their order."""
        direction = SQL("asc") if self.order is Order.ASC else SQL("desc")
        limit = SQL("limit {}").format(Literal(self.limit)) if self.limit is not None else SQL("")
        # The inner order keeps the planner from merging the levels, which would compute details once for each
        # mention. The outer one costs nothing, as the rows already come in it.
        return SQL(
            "select {projection} from ("
            "select * from {source} where {condition} order by created_on {direction}, event_id {direction} {limit}"
            ") as event order by event.created_on {direction}, event.event_id {direction}"
        ).format(
            projection=projection,
            source=self.source or ACTIVITY,
            condition=self._condition(),
            direction=direction,
            limit=limit,
        )

    def unordered_query(self, projection: Composable) -> Composed:
        """Return the select statement that reads a projection of the events, without their order and limit."""
        return SQL("select {projection} from {source} where {condition}").format(
            projection=projection, source=self.source or ACTIVITY, condition=self._condition()
        )

    def after_cursor(self) -> list[Predicate]:
        """Return the conditions that select the events after the cursor."""
        if self.after is None:
            return []
        comparison = SQL(">") if self.order is Order.ASC else SQL("<")
        moment, event_id = Literal(self.after.created_on), Literal(self.after.event_id)
        # The first is implied by the second. Partitions are pruned by it, and not by a comparison of rows.
        return [
            Predicate(SQL("created_on {}= {}").format(comparison, moment), is_time=True),
            Predicate(SQL("(created_on, event_id) {} ({}, {}::bigint)").format(comparison, moment, event_id)),
        ]

    def _condition(self) -> Composable:
        return predicates.conjunction([*self.predicates, *self.after_cursor()])


def cells(*, safe: bool, names: Columns = COLUMNS) -> Composable:
    """Return the projection on columns as text, under their names.

    Args:
        safe: Whether an apostrophe is put before text that a spreadsheet would take for a formula.
        names: Which columns, in that order.
    """
    return _named({name: _safe(name) if safe else SQL(_TEXT[name]) for name in names})


def heads(names: Columns) -> Composable:
    """Return the projection on columns as text for a list, in which long ones are cut; in the order of the names."""
    return _named({name: SQL(_HEAD[name]) for name in names})


def brief(names: Columns, time: timedelta) -> Composable:
    """Return the projection of `heads`, in which large events have no values once a time has passed.

    Then their details are null, and an ellipsis stands for other values.

    Args:
        names: Which columns, in that order.
        time: How long after the start of the transaction they still have values.
    """
    in_time = SQL(_IN_TIME).format(time=Literal(time))
    texts = {name: SQL(_BRIEF[name]).format(in_time=in_time) if name in _BRIEF else SQL(_HEAD[name]) for name in names}
    return _named(texts)


def documents(names: Columns = COLUMNS) -> Composable:
    """Return the projection on one JSON object with columns as keys, in that order, as text on one line.

    It is built on the server, where numbers keep the digits they were stored with.
    """
    return SQL("(select pg_catalog.row_to_json(document)::text from (select {}) as document) as document").format(
        _named({name: SQL(_JSON[name]) for name in names})
    )


def with_cursor(projection: Composable) -> Composable:
    """Return a projection after two columns that make a cursor: created_on as text, and event_id."""
    return SQL("{} as cursor_time, event_id as cursor_id, {}").format(SQL(CREATED_ON), projection)


def with_number(projection: Composable) -> Composable:
    """Return a projection after a column with the number of the event."""
    return SQL("event_id as event_number, {}").format(projection)


def _named(expressions: Mapping[str, Composable]) -> Composable:
    return SQL(", ").join(
        SQL("{} as {}").format(expression, Identifier(name)) for name, expression in expressions.items()
    )


def _safe(name: str) -> Composable:
    plain = SQL(_TEXT[name])
    if name in ("user", "target", "target_id", "details", "reason", "db_user"):
        # Text may end in half a character, on which PostgreSQL raises; three bytes after it complete any character.
        return SQL(
            "case when pg_catalog.ascii(pg_catalog.ltrim({0} || '   ', ' ')) in ({1}) then '''' || {0} else {0} end"
        ).format(plain, SQL(_STARTS_FORMULA))
    if name in ("old_values", "new_values", "context"):
        # JSON text starts with a brace, bracket, quote, letter or digit; or it is a negative number.
        return SQL(
            "case when pg_catalog.jsonb_typeof({0}) = 'number' and {1} ^@ '-' then '''' || {1} else {1} end"
        ).format(Identifier(name), plain)
    return plain

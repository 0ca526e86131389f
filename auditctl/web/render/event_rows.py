"""Prepares events for pages: as a row of the list, and as one event with all details."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.clock import Clock
from auditctl.display import format_user
from auditctl.log import event_texts, selection
from auditctl.log.columns import COLUMNS, Columns
from auditctl.log.event_texts import Project
from auditctl.log.filter_values import exact_user
from auditctl.log.selection import Cursor

ROW_COLUMNS = (
    "event_id", "created_on", "ip_address", "user", "target", "target_id", "action", "details", "reason", "actor_kind",
    "db_user",
)  # fmt: skip
DETAILS_COLUMNS = (*ROW_COLUMNS, "xact_id")

DETAILS_TIME = timedelta(seconds=5)
"""How long a page reads the values of large events, to say what happened to each; later ones have a link instead."""

MAX_SHOWN = 100_000
"""How many characters of its old values a page shows of an event, of its new values, and of its context."""

MAX_FIELDS = 2000
"""How many values a page shows of the old, of the new, and of the context: more than a table has columns."""

MAX_SPECIAL = 4000
"""A masked, erased or large value is shorter than this, as JSON."""

_OTHERS = frozenset(COLUMNS) - {*ROW_COLUMNS}

WHOLE = "(all)"
"""Stands for all columns where the values of an event were erased as a whole."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in the list.

    Attributes:
        event_id, created_on, ip_address, user, target, target_id, action, details, reason, actor_kind, db_user: As in
            an export: text, None for null. The details are None where the page has no time left for a large event.
        target_name: The registered name of the target.
        xact_id: The transaction; empty in a list.
        xact_filter: The value of the filter `xact` for exactly this transaction; empty in a list.
        others: Further columns that a list shows: their names, and how their texts begin; None for null.
    """

    event_id: str
    created_on: str
    ip_address: str | None
    user: str
    target: str
    target_id: str | None
    action: str
    details: str | None
    reason: str | None
    actor_kind: str
    db_user: str
    target_name: str
    xact_id: str = ""
    xact_filter: str = ""
    others: tuple[tuple[str, str | None], ...] = ()

    def text(self, name: str) -> str:
        """Return the text of a column that rows are named by or that was chosen; empty for null."""
        value: str | None = dict(self.others).get(name) if name in _OTHERS else getattr(self, name)
        return value or ""

    def is_empty(self, name: str) -> bool:
        """Return whether a column has nothing to show: null, but for details, which a large event does without."""
        return self.details == "" if name == "details" else name != "target_id" or self.target_id is None

    @property
    def at(self) -> datetime:
        """The time, in UTC."""
        return self.cursor.created_on

    def day(self, zone: Clock) -> dict[str, tuple[str, ...]]:
        """Return the values of the filters since and until for its day by a clock."""
        day = zone.local(self.at).date()
        return {"since": (day.isoformat(),), "until": ((day + timedelta(days=1)).isoformat(),)}

    @property
    def cursor(self) -> Cursor:
        """The cursor at this event."""
        return Cursor.parse(f"{self.created_on}/{self.event_id}")

    @property
    def who(self) -> str:
        """The user, marked so that an application's user cannot look like the system or a database login."""
        return format_user(self.user, self.actor_kind)

    @property
    def user_filter(self) -> str:
        """The value of the filter `user` for exactly this actor."""
        return exact_user(self.user, self.actor_kind)


def further(columns: Columns | None) -> Columns:
    """Return those of the chosen columns that not every row of a list has; none where no column was chosen."""
    return tuple(name for name in columns or () if name not in ROW_COLUMNS)


def row_columns(columns: Columns | None = None) -> Composable:
    """Return the projection for `row`, with the chosen columns; None for the usual ones."""
    return SQL("{}, target_name").format(selection.brief((*ROW_COLUMNS, *further(columns)), DETAILS_TIME))


def row_texts(columns: Columns | None = None) -> Project:
    """Return what makes the same cells of an event that is texts already, such as one from an archive."""
    shown = event_texts.heads((*ROW_COLUMNS, *further(columns)))
    return lambda texts: (*shown(texts), texts["target_name"])


def row(cells: Sequence[Any], columns: Columns | None = None) -> EventRow:
    """Return a row from the cells of `row_columns` with the same columns."""
    *values, target_name = cells
    more = further(columns)
    own = dict(zip(ROW_COLUMNS, values[: len(ROW_COLUMNS)], strict=True))
    return EventRow(**own, target_name=target_name, others=tuple(zip(more, values[len(ROW_COLUMNS) :], strict=True)))


@dataclass(frozen=True, slots=True)
class RecordedValue:
    """A recorded value.

    Attributes:
        kind: `string`, `number`, `boolean`, `null`, `json` (an object or array, one field in a line), `masked`,
            `erased` or `oversize`.
        text: The value, or how it begins; a description of a masked, erased or oversize one.
        size: The whole value in bytes, if the text is only how it begins; else None.
    """

    kind: str
    text: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedField:
    """A column of the changed row, or a key of the context.

    Attributes:
        name: Its name.
        old, new: Its values before and after; None if there is none.
        changes: What changed in it, as `auditctl.column_changes` says it of a long value; empty for others.
    """

    name: str
    old: RecordedValue | None
    new: RecordedValue | None
    changes: tuple[str, ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether it has one value, a null."""
        values = [value for value in (self.old, self.new) if value]
        return len(values) == 1 and values[0].kind == "null"

    @property
    def is_same(self) -> bool:
        """Whether an update left it as it was: both values are the same, or only the old row has it."""
        if self.new is None:
            return True
        return self.old == self.new and self.new.size is None and self.new.kind not in ("masked", "erased")


@dataclass(frozen=True, slots=True)
class EventDetails:
    """An event with all that was recorded.

    Attributes:
        row: The row of the list.
        fields: The recorded columns, in the order of the table as it is now, then those that it does not have, by name.
        context: The recorded context, by key.
    """

    row: EventRow
    fields: tuple[RecordedField, ...]
    context: tuple[RecordedField, ...]

    @property
    def main(self) -> list[RecordedField]:
        """What a page shows first: of an update what changed, of others what is not null."""
        return [field for field in self.fields if not self._is_minor(field)]

    @property
    def rest(self) -> list[RecordedField]:
        """The other recorded columns."""
        return [field for field in self.fields if self._is_minor(field)]

    @property
    def has_old(self) -> bool:
        """Whether something is known from before."""
        return self.row.action == "UPDATE" or any(field.old for field in self.fields)

    @property
    def has_new(self) -> bool:
        """Whether something is known from after."""
        return self.row.action == "UPDATE" or any(field.new for field in self.fields)

    def _is_minor(self, field: RecordedField) -> bool:
        if self.row.action == "UPDATE":
            return field.name != WHOLE and field.is_same
        return field.is_null

    @property
    def is_cut(self) -> bool:
        """Whether there may be more values than are shown."""
        return max(len(self.fields), len(self.context)) >= MAX_FIELDS


def details_columns() -> Composable:
    """Return the projection for `details`."""
    return SQL("{}, {}, {}, {}, ({}), ({}), target_name, exists ({})").format(
        selection.cells(safe=False, names=DETAILS_COLUMNS),
        *(_pairs(name) for name in ("old_values", "new_values", "context")),
        *(SQL(resources.sql_text(f"queries/{name}.sql")) for name in ("long_changes", "column_position", "adoption")),
    )


def _pairs(name: str) -> Composable:
    # The server formats the values, so that numbers keep their digits, and cuts them: each has an equal share of the
    # page. Indentation multiplies a deep document.
    return SQL(
        "(select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(pair.key, pg_catalog.jsonb_typeof(pair.value), case"
        " when pg_catalog.octet_length(pair.text) > 4 * pair.most then pg_catalog.left(pair.text, pair.most)"
        " when pg_catalog.jsonb_typeof(pair.value) in ('object', 'array')"
        " and not pg_catalog.jsonb_path_exists(pair.value, '$.**{{20}}') then pg_catalog.jsonb_pretty(pair.value)"
        " else pair.text end,"
        " case when pg_catalog.octet_length(pair.text) > 4 * pair.most then pg_catalog.octet_length(pair.text) end)"
        " order by pair.key collate \"C\")::text from (select key, value, value #>> '{{}}' as text,"
        " greatest({1} / pg_catalog.count(*) over (), 100)::integer as most from pg_catalog.jsonb_each("
        "case pg_catalog.jsonb_typeof({0}) when 'object' then {0} else pg_catalog.jsonb_build_object('', {0}) end"
        ") limit {2}) as pair where {0} is not null)"
    ).format(SQL(name), Literal(MAX_SHOWN), Literal(MAX_FIELDS))


def details(cells: Sequence[Any]) -> EventDetails:
    """Return an event from the cells of `details_columns`."""
    *values, old, new, context, changes, positions, target_name, is_adopted = cells
    before, after = _values(old), _values(new)
    changes_of: dict[str, list[str]] = json.loads(changes or "{}")
    place: dict[str, int] = json.loads(positions or "{}")
    names = sorted({*before, *after}, key=lambda name: (place.get(name, len(place) + MAX_FIELDS), name))
    named = dict(zip(DETAILS_COLUMNS, values, strict=True))
    transaction = f"{named['xact_id']}@{named['event_id']}" if is_adopted else named["xact_id"]
    return EventDetails(
        EventRow(**named, target_name=target_name, xact_filter=transaction),
        tuple(
            RecordedField(name, before.get(name), after.get(name), tuple(changes_of.get(name, ()))) for name in names
        ),
        tuple(RecordedField(name, None, value) for name, value in _values(context).items()),
    )


def _values(text: str | None) -> dict[str, RecordedValue]:
    pairs = json.loads(text) if text else []
    if pairs == [["$erased", "boolean", "true", None]]:
        return {WHOLE: RecordedValue("erased", "erased")}
    return dict(_value(*one) for one in pairs)


def _value(name: str, kind: str, text: str | None, size: int | None) -> tuple[str, RecordedValue]:
    if kind == "object" and text is not None and size is None and len(text) < MAX_SPECIAL:
        for special in _special(json.loads(text)):
            return name, special
    shown = "json" if kind in ("object", "array") else kind
    return name, RecordedValue(shown, "null" if text is None else text, size)


def _special(value: dict[str, Any]) -> Iterator[RecordedValue]:
    """Yield the masked, erased or oversize value that an object stands for (docs/reference/schema.md), else nothing."""
    if value == {"$masked": True}:
        yield RecordedValue("masked", "masked")
    elif value == {"$erased": True}:
        yield RecordedValue("erased", "erased")
    elif {"$sha256", "$bytes"} <= value.keys() <= {"$sha256", "$bytes", "$head"}:
        head = f"{value['$head']}\N{HORIZONTAL ELLIPSIS} " if value.get("$head") else ""
        yield RecordedValue(
            "oversize", f"{head}({value['$bytes']:,} bytes, too large to keep; SHA-256 {value['$sha256']})"
        )

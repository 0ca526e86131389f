"""Events as a page shows them: the columns of the list, and one event whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Composable

from auditctl.display import shown_user
from auditctl.log import selection
from auditctl.log.selection import Cursor
from auditctl.names import SYSTEM_USER

LISTED = (
    "event_id", "created_on", "ip_address", "user", "target", "target_id", "action", "details", "actor_kind", "db_user",
)  # fmt: skip
WHOLE = (*LISTED, "xact_id")


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the list.

    Attributes:
        event_id, created_on, ip_address, user, target, target_id, action, details, actor_kind, db_user: As in an
            export; texts, None for null.
        target_name: The name under which the target is registered.
        xact_id: The transaction; empty in a list.
    """

    event_id: str
    created_on: str
    ip_address: str | None
    user: str
    target: str
    target_id: str | None
    action: str
    details: str | None
    actor_kind: str
    db_user: str
    target_name: str
    xact_id: str = ""

    @property
    def moment(self) -> str:
        """When, in UTC, to the second."""
        return self.created_on[:19].replace("T", " ")

    @property
    def cursor(self) -> Cursor:
        """Its place in the log."""
        return Cursor.parse(f"{self.created_on}/{self.event_id}")

    @property
    def who(self) -> str:
        """The user, so that no name an application gives can pass for the system or a login of the database."""
        return shown_user(self.user, self.actor_kind)

    @property
    def user_filter(self) -> str:
        """What the filter `user` takes for exactly this actor."""
        return SYSTEM_USER if self.actor_kind == "system" else f"actor:{self.user}"


def listed() -> Composable:
    """Return the projection that `row` takes."""
    return SQL("{}, target_name").format(selection.cells(safe=False, names=LISTED))


def row(cells: Sequence[Any]) -> Row:
    """Make a row of the cells that the projection gave."""
    *named, target_name = cells
    return Row(**dict(zip(LISTED, named, strict=True)), target_name=target_name)


@dataclass(frozen=True, slots=True)
class Value:
    """A recorded value.

    Attributes:
        kind: `string`, `number`, `boolean`, `null`, `json` (an object or array, one field a line), `masked`, or
            `oversize`.
        text: The value itself, in full; what is said of it where it was not kept.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the row that was changed, or a key of the context.

    Attributes:
        name: Its name.
        old, new: Its values; None where there is none on that side.
    """

    name: str
    old: Value | None
    new: Value | None


@dataclass(frozen=True, slots=True)
class Whole:
    """An event with everything that was recorded.

    Attributes:
        row: What the list shows.
        fields: The recorded columns, by name.
        context: The recorded context, by key.
    """

    row: Row
    fields: tuple[Field, ...]
    context: tuple[Field, ...]


def whole() -> Composable:
    """Return the projection that `event` takes."""
    return SQL("{}, {}, {}, {}, target_name").format(
        selection.cells(safe=False, names=WHOLE), *(_each(name) for name in ("old_values", "new_values", "context"))
    )


def _each(name: str) -> Composable:
    # The server writes the values out, so that numbers keep the digits they were stored with.
    return SQL(
        "(select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(pair.key, pg_catalog.jsonb_typeof(pair.value), "
        "case pg_catalog.jsonb_typeof(pair.value) when 'object' then pg_catalog.jsonb_pretty(pair.value) "
        "when 'array' then pg_catalog.jsonb_pretty(pair.value) else pair.value #>> '{{}}' end) "
        'order by pair.key collate "C")::text from pg_catalog.jsonb_each('
        "case pg_catalog.jsonb_typeof({0}) when 'object' then {0} else pg_catalog.jsonb_build_object('', {0}) end"
        ") as pair where {0} is not null)"
    ).format(SQL(name))


def event(cells: Sequence[Any]) -> Whole:
    """Make an event of the cells that the projection gave."""
    *named, old, new, context, target_name = cells
    before, after = _values(old), _values(new)
    return Whole(
        Row(**dict(zip(WHOLE, named, strict=True)), target_name=target_name),
        tuple(Field(name, before.get(name), after.get(name)) for name in sorted({*before, *after})),
        tuple(Field(name, None, value) for name, value in _values(context).items()),
    )


def _values(text: str | None) -> dict[str, Value]:
    return dict(_value(*one) for one in json.loads(text)) if text else {}


def _value(name: str, kind: str, text: str | None) -> tuple[str, Value]:
    if kind == "object" and text is not None:
        for special in _special(json.loads(text)):
            return name, special
    if kind in ("object", "array"):
        return name, Value("json", text or "")
    return name, Value(kind, "null" if text is None else text)


def _special(value: dict[str, Any]) -> Iterator[Value]:
    """Yield what a value stands for that is none itself (docs/schema.md)."""
    if value == {"$masked": True}:
        yield Value("masked", "masked")
    elif value.keys() == {"$sha256", "$bytes"}:
        yield Value("oversize", f"{value['$bytes']:,} bytes, too large to keep; SHA-256 {value['$sha256']}")

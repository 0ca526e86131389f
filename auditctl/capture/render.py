"""Renders a capture function and its trigger as SQL; the only module that knows Jinja2.

A template may only output SQL that was composed by type: a bare string in it is an error. The same input gives the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg import sql

from auditctl import resources
from auditctl.capture import values
from auditctl.capture.actions import CapturedAction
from auditctl.capture.identifiers import function_name
from auditctl.errors import ConfigurationError
from auditctl.model import Column, Function, Relation, Rule
from auditctl.names import ROLE_OWNER, TRIGGER_SCHEMA

SEARCH_PATH = ("pg_catalog", "pg_temp")
_ARGUMENT_PAIRS = 50
"""PostgreSQL's functions take at most 100 arguments: 50 columns for jsonb_build_object."""

_NUMBERS_LOOKED_AT = 3
"""How many column numbers after the last are looked at for an added column."""

_DOLLAR_TAG = "$auditctl$"


@dataclass(frozen=True, slots=True)
class Capture:
    """Everything a template needs to capture one action on one relation.

    Attributes:
        captured: The action.
        relation: Where the trigger sits, with its columns.
        rule: What is recorded of it.
        target: The registered name that events carry.
        key: The columns of the key, in order; empty without one.
        root: Schema and name of the table that the target names; `relation` itself, or what it is a child of.
        has_members: Whether rows may come through a partition or child, whose name is then recorded too.
    """

    captured: CapturedAction
    relation: Relation
    rule: Rule
    target: str
    key: tuple[str, ...]
    root: tuple[str, str]
    has_members: bool

    @property
    def function_name(self) -> str:
        """The function's name in the schema of generated functions."""
        return function_name(self.relation.schema, self.relation.table, self.captured.option)


def function(capture: Capture) -> Function:
    """Render the function as the catalog would show it."""
    recorded = _recorded(capture)
    needs_values = capture.captured.per_row
    pins = values.settings(_stored(capture), _key_columns(capture)) if needs_values else {}
    source = _environment().get_template(capture.captured.template).render(capture=recorded).strip("\n")
    if _DOLLAR_TAG in source:
        raise ConfigurationError(
            [f"{capture.target}: a name contains {_DOLLAR_TAG}, which ends the function's body"],
            hint="Rename it.",
        )
    return Function(
        name=capture.function_name,
        source=f"\n{source}\n",
        settings={"search_path": ", ".join(SEARCH_PATH)} | pins,
        is_sound=True,
        owner=ROLE_OWNER,
        grantees=(),
        comment=comment(capture.captured, capture.target),
    )


def comment(captured: CapturedAction, target: str) -> str:
    """Return the comment by which a function says what it captures."""
    return f"auditctl: {captured.option} of {target}"


def commented_target(text: str) -> str | None:
    """Return the target out of a function's comment, or None where it is not ours."""
    head, _, target = text.partition(" of ")
    return target if head.startswith("auditctl: ") and target else None


def create_function(rendered: Function) -> str:
    """Return the statement that creates or replaces the function."""
    settings = [{"name": sql.Identifier("search_path"), "value": sql.SQL(", ").join(map(sql.SQL, SEARCH_PATH))}]
    for name, setting in rendered.settings.items():
        if name != "search_path":
            settings.append({"name": sql.Identifier(name), "value": sql.Literal(setting)})
    context = {
        "identifier": sql.Identifier(TRIGGER_SCHEMA, rendered.name),
        "settings": settings,
        "body": sql.SQL(rendered.source.strip("\n").replace("{", "{{").replace("}", "}}")).format(),
    }
    return _environment().get_template("function.sql.j2").render(function=context).strip("\n")


def _recorded(capture: Capture) -> dict[str, Any]:
    """Return what the templates call `capture`: SQL by type, flags and lists."""
    relation, rule = capture.relation, capture.rule
    key = _key_columns(capture)
    return {
        "target": sql.Literal(capture.target),
        "schema": sql.Literal(capture.root[0]),
        "table": sql.Literal(capture.root[1]),
        "exclude": _text_array(rule.exclude),
        "mask": _text_array(rule.mask),
        "known": _text_array([column.name for column in relation.columns]),
        "key": _text_array(capture.key),
        "has_key": bool(key),
        "has_members": capture.has_members,
        "require_actor": rule.require_actor,
        "columns": [_column(column, rule) for column in _captured(capture)],
        "new_row": _row("new", capture),
        "old_row": _row("old", capture),
        "new_key": _key("new", key, relation),
        "old_key": _key("old", key, relation),
        "key_differs": _key_differs(key),
        "shape_changed": _shape_changed(capture),
    }


def _captured(capture: Capture) -> list[Column]:
    return [column for column in capture.relation.columns if column.name not in capture.rule.exclude]


def _stored(capture: Capture) -> list[Column]:
    return [column for column in _captured(capture) if column.name not in capture.rule.mask]


def _key_columns(capture: Capture) -> list[Column]:
    by_name = {column.name: column for column in capture.relation.columns}
    return [by_name[name] for name in capture.key if name in by_name]


def _value(row: str, column: Column, rule: Rule) -> sql.Composable:
    return values.MASKED if column.name in rule.mask else values.value(row, column)


def _column(column: Column, rule: Rule) -> dict[str, sql.Composable]:
    return {
        "label": sql.Literal(column.name),
        "differs": values.differs(column),
        "old_value": _value("old", column, rule),
        "new_value": _value("new", column, rule),
    }


def _row(row: str, capture: Capture) -> sql.Composable:
    pairs = [
        sql.SQL("{}, {}").format(sql.Literal(column.name), _value(row, column, capture.rule))
        for column in _captured(capture)
    ]
    if not pairs:
        return sql.SQL("'{{}}'::jsonb").format()
    parts = [pairs[start : start + _ARGUMENT_PAIRS] for start in range(0, len(pairs), _ARGUMENT_PAIRS)]
    return sql.SQL("\n            || ").join(
        sql.SQL("jsonb_build_object(\n                {}\n            )").format(
            sql.SQL(",\n                ").join(part)
        )
        for part in parts
    )


def _key(row: str, key: Sequence[Column], relation: Relation) -> sql.Composable:
    if not key:
        return sql.SQL("null")
    if len(key) == 1:
        text = values.key_text(row, key[0], nullable=key[0].name not in relation.primary_key)
    else:
        parts = sql.SQL(", ").join(values.value(row, column) for column in key)
        text = sql.SQL("jsonb_build_array({})::text").format(parts)
    if all(values.is_short_key(column) for column in key):
        return text
    return sql.SQL("audit.fit_key({})").format(text)


def _key_differs(key: Sequence[Column]) -> sql.Composable:
    return sql.SQL(" or ").join(values.differs(column) for column in key)


def _shape_changed(capture: Capture) -> sql.Composable:
    relation = capture.relation
    table = "pg_partition_root(tg_relid)" if relation.kind == "p" else "tg_relid"
    # A column that was added and dropped again leaves its number unused: some more are looked at.
    added = [
        sql.SQL("has_column_privilege({}, {}::smallint, 'select') is not null").format(
            sql.SQL(table), sql.Literal(relation.last_column + distance)
        )
        for distance in range(1, _NUMBERS_LOOKED_AT + 1)
    ]
    row = "old" if capture.captured.option == "delete" else "new"
    stored = {column.name: column for column in [*_stored(capture), *_key_columns(capture)]}
    retyped = [
        sql.SQL("pg_typeof({}) <> {}::oid").format(values.field(row, column), sql.Literal(str(column.type_oid)))
        for column in stored.values()
        if values.is_checked(column)
    ]
    return sql.SQL("\n            or ").join([*added, *retyped])


def _text_array(names: Sequence[str]) -> sql.Composable:
    return sql.SQL("{}::text[]").format(sql.Literal(list(names)))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(resources.folder("sql") / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        finalize=_composed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - SQL, not HTML; `_composed` lets nothing unquoted through
    )


def _composed(output: object) -> str:
    if not isinstance(output, sql.Composable):
        raise TypeError(f"a template may only output composed SQL, not {type(output).__name__}")
    return output.as_string(None)

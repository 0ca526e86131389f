"""Renders the templates of capture functions; the only module that knows Jinja2.

A template names what the database puts in for a table: `{{ new_key }}` becomes a place between two pieces of text,
which `auditctl_internal.capture_function` fills by the table's columns. Nothing else may be output.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg import sql

from auditctl import resources
from auditctl.actions import ACTIONS, Action

PLACES = (
    "conditions",
    "differences",
    "exclude",
    "key",
    "known",
    "mask",
    "new_key",
    "old_key",
    "record_new_row",
    "record_old_row",
    "shape_changed",
    "target",
    "update_key",
)
"""What templates may name: the keys of `auditctl_internal.function_parts` (sql/functions/30_capture/body.sql)."""

_MARK = "\0"
"""Stands around a place while Jinja renders; no SQL can contain it."""


def templates() -> dict[Action, tuple[str, ...]]:
    """Return each action's template, as `auditctl.template` stores it: in turn text and the name of a place."""
    places = {name: f"{_MARK}{name}{_MARK}" for name in PLACES}
    rendered = {c.action: _environment().get_template(c.template).render(places) for c in ACTIONS}
    return {action: tuple(text.strip("\n").split(_MARK)) for action, text in rendered.items()}


def write_templates() -> str:
    """Return the statement that stores the templates, which `install` runs as auditctl_owner."""
    rows = sql.SQL(",\n").join(
        sql.SQL("({}, {}::text[])").format(sql.Literal(action.value), sql.Literal(list(parts)))
        for action, parts in templates().items()
    )
    return (
        sql.SQL(
            "insert into auditctl.template as stored (action, parts)\nvalues\n{}\n"
            "on conflict (action) do update set parts = excluded.parts where stored.parts <> excluded.parts;"
        )
        .format(rows)
        .as_string(None)
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(resources.folder("sql") / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        finalize=_place,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - SQL, not HTML; `_place` lets nothing but places through
    )


def _place(output: object) -> str:
    if not isinstance(output, str) or output.strip(_MARK) not in PLACES or not output.startswith(_MARK):
        raise TypeError(f"a template may only output the places it names, not {output!r}")
    return output

"""Renders the templates of capture functions: text with placeholders that the database replaces for each table.

`auditctl_internal.capture_function` replaces a placeholder such as `{{ new_key }}` by SQL for the table's columns.
A template may output nothing else.
"""

from __future__ import annotations

import hashlib
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg import sql

from auditctl import resources
from auditctl.actions import ACTIONS, Action

PLACEHOLDERS = (
    "changed_key",
    "changes",
    "exclude",
    "forget_row",
    "key",
    "key_variable",
    "known",
    "mask",
    "new_is_large",
    "new_key",
    "new_row",
    "new_row_key",
    "old_is_large",
    "old_key",
    "old_row",
    "old_row_key",
    "options",
    "target",
    "update_key",
    "update_options",
)
"""What templates may name: the keys of `auditctl_internal.function_parts` (sql/functions/30_capture/body.sql)."""

_MARK = "\0"
"""Marks a placeholder while Jinja renders; no SQL can contain it."""


def templates() -> dict[Action, tuple[str, ...]]:
    """Return each action's template, as `auditctl.template` stores it: alternating text and names of placeholders."""
    values = {name: f"{_MARK}{name}{_MARK}" for name in PLACEHOLDERS}
    rendered = {c.action: _environment().get_template(c.template).render(values) for c in ACTIONS}
    return {action: tuple(text.strip("\n").split(_MARK)) for action, text in rendered.items()}


def write_templates() -> str:
    """Return the statement that stores the templates, which `install` runs as auditctl_owner."""
    generator = "".join(resources.sql_texts("functions"))
    version = hashlib.sha256(generator.encode()).hexdigest()
    rows = sql.SQL(",\n").join(
        sql.SQL("({}, {}::text[], {})").format(
            sql.Literal(action.value), sql.Literal(list(parts)), sql.Literal(version)
        )
        for action, parts in templates().items()
    )
    return (
        sql.SQL(
            "insert into auditctl.template as stored (action, parts, generator)\nvalues\n{}\n"
            "on conflict (action) do update set parts = excluded.parts, generator = excluded.generator\n"
            "where (stored.parts, stored.generator) <> (excluded.parts, excluded.generator);"
        )
        .format(rows)
        .as_string(None)
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(resources.folder("sql") / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        finalize=_placeholder,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - SQL, not HTML; `_placeholder` lets nothing else through
    )


def _placeholder(output: object) -> str:
    if not isinstance(output, str) or output.strip(_MARK) not in PLACEHOLDERS or not output.startswith(_MARK):
        raise TypeError(f"a template may only output placeholders, not {output!r}")
    return output

"""Writes JSON Lines in the Open Cybersecurity Schema Framework: class 3004 Entity Management of version 1.4.0.

An attribute without a value is left out. What the class has no attribute for is under `unmapped`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.display import harmless_json
from auditctl.log import selection
from auditctl.log.formats import json_lines, ocsf_texts
from auditctl.log.formats.format import Format

VERSION = ocsf_texts.VERSION
_CLASS, _OTHER, _ACTIVITIES = ocsf_texts.CLASS, ocsf_texts.OTHER, ocsf_texts.ACTIVITIES
_FAILED: LiteralString = "context ->> 'outcome' in ('failed', 'refused')"
"""What import-log records of failed logins and refused statements."""

_ACTION: LiteralString = "auditctl.shown_action(action, context)"
"""The action that the class has: nobody created a row of a baseline then."""


def _json(expression: Composable) -> Composable:
    """Return the expression of a value as JSON text; null for null."""
    return SQL("pg_catalog.to_json({})::text").format(expression)


def _text(name: LiteralString) -> Composable:
    return _json(SQL(name))


def _constant(value: str | int) -> Composable:
    return Literal(json.dumps(value))


def _object(members: Mapping[str, Composable]) -> Composable:
    """Return the expression of an object as JSON text, without the members that are null; the first never is."""
    pairs = [
        SQL("{} || {}").format(Literal(f'{"," if number else "{"}"{name}":'), expression)
        for number, (name, expression) in enumerate(members.items())
    ]
    return SQL("pg_catalog.concat({}, '}}')").format(SQL(", ").join(pairs))


def _activity() -> Composable:
    whens = SQL(" ").join(
        SQL("when {} then {}").format(Literal(action), Literal(number)) for action, number in _ACTIVITIES.items()
    )
    return SQL("(case {} {} else {} end)").format(SQL(_ACTION), whens, Literal(_OTHER))


def _entity(values: Composable) -> Composable:
    return _object({
        "name": _text("target"), "type": _text("target_name"), "type_id": _constant(_OTHER), "uid": _text("target_id"),
        "data": values,
    })  # fmt: skip


def _metadata() -> Composable:
    names = {"name": _constant("auditctl"), "vendor_name": _constant("auditctl")}
    return _object({
        "uid": _text("event_id::text"), "version": _constant(VERSION),
        "product": _object({**names, "version": _constant(metadata.version("auditctl"))}),
        "log_name": _constant("auditctl.event"), "original_time": _text(selection.CREATED_ON),
    })  # fmt: skip


def _user() -> Composable:
    return _object({
        "name": _text("user_name"),
        "type_id": _json(SQL("case actor_kind::text when 'system' then 3 else 1 end")),
        "type": _json(SQL("case actor_kind::text when 'system' then 'System' else 'User' end")),
    })  # fmt: skip


@cache
def _document() -> Composable:
    number = _activity()
    kind = SQL("case when {action} in ({known}) then pg_catalog.initcap({action}) else 'Other' end").format(
        action=SQL(_ACTION), known=SQL(", ").join(map(Literal, _ACTIVITIES))
    )
    return _object({
        "metadata": _metadata(),
        "category_uid": _constant(3), "category_name": _constant("Identity & Access Management"),
        "class_uid": _constant(_CLASS), "class_name": _constant("Entity Management"),
        "activity_id": _json(number), "activity_name": _text(f"pg_catalog.initcap({_ACTION})"),
        "type_uid": _json(SQL("{} + {}").format(Literal(_CLASS * 100), number)),
        "type_name": _json(SQL("'Entity Management: ' || {}").format(kind)),
        "severity_id": _constant(1), "severity": _constant("Informational"),
        "status_id": _json(SQL(f"case when {_FAILED} then 2 else 1 end")),
        "status": _json(SQL(f"case when {_FAILED} then 'Failure' else 'Success' end")),
        "time": _text("pg_catalog.floor(extract(epoch from created_on) * 1000)::bigint"),
        "message": _text("details"), "comment": _text("reason"),
        "actor": _object({"user": _user(), "app_name": _text("context ->> 'application_name'")}),
        "src_endpoint": SQL("case when ip_address is not null then {} end").format(
            _object({"ip": _text("pg_catalog.host(ip_address)")})
        ),
        "entity": _entity(SQL("coalesce(old_values, new_values)::text")),
        "entity_result": SQL("case when old_values is not null and new_values is not null then {} end").format(
            _entity(SQL("new_values::text"))
        ),
        "unmapped": _object({
            "action": _text("action::text"), "db_user": _text("db_user"), "actor_kind": _text("actor_kind::text"),
            "xact_id": _text("xact_id::text::numeric"), "context": SQL("context::text"),
        }),
    })  # fmt: skip


FORMAT = Format(
    name="ocsf",
    help=f"OCSF {VERSION}, one JSON object on each line",
    project=lambda _, __: SQL("{} as document").format(_document()),
    project_texts=lambda _, __: ocsf_texts.document,
    write=json_lines.write,
    write_one=json_lines.write_one,
    harmless=harmless_json,
    copy_options=json_lines.FORMAT.copy_options,
    media_type=json_lines.FORMAT.media_type,
    delimiter=json_lines.FORMAT.delimiter,
    has_columns=False,
)

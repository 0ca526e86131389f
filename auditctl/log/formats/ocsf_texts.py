"""The document of the format OCSF, made of an event that is texts already: what auditctl.log.formats.ocsf reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata

from auditctl.log.event_texts import EventTexts, quoted
from auditctl.log.formats import raw_json

VERSION = "1.4.0"
"""The version of the schema, which the tests have a copy of."""

CLASS = 3004
OTHER = 99

ACTIVITIES = {"CREATE": 1, "READ": 2, "UPDATE": 3, "DELETE": 4}
"""The number of each action that the class has."""


def document(texts: EventTexts) -> tuple[str]:
    """Return the document of an event, whose texts include its `microseconds` since 1970."""
    context, old, new = texts["context"], texts["old_values"], texts["new_values"]
    action = texts["action"] or ""
    if action == "CREATE" and raw_json.has_member(context, "baseline"):
        action = "BASELINE"
    number, kind = ACTIVITIES.get(action, OTHER), action.capitalize() if action in ACTIVITIES else "Other"
    failed = raw_json.member(context, "outcome") in ("failed", "refused")
    address = texts["ip_address"]
    return (_object({
        "metadata": _metadata(texts),
        "category_uid": "3", "category_name": _text("Identity & Access Management"),
        "class_uid": str(CLASS), "class_name": _text("Entity Management"),
        "activity_id": str(number), "activity_name": _text(action.capitalize()),
        "type_uid": str(CLASS * 100 + number), "type_name": _text(f"Entity Management: {kind}"),
        "severity_id": "1", "severity": _text("Informational"),
        "status_id": "2" if failed else "1", "status": _text("Failure" if failed else "Success"),
        "time": str(int(texts["microseconds"] or "0") // 1000),
        "message": _text(texts["details"]), "comment": _text(texts["reason"]),
        "actor": _object({"user": _user(texts), "app_name": _text(raw_json.member(context, "application_name"))}),
        "src_endpoint": None if address is None else _object({"ip": _text(address.partition("/")[0])}),
        "entity": _entity(texts, new if old is None else old),
        "entity_result": None if old is None or new is None else _entity(texts, new),
        "unmapped": _object({
            "action": _text(texts["action"]), "db_user": _text(texts["db_user"]),
            "actor_kind": _text(texts["actor_kind"]), "xact_id": texts["xact_id"], "context": context,
        }),
    }),)  # fmt: skip


def _metadata(texts: EventTexts) -> str:
    names = {"name": _text("auditctl"), "vendor_name": _text("auditctl")}
    return _object({
        "uid": _text(texts["event_id"]), "version": _text(VERSION),
        "product": _object({**names, "version": json.dumps(metadata.version("auditctl"))}),
        "log_name": _text("auditctl.event"), "original_time": _text(texts["created_on"]),
    })  # fmt: skip


def _user(texts: EventTexts) -> str:
    is_system = texts["actor_kind"] == "system"
    return _object({
        "name": _text(texts["user"]), "type_id": "3" if is_system else "1",
        "type": _text("System" if is_system else "User"),
    })  # fmt: skip


def _entity(texts: EventTexts, values: str | None) -> str:
    return _object({
        "name": _text(texts["target"]), "type": _text(texts["target_name"]), "type_id": str(OTHER),
        "uid": _text(texts["target_id"]), "data": values,
    })  # fmt: skip


def _text(text: str | None) -> str | None:
    return None if text is None else quoted(text)


def _object(members: Mapping[str, str | None]) -> str:
    """Return an object of values that are JSON already, without those that are null."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items() if value is not None) + "}"

"""Reads and writes the section [[event]] of the configuration file: the types of business events."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from auditctl.capture.config.fields import Fields, refuse_repeated
from auditctl.capture.config.toml import Section
from auditctl.capture.model import EventType
from auditctl.names import OWN_EVENT_TYPES
from auditctl.text import in_quotes, is_glob

KEYS = ("name", "label", "enabled")
TITLES = {"name": "Target", "label": "Label", "enabled": "Recorded"}
"""The title of each key in the page's form."""

LONGEST_NAME = 500
"""Bytes, as auditctl.record_event takes them."""

_OWN = re.compile(r"auditctl(_internal|_triggers)?(\W|$)")
"""The plainest names that auditctl.record_event refuses; the database knows all (auditctl_internal.event_name)."""


def read(document: Fields) -> tuple[EventType, ...] | None:
    """Return the types in the order of the file, without those whose name cannot be read; None without the section."""
    if "event" not in document.values:
        return None
    types = [(table, _type(table)) for table in document.sections("event")]
    refuse_repeated(table for table, event_type in types if event_type is not None)
    return tuple(event_type for _, event_type in types if event_type is not None)


def sections(types: Iterable[EventType]) -> list[Section]:
    """Return one [[event]] for each type, in order."""
    return [_section(event_type) for event_type in types]


def problems(event_type: EventType) -> list[str]:
    """Return the mistakes of a type that a form states, each with the title of its field; empty for none."""
    faults = _faults(event_type.name, event_type.label)
    return [f"{TITLES[key]}: {fault}" for key, fault in faults]


def _section(event_type: EventType) -> Section:
    section: Section = {"name": event_type.name}
    if event_type.label is not None:
        section["label"] = event_type.label
    if not event_type.enabled:
        section["enabled"] = False
    return section


def _type(table: Fields) -> EventType | None:
    table.known(KEYS)
    label, enabled = table.text("label"), table.flag("enabled", default=True)
    name = table.values.get("name")
    faults = dict(_faults(name, label))
    for key, fault in faults.items():
        table.problem(key, fault)
    if not isinstance(name, str) or "name" in faults:
        return None
    return EventType(unicodedata.normalize("NFKC", name), label, enabled, table.origin)


def _faults(name: object, label: str | None) -> Iterator[tuple[str, str]]:
    """Yield why a name or a label is not valid: the key, and the fault."""
    if fault := _fault(name):
        yield "name", fault
    elif label is not None and is_glob(str(name)):
        yield "label", f"a label belongs to one type, and {name} is a glob"


def _fault(name: object) -> str:
    """Return why a name is not valid: auditctl.record_event would refuse it, or nothing could match it."""
    if name is None:
        return "is missing"
    if not isinstance(name, str) or not name:
        return "must be a string such as billing.plan_change"
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    if not name.isprintable() or name != name.strip():
        return f"{in_quotes(name)} has invisible characters, or spaces at its start or end"
    if re.search(r"[\[\]]", name):
        return f"{name}: in a glob of event types, * stands for any characters and ? for one; brackets do not work"
    if name not in OWN_EVENT_TYPES and _OWN.match(unicodedata.normalize("NFKC", name).casefold()):
        others = " and ".join(OWN_EVENT_TYPES)
        return f"{name} belongs to auditctl itself; of its events, only {others} can be switched off"
    return ""

"""Reads and writes the section [[doctor.accept]] of the configuration file: findings that are accepted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from auditctl.capture.accepted import Acceptance
from auditctl.capture.config.fields import Fields
from auditctl.capture.config.toml import Section

KEYS = ("accept",)
"""The keys of [doctor]."""

ACCEPT_KEYS = ("check", "object", "reason", "until")
"""The keys of [[doctor.accept]]."""


def read(document: Fields) -> tuple[Acceptance, ...] | None:
    """Return what is accepted, in the order of the file, also what has a mistake; None if the file does not say."""
    section = document.section("doctor")
    if section is None:
        return None
    section.known(KEYS)
    if "accept" not in section.values:
        return None
    found: dict[str, Acceptance] = {}
    for table in section.sections("accept"):
        one = _acceptance(table)
        if one.check and one.object and one.name in found:
            table.problem("object", f"{one.name} is already in {found[one.name].origin.partition(': ')[2]}")
        else:
            found.setdefault(one.name, one)
    return tuple(found.values())


def sections(accepted: Iterable[Acceptance]) -> list[Section]:
    """Return one [[doctor.accept]] for each, in order."""
    return [_section(one) for one in accepted]


def _section(one: Acceptance) -> Section:
    section: Section = {"check": one.check, "object": one.object, "reason": one.reason}
    return section if one.until is None else section | {"until": one.until.isoformat()}


def _acceptance(table: Fields) -> Acceptance:
    table.known(ACCEPT_KEYS)
    texts = {key: table.text(key) for key in ACCEPT_KEYS[:3]}
    for key, value in texts.items():
        if key not in table.values:
            table.problem(key, "is missing")
        elif value is not None and not value.isprintable():
            table.problem(key, "has invisible characters")
    check, about, reason = (value or "" for value in texts.values())
    return Acceptance(check, about, reason, _until(table), origin=table.origin)


def _until(table: Fields) -> date | None:
    value = table.values.get("until")
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        table.problem("until", "must be a date such as 2027-03-31")
        return None

"""Reads and writes [admin] in the configuration file: the tables whose capture administrators may change."""

from __future__ import annotations

from auditctl import table_names
from auditctl.capture.config.fields import Fields
from auditctl.capture.config.toml import Section
from auditctl.errors import UsageError
from auditctl.text import in_quotes

KEYS = ("tables",)


def read(document: Fields) -> tuple[str, ...] | None:
    """Return the names and globs, each with its schema; None without the section, and for a mistake in it."""
    section = document.section("admin")
    if section is None:
        return None
    section.known(KEYS)
    names = section.values.get("tables")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        section.problem("tables", 'must be a list of names and globs such as ["billing.*"]')
        return None
    faults = [fault for name in names if (fault := _fault(name))]
    for fault in faults:
        section.problem("tables", fault)
    return None if faults else tuple(dict.fromkeys(table_names.canonical(name) for name in names))


def sections(tables: tuple[str, ...] | None) -> list[tuple[str, Section]]:
    """Return [admin] with its header; empty without a limit."""
    return [] if tables is None else [("[admin]", {"tables": tables})]


def _fault(name: str) -> str | None:
    try:
        parsed = table_names.parse(name)
    except UsageError as error:
        return str(error)
    if parsed.schema is None:
        return f"{in_quotes(name)} needs a schema, such as billing.{name}"
    return None

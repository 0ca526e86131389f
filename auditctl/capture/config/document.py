"""Reads and writes the configuration file. All mistakes are reported together, each with file and key path."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from auditctl.archive.settings import Settings
from auditctl.capture.accepted import Acceptance
from auditctl.capture.config import accepted, admin, archive, event_types, tables, toml
from auditctl.capture.config import retention as retention_section
from auditctl.capture.config.fields import Fields
from auditctl.capture.config.toml import Section
from auditctl.capture.model import EventType
from auditctl.capture.rule_keys import Rule
from auditctl.errors import ConfigurationError
from auditctl.retention.times import Retention

SECTIONS = ("defaults", "table", "event", "retention", "archive", "admin", "doctor")
"""The keys of the file itself."""

OTHER_SECTIONS = frozenset(SECTIONS) - {"defaults", "table"}
"""Sections about other things than tables. A file that has only these must state `table = []`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file.

    Attributes:
        rules: The rules in the order of the file, without those whose name is not valid; empty for a file that
            audits nothing.
        problems: The mistakes in the file itself, each with file and key path; reported together with those that only
            the database shows.
        event_types: The types of business events in the order of the file; None for a file without [[event]],
            which leaves them as they are.
        retention: How long events are kept; None if the file does not set it.
        admin: The names and globs of the tables that administrators may change; None for a file without [admin], which
            leaves that as it is.
        accepted: The findings of doctor that are accepted; None if the file does not say.
        archive: Where months are archived, and which ones stay; None for a file without [archive], which leaves that as
            it is.
    """

    rules: tuple[Rule, ...]
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    admin: tuple[str, ...] | None = None
    accepted: tuple[Acceptance, ...] | None = None
    archive: Settings | None = None


def load(text: str, source: str) -> Document:
    """Parse a configuration file.

    Args:
        text: The file's text, TOML as docs/reference/configuration.md describes it.
        source: The file's name, for messages.

    Raises:
        ConfigurationError: The file is empty or not TOML.
    """
    if not text.strip():
        raise ConfigurationError(
            [f"{source}: is empty, which would end all auditing"], hint="If you mean that, write: table = []"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{source}: {error}"], hint="The file must be TOML: https://toml.io") from error
    problems: list[str] = []
    document = Fields(values, source, problems)
    document.known(SECTIONS)
    if "table" not in values and not values.keys().isdisjoint(OTHER_SECTIONS):
        message = "is missing, which would end all auditing; if you mean that, begin the file with: table = []"
        document.problem("table", message)
    rules = tables.read(document)
    types = event_types.read(document)
    times = retention_section.read(document, rules)
    limit, findings = admin.read(document), accepted.read(document)
    archiving = archive.read(document)
    return Document(rules, tuple(problems), types, times, limit, findings, archiving)


def dump(
    rules: Iterable[Rule],
    types: Iterable[EventType] = (),
    retention: Retention | None = None,
    limit: tuple[str, ...] | None = None,
    findings: Iterable[Acceptance] = (),
    archiving: Settings | None = None,
) -> str:
    """Return the file that states all this; `load` of it gives it back, in order."""
    rules, times = tuple(rules), retention or Retention()
    event_sections = [("[[event]]", section) for section in event_types.sections(types)]
    retention_sections = retention_section.sections(times, rules)
    table_sections = [("[[table]]", section) for section in tables.sections(rules, times.targets)]
    admin_sections = admin.sections(limit)
    accept_sections = [("[[doctor.accept]]", section) for section in accepted.sections(findings)]
    archive_sections = archive.sections(archiving or Settings())
    settings = [*admin_sections, *retention_sections, *archive_sections]
    # A file about other things alone must say that it audits no table, before the first section.
    has_others = bool(settings or event_sections or accept_sections)
    head: list[tuple[str, Section]] = [("", {"table": []})] if has_others and not table_sections else []
    sections = [*settings, *table_sections, *event_sections, *accept_sections]
    return toml.dumps([*head, ("[defaults]", tables.defaults()), *sections])

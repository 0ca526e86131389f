"""Reads and writes the configuration file. All mistakes are reported together, each with file and key path.

Each section has a module in auditctl.capture.sections; here is which sections there are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

import tomlkit

from auditctl.capture.retention import Retention
from auditctl.capture.sections import retention, tables
from auditctl.capture.sections.fields import Fields
from auditctl.errors import ConfigurationError
from auditctl.model import Rule

SECTIONS = ("defaults", "table", "retention")
"""The keys of the file itself."""


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file.

    Attributes:
        rules: The rules in the order of the file, without those whose name cannot be read; empty for a file that
            audits nothing.
        problems: What is wrong with the file itself, each with file and key path; to be reported together with what
            does not fit the database.
        retention: How long events are kept; None for a file that says nothing about it.
    """

    rules: tuple[Rule, ...]
    problems: tuple[str, ...] = ()
    retention: Retention | None = None


def load(text: str, source: str) -> Document:
    """Parse a configuration file.

    Args:
        text: The file's text, TOML as docs/reference.md describes it.
        source: The file's name, for messages.

    Raises:
        ConfigurationError: The file is not TOML.
    """
    if not text.strip():
        raise ConfigurationError(
            [f"{source}: is empty, which would end all auditing"], hint="If that is meant, write: table = []"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{source}: {error}"], hint="The file must be TOML: https://toml.io") from error
    problems: list[str] = []
    document = Fields(values, source, problems)
    document.known(SECTIONS)
    rules = tables.read(document)
    kept = retention.read(document, rules)
    return Document(rules, tuple(problems), kept)


def dump(rules: Iterable[Rule], kept: Retention | None = None) -> str:
    """Return the file that states these rules, and how long events are kept; `load` of it gives them back, in order."""
    rules, kept = tuple(rules), kept or Retention()
    document = tomlkit.document()
    document["defaults"] = tables.defaults()
    if (times := retention.written(kept, rules)) is not None:
        document["retention"] = times
    if stated := tables.written(rules, kept.targets):
        document["table"] = stated
    return tomlkit.dumps(document)

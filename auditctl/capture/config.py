"""Reads and writes the configuration file. All mistakes are reported together, each with file and key path."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import tomlkit
from tomlkit.items import Table

from auditctl.capture import identifiers
from auditctl.capture.actions import DEFAULT, OPTIONS
from auditctl.errors import ConfigurationError, UsageError
from auditctl.model import Action, Rule

_LISTS = ("actions", "exclude", "mask", "key")
_FLAGS = ("require_actor", "read_query", "read_force")
_KEYS = ("name", "label", *_LISTS, *_FLAGS)
_UNREADABLE = "?"


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file.

    Attributes:
        rules: The rules in the order of the file, without those whose name cannot be read; empty for a file that
            audits nothing.
        problems: What is wrong with the file itself, each with file and key path; to be reported together with what
            does not fit the database.
    """

    rules: tuple[Rule, ...]
    problems: tuple[str, ...] = ()


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
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{source}: {error}"], hint="The file must be TOML: https://toml.io") from error
    reader = _Reader(source)
    rules = reader.document(document)
    return Document(tuple(rule for rule in rules if rule.name != _UNREADABLE), tuple(reader.problems))


def dump(rules: Iterable[Rule]) -> str:
    """Return the file that states these rules; `load` of it gives them back, in the same order."""
    tables = tomlkit.aot()
    for rule in rules:
        tables.append(_table(rule))
    document = tomlkit.document()
    document["defaults"] = {"actions": [action.value.lower() for action in DEFAULT]}
    if tables:
        document["table"] = tables
    return tomlkit.dumps(document)


def _table(rule: Rule) -> Table:
    table = tomlkit.table()
    table["name"] = rule.name
    if rule.label is not None:
        table["label"] = rule.label
    if rule.actions != DEFAULT:
        table["actions"] = [action.value.lower() for action in rule.actions]
    for key in ("exclude", "mask", "key"):
        if getattr(rule, key):
            table[key] = list(getattr(rule, key))
    for flag in _FLAGS:
        if getattr(rule, flag):
            table[flag] = True
    return table


def parse_actions(names: Iterable[str]) -> tuple[Action, ...]:
    """Return the actions of their options' names, in the order of the registry, each once.

    Raises:
        UsageError: A name is unknown.
    """
    chosen = set()
    for name in names:
        if name.lower() not in OPTIONS:
            raise UsageError(f"unknown action {name!r}", hint=f"Actions: {', '.join(OPTIONS)}")
        chosen.add(OPTIONS[name.lower()])
    return tuple(action for action in OPTIONS.values() if action in chosen)


class _Reader:
    """Collects the rules and the mistakes of one document."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    def document(self, document: Mapping[str, Any]) -> tuple[Rule, ...]:
        self.known(document, ("defaults", "table"), "")
        defaults = document.get("defaults", {})
        actions = DEFAULT
        if not isinstance(defaults, dict):
            self.problem("defaults", "must be a table: [defaults]")
        else:
            self.known(defaults, ("actions",), "defaults.")
            stated = self.actions(defaults, "defaults.")
            actions = DEFAULT if stated is None else stated
        tables = document.get("table", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problem("table", "must be written as [[table]], once for each table")
            return ()
        rules = [self.rule(table, f"table[{index}].", actions) for index, table in enumerate(tables)]
        self.repeated(rules)
        return tuple(rules)

    def rule(self, table: Mapping[str, Any], path: str, default: tuple[Action, ...]) -> Rule:
        self.known(table, _KEYS, path)
        actions = self.actions(table, path)
        return Rule(
            name=self.name(table, path),
            actions=default if actions is None else actions,
            label=self.label(table, path),
            exclude=self.names(table, "exclude", path),
            mask=self.names(table, "mask", path),
            key=self.names(table, "key", path),
            **{flag: self.flag(table, flag, path) for flag in _FLAGS},
            origin=f"{self.source}: {path.removesuffix('.')}",
        )

    def name(self, table: Mapping[str, Any], path: str) -> str:
        value = table.get("name")
        if not isinstance(value, str):
            self.problem(f"{path}name", "is missing" if value is None else "must be a string such as schema.table")
            return _UNREADABLE
        try:
            identifiers.parse(value)
        except UsageError as error:
            self.problem(f"{path}name", str(error))
            return _UNREADABLE
        return value

    def label(self, table: Mapping[str, Any], path: str) -> str | None:
        value = table.get("label")
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            self.problem(f"{path}label", "must be a string that is not empty")
            return None
        return value

    def flag(self, table: Mapping[str, Any], key: str, path: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.problem(f"{path}{key}", "must be true or false")
            return False
        return value

    def names(self, table: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(name, str) and name and "\0" not in name for name in value
        ):
            self.problem(f"{path}{key}", "must be a list of column names")
            return ()
        for name in {name for name in value if value.count(name) > 1}:
            self.problem(f"{path}{key}", f"names {name} twice")
        return tuple(value)

    def actions(self, table: Mapping[str, Any], path: str) -> tuple[Action, ...] | None:
        if "actions" not in table:
            return None
        value = table["actions"]
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self.problem(f"{path}actions", f"must be a list of {', '.join(OPTIONS)}")
            return None
        for index, name in enumerate(value):
            if name not in OPTIONS:
                close = get_close_matches(name, OPTIONS, n=1)
                advice = f"; did you mean {close[0]}?" if close else f"; actions are {', '.join(OPTIONS)}"
                self.problem(f"{path}actions[{index}]", f"unknown action {name}{advice}")
        if not all(name in OPTIONS for name in value):
            return None
        return parse_actions(value)

    def known(self, table: Mapping[str, Any], keys: tuple[str, ...], path: str) -> None:
        for key in table:
            if key not in keys:
                close = get_close_matches(key, keys, n=1)
                advice = f"; did you mean {close[0]}?" if close else f"; keys are {', '.join(keys)}"
                self.problem(f"{path}{key}", f"unknown key{advice}")

    def repeated(self, rules: Iterable[Rule]) -> None:
        seen: dict[str, str] = {}
        for rule in rules:
            if rule.name in seen and rule.name != _UNREADABLE:
                self.problem(
                    rule.origin.removeprefix(f"{self.source}: ") + ".name",
                    f"{rule.name} stands in {seen[rule.name]} already",
                )
            seen.setdefault(rule.name, rule.origin.removeprefix(f"{self.source}: "))

    def problem(self, path: str, message: str) -> None:
        self.problems.append(f"{self.source}: {path}: {message}")

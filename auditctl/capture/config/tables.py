"""Reads and writes the sections [defaults] and [[table]] of the configuration file, with the keys of `rule_keys`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auditctl import durations, table_names
from auditctl.actions import DEFAULT, OPTIONS, Action, parse_actions, suggestion
from auditctl.capture import rule_keys
from auditctl.capture.config.fields import Fields, advice, refuse_repeated
from auditctl.capture.config.toml import Section
from auditctl.capture.rule_keys import Kind, Rule, RuleKey
from auditctl.errors import ConfigurationError, UsageError

KEYS = ("name", *(key.name for key in rule_keys.KEYS), "keep")
DEFAULTS = ("actions",)
"""The keys of [defaults]."""


def read(document: Fields) -> tuple[Rule, ...]:
    """Return the rules in the order of the file, without those whose name cannot be read."""
    actions = _default_actions(document)
    rules = [(table, _rule(table, actions)) for table in document.sections("table")]
    refuse_repeated(table for table, rule in rules if rule is not None)
    return tuple(rule for _, rule in rules if rule is not None)


def stated(name: str, keys: Mapping[str, Any], source: str) -> Rule:
    """Return the rule that keys state outside of a file, as in a migration or on a model.

    Args:
        name: The table, or a glob.
        keys: Its keys, with values as in a file; None for one that is not stated.
        source: What states them, for messages.

    Raises:
        ConfigurationError: A key is unknown, or a value is not one of it; every problem is listed.
        UsageError: The name is not valid.
    """
    table_names.parse(name)
    problems: list[str] = []
    values = {
        key: list(value) if isinstance(value, tuple) else value for key, value in keys.items() if value is not None
    }
    table = Fields(values, source, problems)
    table.known([key.name for key in rule_keys.KEYS])
    rule = Rule(name, origin=source, **{key.name: _value(table, key, DEFAULT) for key in rule_keys.KEYS})
    if problems:
        raise ConfigurationError(problems)
    return rule


def defaults() -> Section:
    """Return [defaults] as `auditctl config` prints it."""
    return {"actions": _names(DEFAULT)}


def sections(rules: Iterable[Rule], keep: Mapping[str, str | None]) -> list[Section]:
    """Return one [[table]] for each rule, in order; with how long its events are kept, if that is set."""
    return [
        _section(rule) | ({"keep": durations.format_keep(keep[rule.name])} if rule.name in keep else {})
        for rule in rules
    ]


def _section(rule: Rule) -> Section:
    section: Section = {"name": rule.name}
    # The label comes first, then what is recorded of the table.
    for key, value in sorted(rule.explicit_values().items(), key=lambda item: item[0].kind is not Kind.TEXT):
        match key.kind:
            case Kind.ACTIONS:
                if value != DEFAULT:
                    section[key.name] = _names(value)
            case Kind.COLUMNS:
                section[key.name] = list(value)
            case Kind.TEXT | Kind.CHOICE | Kind.SWITCH:
                section[key.name] = value
    return section


def _names(actions: Iterable[Action]) -> list[str]:
    return [action.value.lower() for action in actions]


def _default_actions(document: Fields) -> tuple[Action, ...]:
    section = document.section("defaults")
    if section is None:
        return DEFAULT
    section.known(DEFAULTS)
    return _actions(section, DEFAULT)


def _rule(table: Fields, actions: tuple[Action, ...]) -> Rule | None:
    table.known(KEYS)
    name = _name(table)
    values = {key.name: _value(table, key, actions) for key in rule_keys.KEYS}
    return None if name is None else Rule(name, origin=table.origin, **values)


def _value(table: Fields, key: RuleKey, actions: tuple[Action, ...]) -> Any:
    match key.kind:
        case Kind.TEXT:
            return table.text(key.name)
        case Kind.ACTIONS:
            return _actions(table, actions)
        case Kind.COLUMNS:
            return None if key.is_inherited and key.name not in table.values else table.columns(key.name)
        case Kind.CHOICE:
            return table.choice(key.name, key.choices)
        case Kind.SWITCH:
            return table.flag(key.name, key.default)


def _name(table: Fields) -> str | None:
    value = table.values.get("name")
    if not isinstance(value, str):
        table.problem("name", "is missing" if value is None else "must be a string such as schema.table")
        return None
    try:
        table_names.parse(value)
    except UsageError as error:
        table.problem("name", str(error))
        return None
    return value


def _actions(table: Fields, default: tuple[Action, ...]) -> tuple[Action, ...]:
    value = table.values.get("actions")
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        table.problem("actions", f"must be a list of {', '.join(OPTIONS)}")
        return default
    for index, name in enumerate(value):
        if name not in OPTIONS:
            table.problem(
                f"actions[{index}]", f"unknown action {name}{suggestion(name) or advice(name, OPTIONS, 'actions')}"
            )
    return parse_actions(value) if all(name in OPTIONS for name in value) else default

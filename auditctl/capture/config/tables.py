"""The sections [defaults] and [[table]]: what is audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tomlkit
from tomlkit.items import AoT, Table

from auditctl import durations
from auditctl.actions import DEFAULT, OPTIONS, Action, parse_actions
from auditctl.capture import table_names
from auditctl.capture.config.fields import Fields, advice, refuse_repeated
from auditctl.capture.model import Rule
from auditctl.errors import UsageError

LISTS = ("exclude", "mask", "key")
FLAGS = ("require_actor", "read_query", "read_force")
KEYS = ("name", "label", "actions", *LISTS, *FLAGS, "keep")
DEFAULTS = ("actions",)
"""The keys of [defaults]."""


def read(document: Fields) -> tuple[Rule, ...]:
    """Return the rules in the order of the file, without those whose name cannot be read."""
    actions = _default_actions(document)
    found = [(table, _rule(table, actions)) for table in document.sections("table")]
    refuse_repeated(table for table, rule in found if rule is not None)
    return tuple(rule for _, rule in found if rule is not None)


def defaults() -> Table:
    """Return [defaults] as `auditctl config` prints it."""
    table = tomlkit.table()
    table["actions"] = [action.value.lower() for action in DEFAULT]
    return table


def written(rules: Iterable[Rule], keep: Mapping[str, str | None]) -> AoT:
    """Return one [[table]] for each rule, in order; with how long its events are kept, where that is stated."""
    tables = tomlkit.aot()
    for rule in rules:
        table = _written(rule)
        if rule.name in keep:
            table["keep"] = durations.shown(keep[rule.name])
        tables.append(table)
    return tables


def _written(rule: Rule) -> Table:
    table = tomlkit.table()
    table["name"] = rule.name
    if rule.label is not None:
        table["label"] = rule.label
    if rule.actions != DEFAULT:
        table["actions"] = [action.value.lower() for action in rule.actions]
    for key in LISTS:
        if getattr(rule, key):
            table[key] = list(getattr(rule, key))
    for flag in FLAGS:
        if getattr(rule, flag):
            table[flag] = True
    return table


def _default_actions(document: Fields) -> tuple[Action, ...]:
    section = document.section("defaults")
    if section is None:
        return DEFAULT
    section.known(DEFAULTS)
    stated = _actions(section)
    return DEFAULT if stated is None else stated


def _rule(table: Fields, default: tuple[Action, ...]) -> Rule | None:
    table.known(KEYS)
    actions = _actions(table)
    name = _name(table)
    label = table.label()
    exclude, mask, key = (table.columns(listed) for listed in LISTS)
    flags = {flag: table.flag(flag) for flag in FLAGS}
    if name is None:
        return None
    return Rule(name, default if actions is None else actions, label, exclude, mask, key, **flags, origin=table.origin)


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


def _actions(table: Fields) -> tuple[Action, ...] | None:
    if "actions" not in table.values:
        return None
    value = table.values["actions"]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        table.problem("actions", f"must be a list of {', '.join(OPTIONS)}")
        return None
    for index, name in enumerate(value):
        if name not in OPTIONS:
            table.problem(f"actions[{index}]", f"unknown action {name}{advice(name, OPTIONS, 'actions')}")
    if not all(name in OPTIONS for name in value):
        return None
    return parse_actions(value)

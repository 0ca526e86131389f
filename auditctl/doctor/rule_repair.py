"""Repairs rules that do not fit their tables, and writes them as `auditctl enable` commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from auditctl import table_names
from auditctl.actions import DEFAULT
from auditctl.capture import resolve, table_keys, validate
from auditctl.capture.model import Catalog, Relation
from auditctl.capture.precedence import Covering
from auditctl.capture.rule_keys import Kind, Rule
from auditctl.doctor.model import FormerColumns
from auditctl.table_names import qualified

_UNKNOWN = "NEW_NAME"
"""Stands for a column that nobody knows; `enable` refuses it where no column has that name."""


def command(rule: Rule) -> list[str]:
    """Return the words of the `auditctl enable` command for a rule."""
    words = ["auditctl", "enable", rule.name]
    for key, value in rule.explicit_values().items():
        match key.kind:
            case Kind.TEXT | Kind.CHOICE:
                words += [key.option, value]
            case Kind.ACTIONS:
                words += [] if value == DEFAULT else [key.option, ",".join(action.value.lower() for action in value)]
            case Kind.COLUMNS:
                words += [word for column in value or ("",) for word in (key.option, column)]
            case Kind.SWITCH:
                words.append(key.option if value else key.negation)
    return words


def remedy(rule: Rule, catalog: Catalog, former: FormerColumns) -> str:
    """Return how to repair a rule that does not fit its tables; never a command that hides fewer columns."""
    tables = _tables(rule, catalog)
    if not rule.actions or not tables:
        return shlex.join(["auditctl", "disable", rule.name])
    names = {column for table in tables for column in table.columns}
    moved = _moved(tables, former)
    unknown = {name for name in rule.hidden if name not in names and name not in moved}
    followed = _with_columns(rule, lambda name: [name] if name in names else moved.get(name, [_UNKNOWN]))
    if unknown:
        return f"Enable the table again with the column that has the data now: {shlex.join(command(followed))}"
    repaired = _fitting(rule, followed, catalog)
    return shlex.join(["auditctl", "disable", rule.name] if repaired is None else command(repaired))


def _tables(rule: Rule, catalog: Catalog) -> list[Relation]:
    pattern = table_names.parse(rule.name)
    return [r for r in catalog.relations if pattern.matches(*r.identity) and validate.refusal(r) is None]


def _moved(tables: Sequence[Relation], former: FormerColumns) -> dict[str, list[str]]:
    """Return former names of columns with the names they have now, none for a column that is gone."""
    moved: dict[str, list[str]] = {}
    for table in tables:
        for name, now in former.get(qualified(*table.identity), {}).items():
            moved.setdefault(name, []).extend([] if now is None else [now])
    return moved


def _with_columns(rule: Rule, followed: Callable[[str], Sequence[str]]) -> Rule:
    """Return the rule with each column that it hides, or takes for the key, followed to where it is now."""
    exclude, mask, key = (
        tuple(dict.fromkeys(now for name in names or () for now in followed(name)))
        for names in (rule.exclude, rule.mask, rule.key)
    )
    mask = tuple(name for name in mask if name == _UNKNOWN or name not in exclude)
    return replace(
        rule,
        # An empty list would take away what a glob hides; one that was stated so stays.
        exclude=exclude or (None if rule.exclude else rule.exclude),
        mask=mask or (None if rule.mask else rule.mask),
        key=tuple(name for name in key if name != _UNKNOWN),
    )


def _fitting(rule: Rule, followed: Rule, catalog: Catalog) -> Rule | None:
    """Return the rule without a key or a label that do not fit its tables, or None if that does not repair it."""
    has_key = any(table.primary_key for table in _tables(rule, catalog))
    keyed = table_names.parse(rule.name).is_glob or not has_key
    repaired = followed if keyed else replace(followed, key=())
    for candidate in (repaired, replace(repaired, label=None)):
        if not resolve.resolve([candidate], catalog, follow_renames=True).problems and candidate != rule:
            return candidate
    return None


def keyed(name: str, covering: Covering | None) -> str:
    """Return how a table's own rule names the columns that identify its rows; arguments as for `table_keys.keyed`."""
    words = command(table_keys.keyed(name, covering))
    return f"Name the columns that identify its rows, or add a primary key: {shlex.join(words)}"

"""Checks whether a rule fits its table; each mistake is a sentence that begins with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from auditctl.actions import Action
from auditctl.capture import rule_keys
from auditctl.capture.model import Relation
from auditctl.capture.rule_keys import Rule
from auditctl.names import OWN_SCHEMAS
from auditctl.table_names import qualified
from auditctl.text import did_you_mean

COMMAND_LINE = "command line"
"""`Rule.origin` of a rule from options."""

FORM = "form"
"""`Rule.origin` of a rule from the fields of a form."""

STORED = "database"
"""`Rule.origin` of a rule that was read from auditctl.rule."""


def where(rule: Rule, key: str, index: int | None = None) -> str:
    """Return the place of a key: `audit.toml: table[2].mask[0]`, `--mask`, or `rule billing.customer: mask`."""
    if rule.origin == COMMAND_LINE:
        return "TABLE" if key == "name" else f"--{key.replace('_', '-')}"
    if rule.origin == FORM:
        return rule_keys.TITLES[key]
    if rule.origin == STORED:
        return f"rule {rule.name}: {key}"
    return f"{rule.origin}.{key}{'' if index is None else f'[{index}]'}"


def refusal(relation: Relation) -> str | None:
    """Return why a relation cannot be audited, as the end of a sentence; None if it can."""
    if relation.schema in OWN_SCHEMAS:
        return "belongs to auditctl itself, which records its own changes"
    if relation.schema in ("pg_catalog", "information_schema", "pg_toast"):
        return "is a system catalog, which cannot have triggers"
    if relation.persistence == "t":
        return "is a temporary table, which no other session sees"
    if relation.kind == "v":
        return "is a view; audit the tables under it, which see every write through the view"
    if relation.kind == "m":
        return "is a materialized view, which only REFRESH changes; audit the tables under it"
    return None


def warnings(covered: Iterable[tuple[Relation, Rule, Sequence[str]]]) -> tuple[str, ...]:
    """Return warnings about the covered tables, each with its rule and its key: what may surprise."""
    texts = []
    for relation, rule, key in covered:
        name = qualified(*relation.identity)
        if relation.persistence == "u":
            texts.append(f"{name} is unlogged: a crash empties it without any event.")
        if relation.kind == "f":
            texts.append(f"{name} is a foreign table: only writes through this database are recorded, and no truncate.")
        if Action.READ in rule.actions:
            texts += _read_warnings(relation, name)
        hidden = frozenset(rule.hidden)
        if hidden_key := [column for column in key if column in hidden]:
            columns = ", ".join(hidden_key)
            texts.append(
                f"the key of {name} has hidden columns: its events have a keyed hash of {columns} in target_id."
            )
        if rule.read_query and hidden:
            texts.append(
                f"the text of queries of {name} is recorded as it is, also where it holds a hidden column's value."
            )
    return tuple(texts)


def _read_warnings(relation: Relation, name: str) -> list[str]:
    if relation.kind == "f":
        return [f"{name} is a foreign table: its reads are not recorded."]
    reading = relation.reading
    texts = []
    if reading is None or not (reading.has_row_security or reading.had_row_security):
        texts.append(
            f"{name} gets row security: COPY into it fails for logins that row security applies to, and "
            "so does pg_dump; auditctl backup-role grants a login what backups need."
        )
    if reading is not None and reading.target and not reading.had_row_security and reading.permissive:
        texts.append(
            f"{name} has policies of its own without effect: row security is on for reads alone. If they should take "
            "effect, drop policy auditctl_open, then run apply."
        )
    return texts


def glob_rule(rule: Rule) -> list[str]:
    """Return the mistakes of a rule for many tables: it cannot have a label."""
    if rule.label is None:
        return []
    return [f"{where(rule, 'label')}: a label belongs to one table, and {rule.name} is a glob"]


def glob_columns(rule: Rule, tables: Sequence[Relation]) -> list[str]:
    """Return a mistake for each column of a glob's rule that none of its tables has."""
    known = {column for relation in tables for column in relation.columns}
    return [
        f"{where(rule, key, index)}: no table of {rule.name} has a column {name}"
        for key, index, name in _listed(rule)
        if tables and name not in known
    ]


def reads(rule: Rule, relation: Relation) -> list[str]:
    """Return why the reads of a table cannot be recorded by the rule."""
    table = qualified(*relation.identity)
    if Action.READ in rule.actions and relation.kind == "f" and rule.name == table:
        place = where(rule, "actions")
        return [f"{place}: {table} is a foreign table, which cannot have policies, so that its reads are not seen"]
    for key in rule_keys.useless(rule):
        return [f"{where(rule, key.name)}: the rule does not record reads; add read to its actions"]
    return []


def columns(rule: Rule, relation: Relation) -> list[str]:
    """Return a mistake for each column of a rule that does not fit the table."""
    table = qualified(*relation.identity)
    problems = _named_columns(rule, relation, table) if rule.name == table else []
    problems += [
        f"{where(rule, 'mask', index)}: {name} is already excluded"
        for index, name in enumerate(rule.mask or ())
        if name in (rule.exclude or ())
    ]
    return problems


def _named_columns(rule: Rule, relation: Relation, table: str) -> list[str]:
    names = relation.columns
    problems = []
    for key, index, name in _listed(rule):
        if name not in names:
            advice = did_you_mean(name, names, before="; did you mean ")
            problems.append(f"{where(rule, key, index)}: {table} has no column {name}{advice}")
    if rule.key and relation.primary_key:
        primary = ", ".join(relation.primary_key)
        place = where(rule, "key")
        problems.append(f"{place}: {table} has a primary key ({primary}); key is only for tables without one")
    return problems


def _listed(rule: Rule) -> Iterator[tuple[str, int, str]]:
    """Yield each column that a rule names: the key, the place in its list, the name."""
    for key in rule_keys.COLUMNS:
        for index, name in enumerate(getattr(rule, key.name) or ()):
            yield key.name, index, name

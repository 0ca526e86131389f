"""Resolves a desired state to rules: those of a file or of the database, with one rule more, or with one less.

It is resolved inside the transaction that plans it, against what the database has there. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from auditctl import table_names
from auditctl.actions import Action
from auditctl.capture import catalog, resolve, rule_keys, rule_store, unseen
from auditctl.capture.config.document import Document
from auditctl.capture.model import Catalog, EventType
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import COMMAND_LINE
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.retention.times import Retention
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class DesiredRules:
    """The rules that should be in force, and how far a plan for them reaches.

    Attributes:
        rules: All rules, in order.
        only: Registered names of the rules to act on; None for all.
        follow_renames: Whether the rules come from the database, so that they follow a renamed table.
        problems: Problems that are already known; reported together with what does not fit.
        event_types: The types of business events; None to leave them as they are.
        retention: How long events should be kept; None to leave that as it is.
        has_file: Whether the rules come from a file, which may not mention everything that the database has.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str] | None = None
    follow_renames: bool = True
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    has_file: bool = False


@dataclass(frozen=True, slots=True)
class AllRules:
    """What a file states, or the rules stored in the database.

    Attributes:
        document: The file; None for the stored rules.
    """

    document: Document | None = None

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the rules; those that the database has already are marked so."""
        stored = rule_store.read(conn)
        if self.document is None:
            return DesiredRules(stored)
        return DesiredRules(
            tuple(replace(rule, is_in_force=rule in stored) for rule in self.document.rules),
            follow_renames=False,
            problems=self.document.problems,
            event_types=self.document.event_types,
            retention=self.document.retention,
            has_file=True,
        )


@dataclass(frozen=True, slots=True)
class WithRule:
    """One rule, in place of the one that its table has; all others stay.

    Attributes:
        rule: The rule; without an `origin` it comes from the command line.

    Raises:
        UsageError: The label is empty, or the name is not valid.
    """

    rule: Rule

    def __post_init__(self) -> None:
        label = self.rule.label
        if label is not None and (not label.strip() or "\0" in label):
            raise UsageError(
                "a label must be text that is not empty", hint="Leave --label out for the table's own name."
            )
        table_names.parse(self.rule.name)

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the stored rules with this one, under the registered name of its table."""
        rule = replace(self.rule, origin=self.rule.origin or COMMAND_LINE)
        stored = rule_store.read(conn)
        current = read_catalog(conn, [*stored, rule])
        now = resolve.resolve(stored, current, follow_renames=True).rules
        resolution = resolve.resolve([rule], current, follow_renames=False)
        rule = replace(rule, name=resolution.rules[0].name)
        missing = tuple(problem.message for problem in resolution.problems if problem.is_missing)
        return DesiredRules(_put(now, rule), frozenset({rule.name}), problems=missing)


@dataclass(frozen=True, slots=True)
class WithoutTable:
    """The stored rules without a table, or without some of its actions.

    A table that a glob covers gets a rule of its own that leaves out these actions. So does a table or view that is not
    audited and has the former name of an audited table: `check` then ignores it.

    Attributes:
        name: The table, or a glob as a rule names it.
        actions: The actions to stop; empty for all.

    Raises:
        UsageError: The name is not valid.
    """

    name: str
    actions: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        table_names.parse(self.name)

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the rules without it.

        Raises:
            ConfigurationError: No rule covers the table.
        """
        stored = rule_store.read(conn)
        probe = Rule(self.name, (), origin=COMMAND_LINE)
        current = read_catalog(conn, [*stored, probe])
        name = resolve.resolve([probe], current, follow_renames=False).rules[0].name
        covering = resolve.resolve(stored, current, follow_renames=True)
        covering_rule = rule_in_force(covering, name)
        if covering_rule is None and any(former.name == name for former in unseen.former_names(conn)):
            # A rule without actions states that it is deliberately not audited.
            return DesiredRules(_put(covering.rules, replace(probe, name=name)), frozenset({name}))
        if covering_rule is None or not covering_rule.actions:
            raise ConfigurationError(
                [f"TABLE: {name} is not audited"], hint="List what is audited with: auditctl tables"
            )
        remaining = tuple(action for action in covering_rule.actions if self.actions and action not in self.actions)
        return _without(covering, covering_rule, name, remaining)


Desired = AllRules | WithRule | WithoutTable
"""A desired state, whose `resolve` returns the rules that it means in a database."""


def read_catalog(conn: Connection, rules: Iterable[Rule]) -> Catalog:
    """Return the catalog, with columns, key and triggers wherever these rules reach."""
    all_rules = tuple(rules)
    return catalog.read(conn, lambda relation: resolve.needs(all_rules, relation))


def rule_in_force(covering: Resolution, name: str) -> Rule | None:
    """Return the rule for a registered name: its own, else the glob that covers the table; None for none."""
    own = next((rule for rule in covering.rules if rule.name == name), None)
    return own or next((rule for relation, rule in covering.covered if qualified(*relation.identity) == name), None)


def rule_for_table(covering_rule: Rule, name: str, covering: Resolution) -> Rule:
    """Return what a rule says about one table: a glob may name columns that this table does not have."""
    relation = next((r for r, _ in covering.covered if qualified(*r.identity) == name), None)
    if relation is None or covering_rule.name == name:
        return replace(covering_rule, name=name)
    has_key = not relation.primary_key and set(relation.columns).issuperset(covering_rule.key)
    return replace(
        rule_keys.keep_columns(covering_rule, relation.columns), name=name, key=covering_rule.key if has_key else ()
    )


def _put(rules: Iterable[Rule], rule: Rule) -> tuple[Rule, ...]:
    """Return the rules with one in place of the rule of its name, else after all others."""
    replaced = tuple(rule if other.name == rule.name else other for other in rules)
    return replaced if rule in replaced else (*replaced, rule)


def _without(covering: Resolution, covering_rule: Rule, name: str, remaining: tuple[Action, ...]) -> DesiredRules:
    """Return the rules with only the remaining actions for one table or glob."""
    is_glob = table_names.parse(name).is_glob
    reached = {qualified(*relation.identity) for relation, rule in covering.covered if rule.name == covering_rule.name}
    only = frozenset({name} | (reached if is_glob else set()))
    others = tuple(rule for rule in covering.rules if rule.name != name)
    is_under_glob = any(rule.actions and _is_glob_over(rule.name, name) for rule in others)
    if not remaining and (is_glob or not is_under_glob):
        return DesiredRules(others, only)
    rule = replace(rule_for_table(covering_rule, name, covering), actions=remaining, origin=COMMAND_LINE)
    return DesiredRules(_put(covering.rules, rule_keys.drop_useless(rule)), only)


def _is_glob_over(glob: str, name: str) -> bool:
    pattern, exact = table_names.parse(glob), table_names.parse(name)
    return pattern.is_glob and exact.schema is not None and pattern.matches(exact.schema.text, exact.table.text)

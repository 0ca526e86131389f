"""The desired state: the rules of the database or of a file, with one rule more, or with one less.

It is resolved inside the transaction that plans it, against what the database has there. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from auditctl.actions import Action
from auditctl.capture import catalog, resolve, rule_keys, rule_store, table_names
from auditctl.capture.config.document import Document
from auditctl.capture.model import Catalog, EventType
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.table_names import qualified
from auditctl.capture.validate import COMMAND_LINE
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.retention.times import Retention


@dataclass(frozen=True, slots=True)
class DesiredRules:
    """The rules that should be in force, and how far a plan for them reaches.

    Attributes:
        rules: All rules, in order.
        only: Registered names of the rules to act on; None for all.
        follow_renames: Whether the rules come from the database, so that they follow a renamed table.
        problems: What is wrong with them already.
        event_types: The types of business events there should be; None for those there are.
        retention: How long events should be kept; None for as long as is stated.
        has_file: Whether the rules come from a file, which may be silent about something that the database has.
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
        rule: The rule; without an `origin` it is one of the command line.

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
        found = read_catalog(conn, [*stored, rule])
        now = resolve.resolve(stored, found, follow_renames=True).rules
        resolution = resolve.resolve([rule], found, follow_renames=False)
        rule = replace(rule, name=resolution.rules[0].name)
        missing = tuple(problem.message for problem in resolution.problems if problem.is_missing)
        return DesiredRules(_put(now, rule), frozenset({rule.name}), problems=missing)


@dataclass(frozen=True, slots=True)
class WithoutTable:
    """The stored rules without a table, or without some of its actions.

    A table that a glob covers gets a rule of its own that leaves out these actions.

    Attributes:
        name: The table, or a glob as it stands in a rule.
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
        asked = Rule(self.name, (), origin=COMMAND_LINE)
        found = read_catalog(conn, [*stored, asked])
        name = resolve.resolve([asked], found, follow_renames=False).rules[0].name
        covering = resolve.resolve(stored, found, follow_renames=True)
        over = rule_in_force(covering, name)
        if over is None or not over.actions:
            raise ConfigurationError(
                [f"TABLE: {name} is not audited"], hint="List what is audited with: auditctl tables"
            )
        left = tuple(action for action in over.actions if self.actions and action not in self.actions)
        return _without(covering, over, name, left)


Desired = AllRules | WithRule | WithoutTable
"""What somebody asks for, before the database is asked what that means."""


def read_catalog(conn: Connection, rules: Iterable[Rule]) -> Catalog:
    """Return the catalog, with columns, key and triggers wherever these rules reach."""
    chosen = tuple(rules)
    return catalog.read(conn, lambda relation: resolve.wants(chosen, relation))


def rule_in_force(covering: Resolution, name: str) -> Rule | None:
    """Return the rule for a registered name: its own, else the glob that covers the table; None for none."""
    own = next((rule for rule in covering.rules if rule.name == name), None)
    return own or next((rule for relation, rule in covering.covered if qualified(*relation.identity) == name), None)


def rule_for_table(over: Rule, name: str, covering: Resolution) -> Rule:
    """Return what a rule says about one table: a glob may name columns that this table does not have."""
    relation = next((r for r, _ in covering.covered if qualified(*r.identity) == name), None)
    if relation is None or over.name == name:
        return replace(over, name=name)
    has_key = not relation.primary_key and set(relation.columns).issuperset(over.key)
    return replace(rule_keys.keep_columns(over, relation.columns), name=name, key=over.key if has_key else ())


def _put(rules: Iterable[Rule], rule: Rule) -> tuple[Rule, ...]:
    """Return the rules with one in the place of that of its name, else after all others."""
    rest = tuple(rule if known.name == rule.name else known for known in rules)
    return rest if rule in rest else (*rest, rule)


def _without(covering: Resolution, over: Rule, name: str, left: tuple[Action, ...]) -> DesiredRules:
    """Return the rules so that of one table or glob only the actions that are left are captured."""
    is_glob = table_names.parse(name).is_glob
    reached = {qualified(*relation.identity) for relation, rule in covering.covered if rule.name == over.name}
    only = frozenset({name} | (reached if is_glob else set()))
    others = tuple(rule for rule in covering.rules if rule.name != name)
    is_under_glob = any(rule.actions and _is_glob_over(rule.name, name) for rule in others)
    if not left and (is_glob or not is_under_glob):
        return DesiredRules(others, only)
    rule = replace(rule_for_table(over, name, covering), actions=left, origin=COMMAND_LINE)
    return DesiredRules(_put(covering.rules, rule_keys.drop_useless(rule)), only)


def _is_glob_over(glob: str, name: str) -> bool:
    pattern, exact = table_names.parse(glob), table_names.parse(name)
    return pattern.is_glob and exact.schema is not None and pattern.matches(exact.schema.text, exact.table.text)

"""Resolves single changes to rules: with some rules more, without a table, with another event type or without one.

Like every desired state, they are resolved inside the transaction that plans them. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from auditctl import table_names
from auditctl.actions import Action
from auditctl.capture import event_types, exclusion, precedence, resolve, rule_store, unseen
from auditctl.capture.config import event_types as type_section
from auditctl.capture.desired import DesiredRules, read_catalog
from auditctl.capture.model import EventType
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import COMMAND_LINE, FORM
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.table_names import qualified
from auditctl.text import in_quotes


@dataclass(frozen=True, slots=True)
class WithRules:
    """Some rules, each in place of the one that its table has; all others stay.

    Attributes:
        rules: The rules; those without an `origin` come from the command line.
        is_shared: Whether they state the same of several tables, so that each takes the columns that its table has.

    Raises:
        UsageError: A label is empty, or a name is not valid.
    """

    rules: tuple[Rule, ...]
    is_shared: bool = False

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule.label is not None and (not rule.label.strip() or "\0" in rule.label):
                raise UsageError(
                    "a label must be text that is not empty", hint="Leave --label out for the table's own name."
                )
            table_names.parse(rule.name)

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the stored rules with these, under the registered names of their tables."""
        stored = rule_store.read(conn)
        stated = [replace(rule, origin=rule.origin or COMMAND_LINE) for rule in self.rules]
        current = read_catalog(conn, [*stored, *stated])
        before = resolve.resolve(stored, current, follow_renames=True)
        resolution = resolve.resolve(stated, current, follow_renames=False)
        problems = [problem.message for problem in resolution.problems if problem.is_missing]
        relations = {qualified(*relation.identity): relation for relation in current.relations}
        subjects = [replace(rule, name=found.name) for rule, found in zip(stated, resolution.rules, strict=True)]
        if self.is_shared:
            problems += exclusion.unknown_columns(subjects, relations)
            subjects = [exclusion.with_own_columns(rule, relations) for rule in subjects]
        rules = before.rules
        for rule in subjects:
            rules = precedence.put(rules, rule)
        for number, rule in enumerate(subjects):
            if rule.origin == FORM:
                subjects[number] = exclusion.as_stated(rule, rules, relations.get(rule.name))
                rules = precedence.put(rules, subjects[number])
        names = _changed(before, resolve.resolve(rules, current, follow_renames=True)) | {
            rule.name for rule in subjects
        }
        return DesiredRules(rules, names, problems=tuple(problems), subjects=tuple(subjects), catalog=current)


@dataclass(frozen=True, slots=True)
class WithoutTable:
    """The stored rules without what a name or glob matches, or without some of its actions; see `exclusion.without`.

    A table or view that is not audited and has the former name of an audited table gets a rule without actions:
    `check` then ignores it.

    Attributes:
        name: The table, or a glob.
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
            ConfigurationError: No rule audits anything of that name.
        """
        stored = rule_store.read(conn)
        probe = Rule(self.name, (), origin=COMMAND_LINE)
        current = read_catalog(conn, [*stored, probe])
        name = resolve.resolve([probe], current, follow_renames=False).rules[0].name
        covering = resolve.resolve(stored, current, follow_renames=True)
        rules = exclusion.without(covering, name, self.actions)
        if rules is None and any(former.name == name for former in unseen.former_names(conn)):
            # A rule without actions states that it is deliberately not audited.
            rules = precedence.put(covering.rules, replace(probe, name=name))
        if rules is None:
            raise ConfigurationError(
                [f"TABLE: {name} is not audited"], hint="List what is audited with: auditctl tables"
            )
        pattern = table_names.parse(name)
        inside = {rule.name for rule in covering.rules if pattern.covers(table_names.parse(rule.name))}
        reached = {audited.target for audited in covering.audited if pattern.matches(*audited.root.identity)}
        changed = _changed(covering, resolve.resolve(rules, current, follow_renames=True))
        only = frozenset({name} | inside | reached | changed)
        return DesiredRules(rules, only, subjects=(replace(probe, name=name),))


@dataclass(frozen=True, slots=True)
class WithEventType:
    """The stored event types with one that is stated anew, or in place of the one of that name; the rules stay.

    Attributes:
        event_type: The type.

    Raises:
        ConfigurationError: Its name or its label is not valid.
    """

    event_type: EventType

    def __post_init__(self) -> None:
        if problems := type_section.problems(self.event_type):
            raise ConfigurationError(problems)

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the stored rules, with the event types."""
        name = self.event_type.name
        others = (one for one in event_types.read(conn) if one.name != name)
        types = sorted((*others, self.event_type), key=lambda one: one.name)
        return DesiredRules(rule_store.read(conn), frozenset(), event_types=tuple(types))


@dataclass(frozen=True, slots=True)
class WithoutEventType:
    """The stored event types without one: its events are recorded under their own name. The rules stay.

    Attributes:
        name: The name of the type.
    """

    name: str

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the stored rules, with the other event types.

        Raises:
            ConfigurationError: No type of that name is stored.
        """
        stored = event_types.read(conn)
        others = tuple(one for one in stored if one.name != self.name)
        if others == stored:
            raise ConfigurationError([f"no event type {in_quotes(self.name)} is stated"])
        return DesiredRules(rule_store.read(conn), frozenset(), event_types=others)


def _changed(before: Resolution, after: Resolution) -> frozenset[str]:
    """Return the names of the tables that another rule covers afterwards, or none, or whose rule hides others."""
    rules, now = (
        {name: (c.rule.name, c.rule.exclude, c.rule.mask) for name, c in each.coverings.items()}
        for each in (before, after)
    )
    return frozenset(name for name in rules.keys() | now.keys() if rules.get(name) != now.get(name))

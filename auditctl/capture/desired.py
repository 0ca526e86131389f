"""Resolves a desired state to rules: those of a file or of the database, with one rule more, or with one less.

It is resolved inside the transaction that plans it, against what the database has there. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from auditctl import table_names
from auditctl.actions import Action
from auditctl.capture import (
    accepted,
    admin_limit,
    catalog,
    exclusion,
    precedence,
    resolve,
    rule_store,
    scope,
    unseen,
    within_limit,
)
from auditctl.capture.accepted import Acceptance
from auditctl.capture.config.document import Document
from auditctl.capture.model import Catalog, EventType
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.scope import Scope
from auditctl.capture.validate import COMMAND_LINE, FORM
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
        accepted: The findings of doctor that should be accepted; None likewise.
        has_file: Whether the rules come from a file, which may not mention everything that the database has.
        subject: The rule that the change is about, without actions where nothing should remain; None for all.
        limits: The tables that the plan is limited to; None for all.
        warnings: What may surprise, as sentences.
        catalog: The catalog that they were resolved with, which a plan in the same transaction uses; None to read it.
        is_thorough: Whether every function is generated for comparison, also where a digest says that it is sound.
        admin: The names and globs of the tables that administrators may change; None to leave that as it is.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str] | None = None
    follow_renames: bool = True
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    accepted: tuple[Acceptance, ...] | None = None
    has_file: bool = False
    subject: Rule | None = None
    limits: Scope | None = None
    warnings: tuple[str, ...] = ()
    catalog: Catalog | None = None
    is_thorough: bool = False
    admin: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class AllRules:
    """What a file states, or the rules stored in the database.

    Attributes:
        document: The file; None for the stored rules.
        only: The names and globs of the tables to look at; empty for all. Other rules then stay as they are stored.
        is_thorough: As in `DesiredRules`.
        is_for_login: Whether what an administrator may not change stays as it is stored, if the login is one.
    """

    document: Document | None = None
    only: tuple[str, ...] = ()
    is_thorough: bool = False
    is_for_login: bool = True

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the rules; those that the database has already are marked so.

        Raises:
            UsageError: A name of `only` matches no table and no rule.
        """
        stored = rule_store.read(conn)
        wanted = () if self.document is None else self.document.rules
        current, limits = read_limited(conn, [*stored, *wanted], self.only)
        if limits is not None:
            return self._limited(stored, current, limits)
        goal = DesiredRules(stored, catalog=current, is_thorough=self.is_thorough)
        if self.document is not None:
            goal = replace(
                goal,
                rules=tuple(replace(rule, is_in_force=rule in stored) for rule in self.document.rules),
                follow_renames=False,
                problems=self.document.problems,
                event_types=self.document.event_types,
                retention=self.document.retention,
                accepted=self.document.accepted,
                has_file=True,
                admin=self.document.admin,
            )
        return _for_administrator(conn, goal, stored, current) if self.is_for_login else goal

    def _limited(self, stored: tuple[Rule, ...], current: Catalog, limits: Scope) -> DesiredRules:
        """Return the rules where the file, if there is one, counts for some tables alone, not for events or times."""
        rules, wide = stored, []
        if self.document is not None:
            wanted = resolve.resolve(self.document.rules, current, follow_renames=False).rules
            rules = scope.merge(stored, [replace(rule, is_in_force=rule in stored) for rule in wanted], limits)
            wide = [rule for rule in rules if rule not in stored and not limits.covers(rule.name)]
        return DesiredRules(
            rules,
            limits.targets | {rule.name for rule in (*stored, *rules) if limits.concerns(rule.name)},
            follow_renames=self.document is None,
            problems=self.document.problems if self.document else (),
            limits=limits,
            warnings=tuple(
                f"rule {rule.name} also covers tables that --only does not name; they stay as they are until: "
                "auditctl apply"
                for rule in wide
                if table_names.parse(rule.name).is_glob
            ),
            catalog=current,
            is_thorough=self.is_thorough,
        )


def _for_administrator(
    conn: Connection, goal: DesiredRules, stored: tuple[Rule, ...], current: Catalog
) -> DesiredRules:
    """Return what an administrator may change of it, and the rest as it is stored; all of it for others."""
    if not admin_limit.is_administrator(conn):
        return goal
    limit, warnings = admin_limit.read(conn), goal.warnings
    if goal.admin not in (None, limit):
        warnings += (f"{admin_limit.SECTION} stays as it is: only the login that installed auditctl changes it",)
    if goal.accepted not in (None, accepted.read(conn)):
        warnings += ("accepted findings stay as they are: only a login that may act as auditctl_owner changes them",)
    if limit is None:
        return replace(goal, admin=None, accepted=None, warnings=warnings)
    within = within_limit.keep(conn, stored, goal.rules if goal.has_file else None, current)
    warnings += within.warnings
    if goal.event_types is not None or goal.retention is not None:
        warnings += (f"event types and retention: left as stored, as {admin_limit.SECTION} limits you to tables",)
    return DesiredRules(
        within.rules,
        within.only,
        follow_renames=goal.follow_renames,
        problems=goal.problems,
        warnings=warnings,
        catalog=current,
        is_thorough=goal.is_thorough,
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
        before = resolve.resolve(stored, current, follow_renames=True)
        resolution = resolve.resolve([rule], current, follow_renames=False)
        rule = replace(rule, name=resolution.rules[0].name)
        missing = tuple(problem.message for problem in resolution.problems if problem.is_missing)
        rules = precedence.put(before.rules, rule)
        if rule.origin == FORM:
            relation = next((r for r in current.relations if qualified(*r.identity) == rule.name), None)
            rule = exclusion.as_stated(rule, rules, relation)
            rules = precedence.put(before.rules, rule)
        changed = _changed(before, resolve.resolve(rules, current, follow_renames=True))
        return DesiredRules(rules, changed | {rule.name}, problems=missing, subject=rule, catalog=current)


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
        return DesiredRules(rules, only, subject=replace(probe, name=name))


Desired = AllRules | WithRule | WithoutTable
"""A desired state, whose `resolve` returns the rules that it means in a database."""


def read_catalog(conn: Connection, rules: Iterable[Rule], limits: Scope | None = None) -> Catalog:
    """Return the catalog, with columns, key and triggers wherever these rules reach within the limits."""
    within = None if limits is None else lambda _catalog: limits.relations
    return catalog.read(conn, resolve.relevant(rules), within)


def read_limited(conn: Connection, rules: Iterable[Rule], only: Sequence[str]) -> tuple[Catalog, Scope | None]:
    """Return the catalog as `read_catalog` does within what names and globs mean, and what that is; None for no names.

    Raises:
        UsageError: A name matches no table and no rule.
    """
    all_rules = tuple(rules)
    if not only:
        return read_catalog(conn, all_rules), None
    found: list[Scope] = []

    def within(current: Catalog) -> frozenset[tuple[str, str]]:
        found.append(scope.find(only, current, all_rules))
        return found[0].relations

    return catalog.read(conn, resolve.relevant(all_rules), within), found[0]


def _changed(before: Resolution, after: Resolution) -> frozenset[str]:
    """Return the names of the tables that another rule covers afterwards, or none, or whose rule hides others."""
    rules, now = (
        {name: (c.rule.name, c.rule.exclude, c.rule.mask) for name, c in each.coverings.items()}
        for each in (before, after)
    )
    return frozenset(name for name in rules.keys() | now.keys() if rules.get(name) != now.get(name))

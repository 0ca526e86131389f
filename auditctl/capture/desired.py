"""Resolves a desired state to rules: those of a file or of the database. Single changes are in `desired_changes`.

It is resolved inside the transaction that plans it, against what the database has there. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from auditctl import table_names
from auditctl.archive.settings import Settings
from auditctl.capture import (
    accepted,
    admin_limit,
    catalog,
    resolve,
    rule_store,
    scope,
    within_limit,
)
from auditctl.capture.accepted import Acceptance
from auditctl.capture.config.document import Document
from auditctl.capture.model import Catalog, EventType
from auditctl.capture.rule_keys import Rule
from auditctl.capture.scope import Scope
from auditctl.database import Connection
from auditctl.retention.times import Retention


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
        subjects: The rules that the change is about, without actions where nothing should remain; empty for all.
        limits: The tables that the plan is limited to; None for all.
        warnings: What may surprise, as sentences.
        catalog: The catalog that they were resolved with, which a plan in the same transaction uses; None to read it.
        is_thorough: Whether every function is generated for comparison, also where a digest says that it is sound.
        admin: The names and globs of the tables that administrators may change; None to leave that as it is.
        archive: Where months should be archived, and which ones should stay; None to leave that as it is.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str] | None = None
    follow_renames: bool = True
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    accepted: tuple[Acceptance, ...] | None = None
    has_file: bool = False
    subjects: tuple[Rule, ...] = ()
    limits: Scope | None = None
    warnings: tuple[str, ...] = ()
    catalog: Catalog | None = None
    is_thorough: bool = False
    admin: tuple[str, ...] | None = None
    archive: Settings | None = None


class Desired(Protocol):
    """A desired state."""

    def resolve(self, conn: Connection) -> DesiredRules:
        """Return the rules that it means in a database.

        Raises:
            ConfigurationError: It means nothing there.
            UsageError: A name in it is not known.
        """


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
                archive=self.document.archive,
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
    if (goal.event_types, goal.retention, goal.archive) != (None, None, None):
        others = "event types, retention and archives"
        warnings += (f"{others}: left as stored, as {admin_limit.SECTION} limits you to tables",)
    return DesiredRules(
        within.rules,
        within.only,
        follow_renames=goal.follow_renames,
        problems=goal.problems,
        warnings=warnings,
        catalog=current,
        is_thorough=goal.is_thorough,
    )


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

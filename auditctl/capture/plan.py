"""The data classes of a plan: changes of triggers, policies, functions and event types, and why each is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from auditctl.actions import Action, in_order
from auditctl.capture.model import Statement
from auditctl.capture.precedence import Covering
from auditctl.capture.rule_keys import Rule
from auditctl.capture.uncovered import Uncovered
from auditctl.retention.times import RetentionPlan
from auditctl.text import is_glob


class ChangeKind(StrEnum):
    """What has to be done to a trigger and its function, or to an event type."""

    CREATE = "CREATE"
    REPLACE = "REPLACE"
    ENABLE = "ENABLE"
    DROP = "DROP"
    STORE = "STORE"
    KEEP = "KEEP"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a plan.

    Attributes:
        kind: What is done.
        target: The registered table, `schema.table`; of an event type, its name.
        action: The captured action; EVENT for what is not a table.
        relation: Where the trigger sits: the target itself, or one of its partitions or children.
        reason: Why, as a sentence.
        statements: How; empty for KEEP.
        relation_oid: Object id of that relation; None for a function that no trigger needs, and for an event type.
        records_itself: Whether the database records the change as an event by itself, as it does of event types.
        is_setting: Whether it is of [admin], [archive] or an accepted finding, which are about no table and no events.
        digest: The function, and what auditctl.function_digest has for it once this is done; None where it has that
            already.
    """

    kind: ChangeKind
    target: str
    action: Action
    relation: str
    reason: str
    statements: tuple[Statement, ...] = ()
    relation_oid: int | None = None
    records_itself: bool = False
    is_setting: bool = False
    digest: tuple[str, str] | None = field(default=None, compare=False, repr=False)


def action_names(changes: Iterable[Change]) -> str:
    """Return the actions of changes as a list, in the order of files; empty for changes of settings."""
    actions = in_order(change.action for change in changes if not change.is_setting)
    return ", ".join(action.lower() for action in actions)


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is audited, as auditctl.target has it.

    Attributes:
        name: `schema.table`.
        label: What people see, or None.
        key: Columns of the key, in order; empty without one.
        relation: Object id of the table.
        rule: The rule in force.
        renamed_from: The name under which its triggers were installed, where that differs; else None.
    """

    name: str
    label: str | None
    key: tuple[str, ...]
    relation: int
    rule: Rule
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that is added, changed or removed.

    Attributes:
        before: The rule as stored; None for a new one.
        after: The rule to store; None for one that is removed.
    """

    before: Rule | None
    after: Rule | None

    @property
    def name(self) -> str:
        """The rule's name."""
        return next(rule.name for rule in (self.after, self.before) if rule is not None)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to get from what the database has to what the rules say.

    Attributes:
        changes: In the order of execution; KEEP included.
        rules: The rules, with names as registered and renames followed.
        targets: The tables that the rules cover and that capture something.
        warnings: What may surprise, as sentences.
        retention: What changes in the retention of events.
        stored: The rules as the database has them now.
        unseen: What keeps writes from the log or repeats them there, as sentences; see `unseen.sentences`.
        coverings: The rules that match each table, by its registered name.
        faulty: The names of rules that do not fit the database.
        notes: For a change of one table or glob, which rules cover what it names, as sentences.
        uncovered: The columns that were hidden until now, and would be recorded in the clear.
        keys: Which tables get which key, other than a primary key or another one than before, as sentences.
        accepted_keyless: The targets without a key of which somebody accepted that, so that no warning is due.
    """

    changes: tuple[Change, ...]
    rules: tuple[Rule, ...]
    targets: tuple[Target, ...]
    warnings: tuple[str, ...] = ()
    retention: RetentionPlan = field(default_factory=RetentionPlan)
    stored: tuple[Rule, ...] = ()
    unseen: tuple[str, ...] = ()
    coverings: Mapping[str, Covering] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()
    faulty: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    accepted_keyless: frozenset[str] = frozenset()

    @property
    def is_done(self) -> bool:
        """Whether the database is as the rules say."""
        return not self.number

    @property
    def number(self) -> int:
        """In how many ways the database is otherwise than the rules say."""
        return sum(map(len, (self.pending, self.rule_differences, self.retention.differences))) + self.is_reordered

    @property
    def is_reordered(self) -> bool:
        """Whether the globs have another order than those that are stored, which decides for tables yet to come."""
        before, after = ([rule.name for rule in rules if is_glob(rule.name)] for rules in (self.stored, self.rules))
        return [name for name in before if name in after] != [name for name in after if name in before]

    @property
    def has_work(self) -> bool:
        """Whether anything but rows of the store has to change."""
        return any(change.statements for change in self.pending) or bool(self.retention.differences)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if change.kind is not ChangeKind.KEEP)

    @property
    def keyless(self) -> tuple[str, ...]:
        """The registered names of the targets whose updates and deletions do not say of which row."""
        which = {Action.UPDATE, Action.DELETE}
        return tuple(one.name for one in self.targets if not one.key and not which.isdisjoint(one.rule.actions))

    @property
    def unaccepted_keyless(self) -> tuple[str, ...]:
        """Those without a key of which nobody accepted that."""
        return tuple(name for name in self.keyless if name not in self.accepted_keyless)

    @property
    def rule_changes(self) -> tuple[RuleChange, ...]:
        """The rules that differ from what is stored, by name."""
        before = {rule.name: rule for rule in self.stored}
        after = {rule.name: rule for rule in self.rules}
        pairs = [RuleChange(before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]
        return tuple(pair for pair in pairs if pair.before != pair.after)

    @property
    def rule_differences(self) -> tuple[RuleChange, ...]:
        """The rules that differ from what is stored where no pending change shows it, but for those that do not fit."""
        changed = {change.target for change in self.pending}
        shown = {c.rule.name for name, c in self.coverings.items() if name in changed} | changed | self.faulty
        return tuple(pair for pair in self.rule_changes if pair.name not in shown)

    @property
    def is_empty(self) -> bool:
        """Whether carrying it out would change nothing at all: no trigger, no rule, no time."""
        return self.is_done and not self.rule_changes

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all that the plan does, in hex; any other plan has another one."""
        everything = (self.pending, self.rule_changes, self.retention, self.uncovered)
        return hashlib.sha256(repr(everything).encode("utf-8", "surrogatepass")).hexdigest()

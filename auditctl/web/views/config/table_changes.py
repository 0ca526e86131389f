"""The changes of tables that forms ask for: what to record of one, of several, or no longer, and all rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from auditctl import table_names
from auditctl.capture import table_details
from auditctl.capture.desired import AllRules, Desired
from auditctl.capture.desired_changes import WithoutTable, WithRules
from auditctl.capture.plan import Plan
from auditctl.capture.rule_keys import COLUMNS, KEYS, Kind, Rule
from auditctl.capture.validate import FORM
from auditctl.database import Connection
from auditctl.errors import ConfigurationError
from auditctl.text import plural
from auditctl.web.render.row_ids import row_id
from auditctl.web.request import Visit
from auditctl.web.views.config.request import ChangeRequest, key_fields, key_values, number_of_changes

SHARED_KEYS = tuple(key for key in KEYS if key.kind is not Kind.TEXT and key.name not in ("key", "auto"))
"""The keys that several tables can have in common: a label and a key belong to one, new tables join a glob."""


@dataclass(frozen=True, slots=True)
class EnableTable(ChangeRequest):
    """To record a table or glob as a rule says.

    Attributes:
        rule: The table or glob, and what is to be recorded of it.
    """

    kind: ClassVar[str] = "enable"
    rule: Rule

    @classmethod
    def parse(cls, visit: Visit) -> Self:
        """Return what the form states."""
        return cls(_rule(visit))

    @property
    def title(self) -> str:
        """The heading of its plan."""
        return f"Plan for {self.rule.name}"

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this."""
        yield "change", self.kind
        yield "table", self.rule.name
        yield from key_fields(self.rule, KEYS)

    def desired(self) -> Desired:
        """Return the rules with this one."""
        _require_actions(self.rule)
        return WithRules((self.rule,))

    def completed(self, conn: Connection) -> ChangeRequest:
        """Return it with columns in the order of the rule in force, as far as that has them: boxes have no order."""
        known = table_details.read(conn, self.rule.name).rule
        if known is None:
            return self
        lists: dict[str, Any] = {
            key.name: _ordered(getattr(self.rule, key.name) or (), getattr(known, key.name) or ()) for key in COLUMNS
        }
        return replace(self, rule=replace(self.rule, **lists))

    @property
    def rows(self) -> tuple[str, ...]:
        """The row of the table, or of the glob."""
        return (_row(self.rule.name),)

    def outcome(self, applied: Plan) -> str:
        """Return how many changes were made."""
        return _outcome(f"the rule of {self.rule.name}", self.rule.name, applied)


@dataclass(frozen=True, slots=True)
class DisableTable(EnableTable):
    """To stop recording a table or glob, or some of its actions: those of the rule."""

    kind: ClassVar[str] = "disable"
    is_stop: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """The heading of its plan."""
        return f"Plan to disable {self.rule.name}"

    def desired(self) -> Desired:
        """Return the rules without it."""
        _require_actions(self.rule)
        return WithoutTable(self.rule.name, self.rule.actions)

    def completed(self, _conn: Connection) -> ChangeRequest:
        """Return it as it is."""
        return self


@dataclass(frozen=True, slots=True)
class EnableTables(ChangeRequest):
    """To record several tables in the same way, each by a rule of its own.

    Attributes:
        tables: Their names.
        rule: What is to be recorded of each; without a name.
    """

    kind: ClassVar[str] = "tables"
    tables: tuple[str, ...]
    rule: Rule

    @classmethod
    def parse(cls, visit: Visit) -> Self:
        """Return what the form states."""
        return cls(
            tuple(dict.fromkeys(visit.form.get("table", ()))), Rule("", origin=FORM, **key_values(visit, SHARED_KEYS))
        )

    @property
    def title(self) -> str:
        """The heading of its plan."""
        return f"Plan for {plural(len(self.tables), 'table')}"

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this."""
        yield "change", self.kind
        yield from (("table", name) for name in self.tables)
        yield from key_fields(self.rule, SHARED_KEYS)

    def desired(self) -> Desired:
        """Return the rules with one for each table."""
        if not self.tables:
            raise ConfigurationError(["Tables: tick at least one"])
        _require_actions(self.rule)
        return WithRules(tuple(replace(self.rule, name=name) for name in self.tables), is_shared=True)

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of the tables."""
        return tuple(map(_row, self.tables))

    def outcome(self, applied: Plan) -> str:
        """Return how many changes were made."""
        tables = plural(len(self.tables), "table")
        return _outcome(f"the rules of {tables}", tables, applied)


@dataclass(frozen=True, slots=True)
class ApplyRules(ChangeRequest):
    """To make the database follow the rules that it has."""

    kind: ClassVar[str] = "apply"
    has_form: ClassVar[bool] = False

    @classmethod
    def parse(cls, _visit: Visit) -> Self:
        """Return it; its form has no fields."""
        return cls()

    @property
    def title(self) -> str:
        """The heading of its plan."""
        return "Plan for all rules"

    def desired(self) -> Desired:
        """Return the rules as they are stored."""
        return AllRules()

    def outcome(self, applied: Plan) -> str:
        """Return how many changes were made."""
        number = number_of_changes(applied)
        if number:
            return f"Applied {plural(number, 'change')}."
        return "No trigger had to change. The audited tables were registered again."


def stop(rule: Rule) -> DisableTable:
    """Return what stops everything that a rule records."""
    return DisableTable(Rule(rule.name, rule.actions, origin=FORM))


def _rule(visit: Visit) -> Rule:
    return Rule(visit.one(visit.form, "table", ""), origin=FORM, **key_values(visit, KEYS))


def _require_actions(rule: Rule) -> None:
    if not rule.actions:
        raise ConfigurationError(["Actions: choose at least one"])


def _row(name: str) -> str:
    return row_id("rule" if table_names.parse(name).is_glob else "table", name)


def _outcome(rules: str, where: str, applied: Plan) -> str:
    if number := number_of_changes(applied):
        return f"Applied {plural(number, 'change')} to {where}."
    return f"Stored {rules}. No trigger had to change."


def _ordered(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(name for name in known if name in names), *names]))

"""Parses the posted forms of the configuration: enable a table, disable one, or apply all rules. Uses no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from auditctl import actions
from auditctl.actions import Action
from auditctl.capture.desired import AllRules, Desired, WithoutTable, WithRule
from auditctl.capture.rule_keys import COLUMNS, KEYS, SWITCHES, Kind, Rule, RuleKey
from auditctl.capture.validate import FORM
from auditctl.errors import ConfigurationError
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit


class ChangeType(StrEnum):
    """What is to happen."""

    ENABLE = "enable"
    DISABLE = "disable"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that somebody asks for.

    Attributes:
        kind: What is to happen.
        rule: The table or glob, and what is to be recorded of it; of one that is disabled, the actions to stop.
    """

    kind: ChangeType
    rule: Rule

    @property
    def table(self) -> str:
        """The table or glob; empty for all rules."""
        return self.rule.name

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this, as names and values."""
        yield "change", self.kind
        yield "table", self.rule.name
        for key, value in self.rule.explicit_values().items():
            match key.kind:
                case Kind.TEXT | Kind.CHOICE:
                    yield key.name, value
                case Kind.ACTIONS:
                    yield from (("action", action.lower()) for action in value)
                case Kind.COLUMNS:
                    yield from ((key.name, column) for column in value)
                case Kind.SWITCH:
                    continue
        # A form sends only those that are on, also by default.
        yield from ((key.name, "1") for key in SWITCHES if getattr(self.rule, key.name))

    def desired(self) -> Desired:
        """Return the desired state.

        Raises:
            ConfigurationError: No action is chosen.
            UsageError: The name of the table or the label is not valid.
        """
        if self.kind is ChangeType.APPLY:
            return AllRules()
        if not self.rule.actions:
            raise ConfigurationError(["Actions: choose at least one"])
        if self.kind is ChangeType.DISABLE:
            return WithoutTable(self.rule.name, self.rule.actions)
        return WithRule(self.rule)

    def ordered_as(self, known: Rule | None) -> ChangeRequest:
        """Return it with columns in the order of a known rule, as far as that has them: check boxes have no order."""
        if known is None:
            return self
        lists: dict[str, Any] = {
            key.name: _ordered(getattr(self.rule, key.name) or (), getattr(known, key.name) or ()) for key in COLUMNS
        }
        return replace(self, rule=replace(self.rule, **lists))


def posted(visit: Visit) -> ChangeRequest:
    """Return the change that the posted form asks for.

    Raises:
        BadRequest: It is nothing that the page's own forms send.
    """
    text = visit.one(visit.form, "change")
    if text not in list(ChangeType):
        raise BadRequest(f"There is no change {in_quotes(text)}.")
    if any("\0" in value for values in visit.form.values() for value in values):
        raise BadRequest("A field holds a NUL byte, which no name in a database has.")
    name, values = visit.one(visit.form, "table", ""), {key.name: _value(visit, key) for key in KEYS}
    return ChangeRequest(ChangeType(text), Rule(name, origin=FORM, **values))


def stop(rule: Rule) -> ChangeRequest:
    """Return what stops everything that a rule records."""
    return ChangeRequest(ChangeType.DISABLE, Rule(rule.name, rule.actions, origin=FORM))


def apply_all() -> ChangeRequest:
    """Return what makes the database follow the rules that it has."""
    return ChangeRequest(ChangeType.APPLY, Rule("", ()))


def _value(visit: Visit, key: RuleKey) -> Any:
    match key.kind:
        case Kind.TEXT:
            return visit.one(visit.form, key.name, "").strip() or None
        case Kind.ACTIONS:
            return _actions(visit)
        case Kind.COLUMNS:
            return _columns(visit, key.name)
        case Kind.CHOICE:
            return _choice(visit, key)
        case Kind.SWITCH:
            return visit.one(visit.form, key.name, "") == "1"


def _actions(visit: Visit) -> tuple[Action, ...]:
    chosen = set(visit.form.get("action", ()))
    if unknown := chosen - actions.OPTIONS.keys():
        raise BadRequest(f"There is no action {in_quotes(min(unknown))}.")
    return tuple(action for name, action in actions.OPTIONS.items() if name in chosen)


def _choice(visit: Visit, key: RuleKey) -> str:
    word = visit.one(visit.form, key.name, "") or key.choices[0]
    if word not in key.choices:
        raise BadRequest(f"There is no {key.summary} {in_quotes(word)}.")
    return word


def _columns(visit: Visit, name: str) -> tuple[str, ...]:
    """Return the columns that are checked, and those that are written one a line."""
    lines = visit.one(visit.form, f"{name}_lines", "").split("\n")
    return tuple(dict.fromkeys([*visit.form.get(name, ()), *(line.strip() for line in lines if line.strip())]))


def _ordered(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(name for name in known if name in names), *names]))

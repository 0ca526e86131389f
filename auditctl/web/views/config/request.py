"""What a form of the configuration asks for: one rule, one less, or all applied. Knows nothing of the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from auditctl import actions
from auditctl.actions import Action
from auditctl.capture import desired
from auditctl.capture.desired import MakeWish
from auditctl.capture.model import Rule
from auditctl.capture.validate import FORM
from auditctl.errors import ConfigurationError
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit

_SWITCHES = ("require_actor", "read_query", "read_force")
_LISTS = ("exclude", "mask", "key")


class Kind(StrEnum):
    """What is to happen."""

    ENABLE = "enable"
    DISABLE = "disable"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that somebody asks for.

    Attributes:
        kind: What is to happen.
        rule: The table or glob, and what is to be recorded of it; of one that is disabled, the actions to stop.
    """

    kind: Kind
    rule: Rule

    @property
    def table(self) -> str:
        """The table or glob; empty where it is about all."""
        return self.rule.name

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this, as names and values."""
        yield "change", self.kind
        yield "table", self.rule.name
        for action in self.rule.actions:
            yield "action", action.lower()
        for name in _LISTS:
            for column in getattr(self.rule, name):
                yield name, column
        yield "label", self.rule.label or ""
        for name in _SWITCHES:
            if getattr(self.rule, name):
                yield name, "1"

    def wish(self) -> MakeWish:
        """Return it as the library takes it.

        Raises:
            ConfigurationError: No action is chosen.
            UsageError: The name of the table is none.
        """
        if self.kind is Kind.APPLY:
            return desired.document(None)
        if not self.rule.actions:
            raise ConfigurationError(["Actions: choose at least one"])
        if self.kind is Kind.DISABLE:
            return desired.disabled(self.rule.name, self.rule.actions)
        return desired.enabled(self.rule)

    def ordered_as(self, known: Rule | None) -> Wanted:
        """Return it with columns in the order of a known rule, as far as that has them: check boxes have none."""
        if known is None:
            return self
        exclude, mask, key = (_ordered(getattr(self.rule, name), getattr(known, name)) for name in _LISTS)
        return replace(self, rule=replace(self.rule, exclude=exclude, mask=mask, key=key))


def of(visit: Visit) -> Wanted:
    """Return what was posted.

    Raises:
        BadRequest: It is nothing that the page's own forms send.
    """
    form = visit.form
    text = visit.one(form, "change")
    if text not in list(Kind):
        raise BadRequest(f"There is no change {text!r}.")
    chosen = set(form.get("action", ()))
    if unknown := chosen - actions.OPTIONS.keys():
        raise BadRequest(f"There is no action {min(unknown)!r}.")
    if any("\0" in value for values in form.values() for value in values):
        raise BadRequest("A field holds a NUL byte, which no name in a database has.")
    exclude, mask, key = (_columns(visit, name) for name in _LISTS)
    require_actor, read_query, read_force = (visit.one(form, name, "") == "1" for name in _SWITCHES)
    rule = Rule(
        visit.one(form, "table", ""),
        tuple(action for name, action in actions.OPTIONS.items() if name in chosen),
        visit.one(form, "label", "").strip() or None,
        exclude,
        mask,
        key,
        require_actor,
        read_query,
        read_force,
        FORM,
    )
    return Wanted(Kind(text), rule)


def stop(rule: Rule) -> Wanted:
    """Return what stops everything that a rule records."""
    return Wanted(Kind.DISABLE, Rule(rule.name, rule.actions, origin=FORM))


def everything_applied() -> Wanted:
    """Return what makes the database follow the rules that it has."""
    return Wanted(Kind.APPLY, Rule("", ()))


def every_action() -> tuple[Action, ...]:
    """Return the actions that a form offers, in their order."""
    return tuple(actions.OPTIONS.values())


def _columns(visit: Visit, name: str) -> tuple[str, ...]:
    """Return the columns that are checked, and those that are written one a line."""
    written = visit.one(visit.form, f"{name}_lines", "").split("\n")
    return tuple(dict.fromkeys([*visit.form.get(name, ()), *(line.strip() for line in written if line.strip())]))


def _ordered(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(names)
    return tuple(dict.fromkeys([*(name for name in known if name in chosen), *chosen]))

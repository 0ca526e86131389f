"""What every change of the configuration has that a form asks for, and how its fields are parsed. Uses no database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

from auditctl import actions
from auditctl.actions import Action
from auditctl.capture.desired import Desired
from auditctl.capture.plan import Plan
from auditctl.capture.rule_keys import Kind, Rule, RuleKey
from auditctl.database import Connection
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit


class ChangeRequest(ABC):
    """A change that somebody asks for.

    Attributes:
        kind: What is to happen, as the field `change` of its forms says it.
        is_stop: Whether it ends recording.
        has_form: Whether it has a form of its own, to which the plan leads back.
    """

    __slots__ = ()
    kind: ClassVar[str]
    is_stop: ClassVar[bool] = False
    has_form: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def parse(cls, visit: Visit) -> Self:
        """Return the change that a posted form asks for.

        Raises:
            BadRequest: It is nothing that the page's own forms send.
        """

    @property
    @abstractmethod
    def title(self) -> str:
        """The heading of its plan."""

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this, as names and values."""
        yield "change", self.kind

    @abstractmethod
    def desired(self) -> Desired:
        """Return the desired state.

        Raises:
            ConfigurationError: Something is missing.
            UsageError: A name or a label is not valid.
        """

    def completed(self, _conn: Connection) -> ChangeRequest:
        """Return it with what only the database knows."""
        return self

    @property
    def rows(self) -> tuple[str, ...]:
        """The ids of the rows of the configuration that it is about, the one to lead to first."""
        return ()

    @abstractmethod
    def outcome(self, applied: Plan) -> str:
        """Return what was done, as a sentence."""


def number_of_changes(applied: Plan) -> int:
    """Return how many changes a plan made, those of rows of the store left out."""
    return len([change for change in applied.pending if change.statements]) + len(applied.retention.differences)


def key_fields(rule: Rule, keys: tuple[RuleKey, ...]) -> Iterator[tuple[str, str]]:
    """Yield what a form sends for some keys of a rule, as names and values."""
    for key in keys:
        value = getattr(rule, key.name)
        match key.kind:
            case Kind.SWITCH:
                # A form sends only those that are on, also by default.
                if value:
                    yield key.name, "1"
            case _ if value == key.default:
                continue
            case Kind.TEXT | Kind.CHOICE:
                yield key.name, value
            case Kind.ACTIONS:
                yield from (("action", action.lower()) for action in value)
            case Kind.COLUMNS:
                yield from ((key.name, column) for column in value)


def key_values(visit: Visit, keys: tuple[RuleKey, ...]) -> dict[str, Any]:
    """Return the values of some keys of a rule that a posted form states, by name.

    Raises:
        BadRequest: A value is none that the page's own forms send.
    """
    return {key.name: _value(visit, key) for key in keys}


def _value(visit: Visit, key: RuleKey) -> Any:
    match key.kind:
        case Kind.TEXT:
            return visit.one(visit.form, key.name, "").strip() or None
        case Kind.ACTIONS:
            return parse_actions(visit.form.get("action", ()))
        case Kind.COLUMNS:
            return _columns(visit, key.name)
        case Kind.CHOICE:
            return _choice(visit, key)
        case Kind.SWITCH:
            return visit.one(visit.form, key.name, "") == "1"


def parse_actions(names: Iterable[str]) -> tuple[Action, ...]:
    """Return the actions that a form or an address names, in the order of the registry.

    Raises:
        BadRequest: One of them is not known.
    """
    chosen = set(names)
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

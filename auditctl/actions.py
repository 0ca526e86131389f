"""The registry of the actions that triggers capture: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from auditctl.errors import UsageError
from auditctl.text import in_quotes


class Action(StrEnum):
    """What an event says happened: the labels of the type auditctl.action, in its order, and BASELINE.

    An event of a baseline has the action CREATE. As nobody created the row then, it is counted, filtered and drawn by
    an action of its own: see auditctl.shown_action.
    """

    CREATE = "CREATE"
    READ = "READ"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"
    EVENT = "EVENT"
    BASELINE = "BASELINE"


@dataclass(frozen=True, slots=True)
class CapturedAction:
    """An action that triggers capture; its twin in the database is a row of `auditctl_internal.captured_action()`.

    Attributes:
        action: The action of the event.
        statement: What the trigger fires on, as SQL.
    """

    action: Action
    statement: str

    @property
    def option(self) -> str:
        """The name in options and files, such as `create`."""
        return self.action.value.lower()

    @property
    def trigger(self) -> str:
        """The trigger's name, such as `auditctl_create`."""
        return f"auditctl_{self.option}"

    @property
    def template(self) -> str:
        """The template of the function's body, below sql/templates."""
        return f"{self.option}.sql.j2"


ACTIONS = (
    CapturedAction(Action.CREATE, "insert"),
    CapturedAction(Action.UPDATE, "update"),
    CapturedAction(Action.DELETE, "delete"),
    CapturedAction(Action.TRUNCATE, "truncate"),
)
"""Every captured action; the order of plans and files."""

BY_ACTION = {captured.action: captured for captured in ACTIONS}
DEFAULT = tuple(captured.action for captured in ACTIONS)
"""The actions of a rule that names none."""

OPTIONS = {action.value.lower(): action for action in (*DEFAULT, Action.READ)}
"""Every action that a rule may name, by its name in options and files; policies record reads (`read_policies`)."""


_SQL_COMMANDS = {"insert": "create", "select": "read"}
"""Commands of SQL, and the options that record them under another name."""


def suggestion(name: str) -> str:
    """Return the end of a message that suggests the option for a command of SQL; empty for other names."""
    option = _SQL_COMMANDS.get(name.lower())
    return f"; did you mean {option}?" if option else ""


def in_order(chosen: Iterable[Action]) -> list[Action]:
    """Return actions as messages, plans and files list them: in the order of OPTIONS, each once."""
    places = {action: place for place, action in enumerate(OPTIONS.values())}
    return sorted(set(chosen), key=lambda action: places.get(action, len(places)))


def parse_actions(names: Iterable[str]) -> tuple[Action, ...]:
    """Return the actions of their options' names, in the order of the registry, each once.

    Raises:
        UsageError: A name is unknown.
    """
    chosen = set()
    for name in names:
        if name.lower() not in OPTIONS:
            raise UsageError(
                f"unknown action {in_quotes(name)}{suggestion(name)}", hint=f"Actions: {', '.join(OPTIONS)}"
            )
        chosen.add(OPTIONS[name.lower()])
    return tuple(in_order(chosen))

"""The registry of the actions that triggers capture: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from auditctl.errors import UsageError

# Bits of pg_trigger.tgtype, from PostgreSQL's catalog/pg_trigger.h.
ROW = 1
INSERT = 4
DELETE = 8
UPDATE = 16
TRUNCATE = 32


class Action(StrEnum):
    """What an event says happened: the labels of the type auditctl.action, in its order."""

    CREATE = "CREATE"
    READ = "READ"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"
    EVENT = "EVENT"


@dataclass(frozen=True, slots=True)
class CapturedAction:
    """How an action is captured.

    Attributes:
        action: What the event says.
        statement: What the trigger fires on, as SQL.
        type_bits: What pg_trigger.tgtype must be: AFTER, so neither BEFORE nor INSTEAD.
        per_row: A row trigger, which PostgreSQL clones to partitions; else a statement trigger, which it does not.
    """

    action: Action
    statement: str
    type_bits: int
    per_row: bool = True

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
    CapturedAction(Action.CREATE, "insert", ROW | INSERT),
    CapturedAction(Action.UPDATE, "update", ROW | UPDATE),
    CapturedAction(Action.DELETE, "delete", ROW | DELETE),
    CapturedAction(Action.TRUNCATE, "truncate", TRUNCATE, per_row=False),
)
"""Every captured action; the order of plans and files."""

BY_ACTION = {captured.action: captured for captured in ACTIONS}
DEFAULT = tuple(captured.action for captured in ACTIONS)
"""What is audited where nobody says what."""

OPTIONS = {action.value.lower(): action for action in (*DEFAULT, Action.READ)}
"""Every action that a rule may name, by its name in options and files; reads are recorded by policies (`reading`)."""


def parse_actions(names: Iterable[str]) -> tuple[Action, ...]:
    """Return the actions of their options' names, in the order of the registry, each once.

    Raises:
        UsageError: A name is unknown.
    """
    chosen = set()
    for name in names:
        if name.lower() not in OPTIONS:
            raise UsageError(f"unknown action {name!r}", hint=f"Actions: {', '.join(OPTIONS)}")
        chosen.add(OPTIONS[name.lower()])
    return tuple(action for action in OPTIONS.values() if action in chosen)

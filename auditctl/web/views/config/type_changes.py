"""The changes of types of business events that forms ask for: to state one, to switch it on or off, to remove it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from auditctl.capture.desired import Desired
from auditctl.capture.desired_changes import WithEventType, WithoutEventType
from auditctl.capture.model import EventType
from auditctl.capture.plan import Plan
from auditctl.capture.validate import FORM
from auditctl.web.render.row_ids import row_id
from auditctl.web.request import Visit
from auditctl.web.views.config.request import ChangeRequest


@dataclass(frozen=True, slots=True)
class ChangeType(ChangeRequest):
    """To record or show business events of a name as a type says, or as if it had none.

    Attributes:
        event_type: The type.
        is_removed: Whether it is to be removed.
    """

    kind: ClassVar[str] = "event"
    event_type: EventType
    is_removed: bool = False

    @classmethod
    def parse(cls, visit: Visit) -> Self:
        """Return what the form states."""
        fields = {name: visit.one(visit.form, name, "") for name in ("target", "label", "enabled", "remove")}
        name = unicodedata.normalize("NFKC", fields["target"].strip())
        event_type = EventType(name, fields["label"].strip() or None, fields["enabled"] == "1", FORM)
        return cls(event_type, fields["remove"] == "1")

    @property
    def title(self) -> str:
        """The heading of its plan."""
        return (
            f"Plan to remove the type {self.event_type.name}" if self.is_removed else f"Plan for {self.event_type.name}"
        )

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """What a form sends to ask for exactly this."""
        yield "change", self.kind
        yield "target", self.event_type.name
        yield "label", self.event_type.label or ""
        if self.event_type.enabled:
            yield "enabled", "1"
        if self.is_removed:
            yield "remove", "1"

    def desired(self) -> Desired:
        """Return the event types with it, or without it."""
        return WithoutEventType(self.event_type.name) if self.is_removed else WithEventType(self.event_type)

    @property
    def rows(self) -> tuple[str, ...]:
        """The row of the type."""
        return (row_id("event", self.event_type.name),)

    def outcome(self, _applied: Plan) -> str:
        """Return what holds for the events now."""
        name = self.event_type.name
        if self.is_removed:
            return f"Removed the type of {name}."
        if not self.event_type.enabled:
            return f"{name} is no longer recorded."
        shown = f" and shown as {self.event_type.label}" if self.event_type.label else ""
        return f"{name} is recorded{shown}."

"""Prepares transactions for pages: as a row of their list, and as one of the log's where that is grouped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditctl.log.by_transaction.model import Group
from auditctl.log.by_transaction.reader import Groups
from auditctl.log.columns import Columns
from auditctl.text import plural
from auditctl.web.render import event_rows
from auditctl.web.render.event_rows import EventRow


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A transaction in a list.

    Attributes:
        group: The transaction with its selected events.
        newest: The latest of these.
    """

    group: Group
    newest: EventRow

    @property
    def xact(self) -> str:
        """The value of the filter `xact` for this transaction."""
        return self.group.name

    @property
    def events(self) -> int:
        """How many selected events it has."""
        return self.group.count.events

    @property
    def began(self) -> datetime:
        """When the first of them was captured."""
        return self.group.count.first_at

    @property
    def duration(self) -> str:
        """How long it took from there to the last one, as text: `0.2 s`, `4 min`."""
        seconds = (self.group.count.last_at - self.group.count.first_at).total_seconds()
        if seconds < 60:
            return f"{seconds:.1f} s"
        return f"{seconds / 60:,.0f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"

    @property
    def who(self) -> str:
        """The user of the latest event, and whether there are others."""
        return self.newest.who if self.group.count.is_of_one_user else f"{self.newest.who} and others"

    @property
    def target(self) -> str:
        """The label of its target, or how many there are."""
        names = {part.target for part in self.group.count.parts or ()}
        return self.newest.target if len(names) == 1 else plural(len(names), "target")

    @property
    def action(self) -> str:
        """Its action, or how many there are."""
        actions = {part.action for part in self.group.count.parts or ()}
        return str(next(iter(actions))) if len(actions) == 1 else plural(len(actions), "action")

    @property
    def details(self) -> str:
        """What it did; with the number of events, if it did several things."""
        several = len(self.group.count.parts or ()) > 1
        return f"{plural(self.events, 'event')}: {self.group.details}" if several else self.group.details

    def text(self, name: str) -> str:
        """Return the text of a column; empty where its events may differ."""
        if name in ("created_on", "ip_address", "reason"):
            return self.newest.text(name)
        of_all = {"user": self.who, "target": self.target, "action": self.action, "details": self.details}
        return {**of_all, "xact_id": self.xact}.get(name, "")


def rows(page: Groups, columns: Columns | None = None) -> list[GroupRow]:
    """Return the rows of a list that was read with `event_rows.row_columns` of the same columns."""
    return [GroupRow(group, event_rows.row(group.newest, columns)) for group in page.groups]

"""Reads when the capture of a table was off although rules asked for it: switched off, lost, or gone with its table.

It is from what the log has of capture itself; what nobody recorded only shows once capture is restored. Source:
queries/coverage_change.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from auditctl import own_events, resources
from auditctl.actions import ACTIONS, Action
from auditctl.database import Connection

_OF_TRIGGER = {row.trigger: row.action for row in ACTIONS}


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which an action of a target was not recorded, or perhaps not.

    Attributes:
        since: When it began; None if that is not known.
        until: When it ended; None if it goes on.
        cause: Why, and who did it, as a phrase.
        is_start: Whether recording began at its end.
    """

    since: datetime | None
    until: datetime | None
    cause: str
    is_start: bool = False


@dataclass(slots=True)
class Outages:
    """What the events of capture say of one target, as they are read one after another.

    Attributes:
        gaps: The times that are over, by action.
        off: The time that goes on, by action.
        installed: The actions that were installed before.
    """

    gaps: dict[Action, list[Gap]] = field(default_factory=lambda: defaultdict(list))
    off: dict[Action, Gap] = field(default_factory=dict)
    installed: set[Action] = field(default_factory=set)

    def switch_off(self, action: Action, at: datetime, cause: str) -> None:
        """Capture ended, or the table did."""
        self.off.setdefault(action, Gap(at, None, cause))

    def switch_on(self, action: Action, at: datetime, cause: str) -> None:
        """Capture was installed or enabled: before that it was off, since a time that may not be known."""
        if action in self.off:
            self.gaps[action].append(replace(self.off.pop(action), until=at))
        elif cause:
            self.gaps[action].append(Gap(None, at, cause))

    def add(self, event: CaptureEvent, change: Mapping[str, Any]) -> None:
        """Take one change of capture."""
        trigger = _OF_TRIGGER.get(change.get("trigger", ""))
        if event.subject == own_events.CAPTURE and change.get("relation") == event.name and "action" in change:
            self._install(event, Action(change["action"]), change["kind"])
        elif trigger is not None and "member" not in change:
            state = change["state"].removeprefix("is ")
            self.switch_off(trigger, event.at, f"trigger {change['trigger']} was {state} by {event.who}")
        elif "gone" in change:
            for action in _OF_TRIGGER.values():
                self.switch_off(action, event.at, f"the table was dropped by {event.who}")
        elif "joined" in change or "renamed_from" in change:
            for action in _OF_TRIGGER.values():
                self.switch_on(action, event.at, "")
                self.installed.add(action)

    def _install(self, event: CaptureEvent, action: Action, kind: str) -> None:
        match kind:
            case "CREATE":
                lost = f"its trigger was missing until {event.who} restored it" if action in self.installed else ""
                self.switch_on(action, event.at, lost)
                self.installed.add(action)
            case "ENABLE":
                self.switch_on(action, event.at, f"its trigger was switched off until {event.who} enabled it")
            case "DROP":
                self.installed.discard(action)
                self.off.pop(action, None)


@dataclass(frozen=True, slots=True)
class CaptureEvent:
    """A row of queries/coverage_change.sql."""

    event_id: int
    at: datetime
    subject: str
    name: str
    who: str
    before: Any
    after: Any


def read(conn: Connection) -> list[CaptureEvent]:
    """Return what the log has of capture and rules, oldest first. Raises DatabaseError if the login may not read it."""
    cursor = conn.cursor(row_factory=class_row(CaptureEvent))
    return cursor.execute(resources.sql_text("queries/coverage_change.sql").encode()).fetchall()


def of_targets(events: Iterable[CaptureEvent]) -> dict[str, Outages]:
    """Return what happened to the capture of each target; events that somebody forged are left out."""
    outages: dict[str, Outages] = defaultdict(Outages)
    for event in events:
        for change in own_events.changes(event) if event.subject != own_events.RULE else ():
            outages[event.name].add(event, change)
    return dict(outages)


def between(
    spans: Sequence[tuple[datetime, datetime | None]], authors: Mapping[datetime, str], later: str | None
) -> Iterator[Gap]:
    """Yield the times before, between and after those in which an action was to be recorded."""
    yield Gap(None, spans[0][0], "", is_start=True)
    for (_, ended), following in zip(spans, [*spans[1:], None], strict=True):
        if ended is not None:
            by = f"switched off by {authors[ended]}" if ended in authors else "switched off"
            cause = f"it is named {later} since" if following is None and later else by
            yield Gap(ended, following[0] if following else None, cause)


def overlaps(gap: Gap, since: datetime | None, end: datetime) -> bool:
    """Return whether a gap has a part in the selected time; one before all recording counts only if it was searched."""
    if gap.until is None:
        return gap.since is None or gap.since < end
    if gap.is_start and since is None:
        return gap.until >= end
    return (since is None or gap.until > since) and (gap.since is None or gap.since < end)

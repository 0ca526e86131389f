"""Tells events that auditctl writes of itself from those that somebody forged who can write past its functions. Pure.

Who reads such events takes only those that are `as_recorded`: no odd value can end a command, or count for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from auditctl import table_names
from auditctl.actions import Action
from auditctl.errors import UsageError

RULE = "auditctl.rule"
CAPTURE = "auditctl.capture"
DDL = "auditctl.ddl"
EVENT_TYPE = "auditctl.event_type"

Check = Callable[[Any], bool]
"""Whether a value, as `json.loads` returns it, is as auditctl writes it."""


class OwnEvent(Protocol):
    """An event that auditctl records of itself."""

    @property
    def event_id(self) -> int:
        """Its number."""

    @property
    def subject(self) -> str:
        """Its target, such as auditctl.rule."""

    @property
    def before(self) -> Any:
        """Its old values, as `json.loads` returns them."""

    @property
    def after(self) -> Any:
        """Its new values."""


Event = TypeVar("Event", bound=OwnEvent)


def as_recorded(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events that are as auditctl writes them."""
    return filter(_is_as_recorded, events)


def forged(events: Iterable[OwnEvent]) -> list[str]:
    """Return a sentence about each event that is not as auditctl writes it, by number."""
    found = {event.event_id: event.subject for event in events if not _is_as_recorded(event)}
    return [
        f"Event {number} of {subject} is not one that auditctl writes: somebody forged it, and it counts for nothing"
        " here. See what else was altered: auditctl verify"
        for number, subject in sorted(found.items())
    ]


def changes(event: OwnEvent) -> Iterator[Mapping[str, Any]]:
    """Yield the changes that an event of capture or DDL lists, if it is as recorded; none where they were too long."""
    listed = event.after["changes"] if _is_as_recorded(event) and not _is_shortened(event.after) else ()
    yield from () if _is_shortened(listed) else listed


def _is_as_recorded(event: OwnEvent) -> bool:
    is_sound = _SHAPES.get(event.subject)
    return is_sound is None or is_sound(event.before, event.after)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_action(value: Any) -> bool:
    return isinstance(value, str) and value in tuple(Action)


def _is_table(value: Any) -> bool:
    """Whether it is the name of a table, or a glob."""
    try:
        table_names.parse(value)
    except (UsageError, TypeError, AttributeError):
        return False
    return True


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _object(**members: Check) -> Check:
    """Return whether a value is an object that has these members, and maybe more."""
    return lambda value: (
        isinstance(value, dict) and all(name in value and check(value[name]) for name, check in members.items())
    )


def _is_shortened(value: Any) -> bool:
    """Whether it stands for what was too large for an event, as auditctl_internal.large_form makes it."""
    return isinstance(value, dict) and "$bytes" in value


_KINDS: Mapping[str, Check] = {
    "action": _object(action=_is_action, kind=_is_text, relation=_is_text),
    "trigger": _object(trigger=_is_text, state=_is_text),
    "key": _object(key=_or_null(_are_texts), was=_or_null(_are_texts)),
    "gone": _object(gone=_is_text),
    "joined": _object(joined=_is_text),
    "renamed_from": _object(renamed_from=_is_text),
}
"""What a change of capture or by DDL has besides, by the member that says what it is of."""


def _is_change(value: Any) -> bool:
    return isinstance(value, dict) and all(check(value) for name, check in _KINDS.items() if name in value)


def _lists_changes(_before: Any, after: Any) -> bool:
    if _is_shortened(after):
        return True
    listed = after.get("changes") if isinstance(after, dict) else None
    return _is_shortened(listed) or (isinstance(listed, list) and all(map(_is_change, listed)))


def _rows(check: Check) -> Callable[[Any, Any], bool]:
    """Return whether old and new values are those of a row that was written; one of them may be missing."""

    def is_sound(before: Any, after: Any) -> bool:
        return (before, after) != (None, None) and all(_or_null(check)(row) for row in (before, after))

    return is_sound


_SHAPES: Mapping[str, Callable[[Any, Any], bool]] = {
    RULE: _rows(
        _object(
            name=_is_table, position=_is_number, actions=_are_texts, exclude=_or_null(_are_texts),
            mask=_or_null(_are_texts),
        )
    ),
    EVENT_TYPE: _rows(_object(name=_is_text, enabled=_is_flag)),
    CAPTURE: _lists_changes,
    DDL: _lists_changes,
}  # fmt: skip
"""For each target whose events auditctl itself reads, whether old and new values are as it writes them."""


is_export: Check = _object()
"""Whether the new values of the event that begins an export may be those that a client stated."""

is_export_end: Check = _object(rows=_is_number, bytes=_is_number, sha256=_is_text, selection=_is_text)
"""Whether the new values of the event that ends an export are as auditctl.record_export_end takes them."""


def is_rule(row: Any) -> bool:
    """Return whether a row of auditctl.rule, as to_jsonb shows it, is one that auditctl writes."""
    return _SHAPES[RULE](None, row)

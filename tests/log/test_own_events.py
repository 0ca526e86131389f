"""What auditctl records of itself is told from what somebody forged, and from what was too long to record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from auditctl import own_events


@dataclass(frozen=True)
class Event:
    """An event of the log."""

    subject: str
    after: Any
    before: Any = None
    event_id: int = 7


CREATED = {"kind": "CREATE", "action": "CREATE", "relation": "a.b"}


@pytest.mark.parametrize(
    "event",
    [
        Event("auditctl.capture", {"changes": [CREATED]}),
        Event("auditctl.ddl", {"command": "ALTER TABLE", "changes": [{"key": None, "was": ["id"]}, {"column": "x"}]}),
        Event("auditctl.ddl", {"changes": [{"trigger": "auditctl_update", "state": "is disabled", "member": "a.c"}]}),
        Event("auditctl.event_type", None, {"name": "a", "enabled": True, "label": None}),
        Event("auditctl.lookup", {"view": 7}),
    ],
)
def test_what_auditctl_writes_is_as_recorded(event: Event) -> None:
    assert own_events.forged([event]) == []
    assert list(own_events.as_recorded([event])) == [event]


@pytest.mark.parametrize(
    "after",
    [
        None, [], {}, {"changes": None}, {"changes": [7]}, {"changes": [{"action": "CREATE"}]},
        {"changes": [{**CREATED, "action": "MERGE"}]}, {"changes": [{"key": "id", "was": []}]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("subject", ["auditctl.capture", "auditctl.ddl"])
def test_forged_changes_are_named_and_none_is_read(subject: str, after: Any) -> None:
    event = Event(subject, after)
    assert list(own_events.changes(event)) == []
    (sentence,) = own_events.forged([event, event])
    assert sentence.startswith(f"Event 7 of {subject} is not one that auditctl writes")


@pytest.mark.parametrize("after", [{"$sha256": "00", "$bytes": 9}, {"changes": {"$sha256": "00", "$bytes": 9}}])
def test_changes_that_were_too_long_to_record_are_not_forged(after: Any) -> None:
    assert own_events.forged([Event("auditctl.ddl", after)]) == []
    assert list(own_events.changes(Event("auditctl.ddl", after))) == []

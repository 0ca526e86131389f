"""Changes of capture that the log announces are one note of each kind, whatever number of items changed so."""

from __future__ import annotations

from typing import Any, cast

from auditctl.evidence.capture_changes import States
from auditctl.evidence.findings import Report


def test_what_changed_alike_is_one_note() -> None:
    report = Report()
    dropped = [
        (kind, f"{prefix}auditctl.event_2026_{month:02}", "vanished in block 7, as the log says")
        for month in (1, 2, 3)
        for kind, prefix in (("table", ""), ("trigger", "event_no_update on "))
    ]
    States(cast("Any", None), report)._add_notes([*dropped, ("table", "a.b", "appeared in block 7")], "in block 7")
    assert list(report.notes) == [
        "table auditctl.event_2026_01, auditctl.event_2026_02, auditctl.event_2026_03: vanished in block 7,"
        " as the log says",
        "trigger event_no_update on auditctl.event_2026_01, event_no_update on auditctl.event_2026_02,"
        " event_no_update on auditctl.event_2026_03: vanished in block 7, as the log says",
        "table a.b: appeared in block 7",
    ]

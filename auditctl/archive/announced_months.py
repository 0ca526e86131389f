"""What sealed events say of archived months: each names the digest of a manifest, so that no month can be replaced.

The event of a month is in the archive as soon as the month of that event is. Source: events of target auditctl.archive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditctl.archive.layout import MonthKey, is_month
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import COLUMNS, Fields

TARGET = "auditctl.archive"
"""The target of these events."""

_TARGET, _VALUES = COLUMNS.index("target"), COLUMNS.index("new_values")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event that says what was archived.

    Attributes:
        event_id: Its number.
        manifest: The digest of the manifest; None if the month is in files no longer.
    """

    event_id: int
    manifest: str | None


@dataclass(slots=True)
class AnnouncedMonths:
    """The newest announcement of each month."""

    _newest: dict[MonthKey, Announcement] = field(default_factory=dict)

    def add(self, database: str, fields: Fields) -> None:
        """Add an event of a database, if it is one of these."""
        if fields[_TARGET] != TARGET.encode():
            return
        try:
            values = json.loads(fields[_VALUES] or b"null")
        except (ValueError, RecursionError):
            return
        if isinstance(values, dict):
            self.add_values(database, signed(fields[0] or b""), values)

    def add_values(self, database: str, event_id: int, values: Mapping[str, Any]) -> None:
        """Add an event of a database, by its number and its new values."""
        name, month, manifest = values.get("database", database), values.get("month"), values.get("manifest")
        if isinstance(name, str) and isinstance(month, str) and is_month(month):
            key = MonthKey(name, month)
            if (known := self._newest.get(key)) is None or known.event_id < event_id:
                self._newest[key] = Announcement(event_id, manifest if isinstance(manifest, str) else None)

    def join(self, other: AnnouncedMonths) -> None:
        """Add what other events announce."""
        for key, one in other.newest().items():
            if (known := self._newest.get(key)) is None or known.event_id < one.event_id:
                self._newest[key] = one

    def newest(self) -> Mapping[MonthKey, Announcement]:
        """Return the newest announcement of each month."""
        return self._newest

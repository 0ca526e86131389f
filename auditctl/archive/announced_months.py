"""What sealed events say of archived months: each names the digest of a manifest, so that no month can be replaced.

The event of a month is in the archive as soon as the month of that event is. Source: events of target auditctl.archive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

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
            month, manifest = values["month"], values.get("manifest")
            key = MonthKey(values.get("database", database), month)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        if isinstance(month, str) and is_month(month) and isinstance(key.database, str):
            one = Announcement(signed(fields[0] or b""), manifest if isinstance(manifest, str) else None)
            if (known := self._newest.get(key)) is None or known.event_id < one.event_id:
                self._newest[key] = one

    def newest(self) -> Mapping[MonthKey, Announcement]:
        """Return the newest announcement of each month."""
        return self._newest

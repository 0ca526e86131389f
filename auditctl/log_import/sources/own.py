"""auditctl's own policy: `auditctl read: {"v": 1, ...}`, written beside the event, which a rollback takes away."""

from __future__ import annotations

import json
from datetime import datetime

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import Forged, OwnRead, Source

MARK = "auditctl read: "


def _read(record: Record) -> OwnRead | Forged:
    text = record.message[len(MARK) :]
    try:
        fields = json.loads(text)
        at = datetime.fromisoformat(fields["at"])
        target = fields["target"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Forged(record)
    if not isinstance(target, str) or at.tzinfo is None:
        return Forged(record)
    return OwnRead(record, text, target, at)


SOURCE = Source(name="auditctl", mark=MARK, read=_read)

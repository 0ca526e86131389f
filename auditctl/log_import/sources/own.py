"""Parses the reads that auditctl's policy logs: `auditctl read: {"v": 1, ...}`. A rollback does not remove them."""

from __future__ import annotations

import json
from datetime import datetime

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import ForgedRecord, OwnRead, Source

MARK = "auditctl read: "


def _read(record: Record) -> OwnRead | ForgedRecord | None:
    if not record.message.startswith(MARK):
        return None
    text = record.message[len(MARK) :]
    try:
        fields = json.loads(text)
        at = datetime.fromisoformat(fields["at"])
        target = fields["target"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ForgedRecord(record)
    if not isinstance(target, str) or at.tzinfo is None:
        return ForgedRecord(record)
    return OwnRead(record, text, target, at)


SOURCE = Source(name="auditctl", marks=(MARK.encode(),), read=_read)

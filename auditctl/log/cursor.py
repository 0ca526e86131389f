"""Where a page of the log ended, as a text that people can copy.

A cursor names an event's place in the order of the log, by (created_on, event_id). It stays valid for ever: events
are neither changed nor renumbered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from auditctl.errors import UsageError
from auditctl.text import iso_utc

_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)/([1-9][0-9]{0,18})", re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of an event in the log.

    Attributes:
        created_on: When it was captured; aware, in UTC, in microseconds.
        event_id: Its identity, 1 to 2^63 - 1.
    """

    created_on: datetime
    event_id: int

    def __str__(self) -> str:
        return f"{iso_utc(self.created_on, microseconds=True)}/{self.event_id}"


def parse(text: str) -> Cursor:
    """Parse what `str(cursor)` gives, and nothing else.

    Raises:
        UsageError: It is no cursor.
    """
    try:
        if (match := _FORM.fullmatch(text)) and (event_id := int(match[2])) <= _LARGEST:
            return Cursor(datetime.fromisoformat(match[1]), event_id)
    except ValueError:
        pass
    raise UsageError(
        f"{text!r} is no cursor", hint="Copy it from the last message of `auditctl log`: 2026-11-23T20:38:19.123456Z/42"
    )

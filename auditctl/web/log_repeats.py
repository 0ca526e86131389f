"""Writes a message of the web server once a minute, however often it repeats, so that no client can fill the log.

Requests are logged one by one all the same: they say who did what.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0

MAX_MESSAGES = 1000
"""How many different messages are compared; then all are forgotten."""

REQUESTS = "auditctl.web"
"""The logger whose messages are never left out."""


@dataclass(slots=True)
class _Message:
    written: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """Leaves out what was written less than a minute ago; the next line says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._messages: dict[tuple[str, str], _Message] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        if record.name == REQUESTS:
            return True
        text, now = record.getMessage(), self._clock()
        # The first line names the problem; asyncio adds the objects concerned.
        key = (record.name, text.partition("\n")[0][:200])
        message = self._messages.get(key)
        if message is not None and now - message.written < MINUTE:
            message.left_out += 1
            return False
        if message is not None and message.left_out:
            record.msg, record.args = f"{text} ({message.left_out} more since the last line)", None
        if len(self._messages) >= MAX_MESSAGES:
            self._messages.clear()
        self._messages[key] = _Message(now)
        return True

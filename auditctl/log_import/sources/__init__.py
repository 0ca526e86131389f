"""The kinds of messages in the server's log that become events, each in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.log_import.sources import own, pgaudit, refusals, sign_ins
from auditctl.log_import.sources.source import Source

SOURCES: Sequence[Source] = (pgaudit.SOURCE, own.SOURCE, sign_ins.SOURCE, refusals.SOURCE)
"""Every source; the first that knows a record takes it."""

TARGETS = {target: names for source in SOURCES for target, names in source.targets.items()}
"""auditctl's own targets of imported events, and what one and several of them are called."""

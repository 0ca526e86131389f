"""The sources of reads in the server's log, each in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.log_import.sources import own, pgaudit
from auditctl.log_import.sources.source import Source

SOURCES: Sequence[Source] = (pgaudit.SOURCE, own.SOURCE)
"""Every source. A record belongs to the source whose mark its message begins with."""

"""The archived months that pages read, for all requests. It needs the extra `archive`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from auditctl.archive.access import ArchiveAccess
from auditctl.archive.everywhere import OpenedMonths
from auditctl.web.engines import Engines, Stopping

MOST_PAGES = 8
"""How many pages read files at a time: more than one visitor can load."""

MOST_EXPORTS = 8
"""How many exports do: apart, as these have no time limit."""


class Archive:
    """The archived months, for all requests; safe for threads.

    Args:
        path: Where they are; empty for where each was written to.
        page_timeout: How long a page may read files.
    """

    def __init__(self, path: str, page_timeout: timedelta) -> None:
        self._path = path or None
        self._timeout = page_timeout
        self._opened: OpenedMonths = {}
        self._pages, self._exports = Engines(MOST_PAGES), Engines(MOST_EXPORTS)

    def for_page(self, stopping: Stopping) -> ArchiveAccess:
        """Return how a page reads the months: within its time limit."""
        return ArchiveAccess(self._path, partial(self._pages.lend, stopping, self._timeout), self._opened)

    def for_export(self, stopping: Stopping) -> ArchiveAccess:
        """Return how an export reads them."""
        return ArchiveAccess(self._path, partial(self._exports.lend, stopping), self._opened)

    def stop(self) -> None:
        """Stop all that reads files."""
        self._pages.stop()
        self._exports.stop()

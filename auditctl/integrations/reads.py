"""Knows whether a rule records reads: only then do statements that only read need the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOOK_UP = "select exists (select from pg_catalog.pg_policy where polname = 'auditctl_read')"
"""Returns whether a table of the database has the policy by which reads are recorded."""


class Reads:
    """Whether reads are recorded in a database, looked up at most once."""

    def __init__(self, are_recorded: bool | None = None) -> None:
        self._answer = are_recorded

    @property
    def answer(self) -> bool | None:
        """Whether reads are recorded; None where that was not looked up."""
        return self._answer

    def are_recorded(self, fetch: Callable[[str], Any]) -> bool:
        """Return whether reads are recorded.

        Args:
            fetch: Executes a query and returns its row.
        """
        if self._answer is None:
            self._answer = bool(fetch(LOOK_UP)[0])
        return self._answer
